"""What logits say of a class: by hand, at both ends of floating point, and what is refused."""

from math import log

import numpy as np
import pytest

from nonmember.attacks.classifier import margins
from nonmember.attacks.registry import of_families
from nonmember.errors import DataError

LOGITS, LABELS = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]]), np.array([0, 2])
SURE = np.array([[60.0, 0.0, 1.0], [70.0, 0.0, 1.0]])
SIGMOID = np.array([[0.0, 2.0]])


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_the_golden_values():
    close(np.exp(margins.log_probability(LOGITS, LABELS)), [0.843795, 0.114195])
    close(margins.margin(LOGITS, LABELS), [1.686738, -2.048587])
    close(margins.margin(LOGITS, LOGITS.argmax(axis=1)), [1.686738, 1.686738])
    close(margins.hinge(LOGITS, LABELS), [2, -2])


def test_of_two_classes_the_margin_is_the_logit():
    close(margins.margin(SIGMOID, np.array([1])), [2])
    close(margins.log_complement(SIGMOID), [[-log(1 + np.exp(-2)), -log(1 + np.exp(2))]])


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_the_complement_equals_the_sum_of_the_others(scale):
    logits = scale * np.random.default_rng(0).normal(size=(200, 5))
    for one in range(5):
        others = np.delete(logits, one, axis=1)
        expected = margins.log_sum_exp(others) - margins.log_sum_exp(logits)
        found = margins.log_complement(logits)[:, one]
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_what_probabilities_cannot_tell_apart_keeps_its_order():
    labels = np.zeros(2, dtype=int)
    probabilities = np.exp(margins.log_probability(SURE, labels))
    assert probabilities[0] == probabilities[1] == 1
    assert np.diff(margins.margin(SURE, labels)) == pytest.approx([10])


def test_the_largest_float32_is_no_infinity():
    logits = np.array([[3e38, -3e38, 0.0]], dtype=np.float32)
    for label in range(3):
        found = margins.checked(logits, np.array([label]))
        assert np.isfinite(margins.margin(found, np.array([label]))).all()
        assert np.isfinite(margins.log_complement(found)).all()


def test_the_surest_log_probabilities_keep_their_order():
    above = np.array([5.0, 30, 37, 60, 300, 700])
    logits = np.stack([above, np.zeros(6)], axis=1)
    found = margins.log_probability(logits, np.zeros(6, dtype=int))
    np.testing.assert_allclose(found, -np.log1p(np.exp(-above)), rtol=1e-12)
    assert (np.diff(margins.rounded(found)) > 0).all()
    np.testing.assert_array_equal(margins.log_softmax(logits)[:, 0], found)


def test_equal_answers_stay_tied_however_sure():
    """The same logits, those plus a constant, and those with the other classes exchanged."""
    for top in (0.5, 9.0, 40.0, 300.0, 900.0):
        row = np.array([top, 0.3, -1.1, 0.7])
        logits = np.stack([row, row, row + 0.1, row - 7, row[[0, 3, 1, 2]]])
        labels = np.zeros(5, dtype=int)
        found = margins.log_probability(margins.checked(logits, labels), labels)
        assert len(set(margins.rounded(found))) == 1


HUGE = np.array([[1.5e308, -1.5e308, 0.0], [-1e308, -1.7e308, 1e308], [1e308, 1e308, -1e308]])


@pytest.mark.parametrize("label", range(3))
def test_huge_logits_are_no_infinity_and_keep_their_likeliest_class(label):
    labels = np.full(3, label)
    found = margins.checked(HUGE, labels)
    np.testing.assert_array_equal(found.argmax(axis=1), HUGE.argmax(axis=1))
    for score in (margins.margin, margins.hinge, margins.log_probability):
        assert np.isfinite(score(found, labels)).all()
    for score in (margins.log_softmax, margins.log_complement):
        assert np.isfinite(score(found)).all()
    for name in ("loss", "confidence", "entropy", "modified_entropy"):
        assert np.isfinite(of_families(["classifier"])[name].score(HUGE, labels)).all()
    saw = np.arange(8)[:, None] % 2 == np.zeros(3)
    lira = of_families(["classifier"])["lira"]
    assert np.isfinite(lira.score(HUGE, labels, np.stack([HUGE, -HUGE] * 4), saw)).all()


def test_equal_outputs_stay_tied_whatever_rounding_does():
    third = 1 / 3
    scores = np.array([third, third * (1 + 1e-13), third * (1 + 1e-8), 0.0, -third, np.nan])
    found = margins.rounded(scores)
    assert found[0] == found[1] != found[2] and found[3] == 0 and found[4] == -found[0]
    np.testing.assert_allclose(found, scores, rtol=5e-10)
    np.testing.assert_array_equal(margins.rounded(found), found)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_logit_that_is_not_finite_is_refused_with_its_row(bad):
    logits = LOGITS.copy()
    logits[1, 0] = bad
    with pytest.raises(DataError, match=r"logits\[1\]: a logit is not finite; mend"):
        margins.checked(logits, LABELS)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_no_class_is_refused(label):
    with pytest.raises(DataError, match=rf"logits\[1\]: label {label} is none of its 3 classes"):
        margins.checked(LOGITS, np.array([0, label]))


def test_a_single_output_is_refused():
    with pytest.raises(DataError, match=r"logits: 1 classes; of one sigmoid output give \(0, logi"):
        margins.checked(LOGITS[:, :1], np.array([0, 0]))


@pytest.mark.parametrize("key", ["ref_logits", "pop_logits", "ref_pop_logits", "logits"])
def test_an_attack_says_whose_logit_is_not_finite(key):
    attack = of_families(["classifier"])["rmia"]
    given = {
        "logits": LOGITS,
        "labels": LABELS,
        "ref_logits": np.stack([LOGITS, LOGITS]),
        "ref_member": np.array([[True, False], [False, True]]),
        "pop_logits": LOGITS,
        "pop_labels": LABELS,
        "ref_pop_logits": np.stack([LOGITS, LOGITS]),
    }
    given[key] = given[key].copy()
    given[key][..., 1, 0] = np.nan
    place = r"\[0\]\[1\]" if key.startswith("ref_") else r"\[1\]"
    with pytest.raises(DataError, match=f"^{key}{place}: a logit is not finite"):
        attack.score(*(given[need] for need in attack.needs), returns="share")
