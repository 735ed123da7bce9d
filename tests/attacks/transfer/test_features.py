"""Log-odds of every class, and what is refused before anything is computed."""

import inspect
from decimal import Decimal, getcontext

import numpy as np
import pytest

from nonmember.attacks.transfer.discriminant import tmi_lda
from nonmember.attacks.transfer.features import log_odds, of_largest
from nonmember.attacks.transfer.threshold import max_confidence
from nonmember.errors import DataError

getcontext().prec = 250


def exactly(row):
    """Log p - log(1 - p) of every class, in 250 digits."""
    odds = [Decimal(float(u)).exp() for u in row]
    return [float(own.ln() - (sum(odds) - own).ln()) for own in odds]


def softmax(logits):
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def world(seed=0, *, n=6, m=8, v=2, c=3):
    rng = np.random.default_rng(seed)
    saw = rng.permuted(np.tile(np.arange(m) % 2 == 0, (n, 1)), axis=1).T
    return rng.normal(0, 2, (n, v, c)), rng.normal(0, 2, (m, n, v, c)), saw


def test_by_hand():
    """Probabilities 1/2, 1/4, 1/4: odds 1, 1/3, 1/3."""
    found = log_odds(np.log([[2.0, 1.0, 1.0]]))
    np.testing.assert_allclose(found, [[0, -np.log(3), -np.log(3)]], atol=1e-15)


@pytest.mark.parametrize("spread", [0.1, 3.0, 20.0, 60.0])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_as_in_250_digits(spread, classes):
    rows = np.random.default_rng(0).normal(0, spread, (6, classes))
    rows[0] = 0.0  # all alike
    rows[1, :2] = rows[1].max() + 1  # two that are likeliest
    found = log_odds(rows)
    np.testing.assert_allclose(found, [exactly(row) for row in rows], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_for_any_finite_logits_and_in_their_order(dtype):
    most = np.finfo(np.float32).max
    rows = np.array([[most, -most, 0], [1e30, 1e30, 0], [0, 0, 0], [800, 0, -800]], dtype=dtype)
    found = log_odds(rows)
    assert np.isfinite(found).all()
    assert found[3].tolist() == [800, -800, -1600]
    gaps = np.array([16, 17, 20, 34, 40, 100, 1000], dtype=dtype)
    surer = log_odds(np.stack([gaps, 0 * gaps], axis=1))[:, 0]
    np.testing.assert_allclose(surer, gaps, rtol=1e-6)


def test_a_constant_added_to_a_row_changes_nothing():
    own, reference, saw = world()
    added = np.random.default_rng(1).normal(0, 5, reference.shape[:3])[..., None]
    np.testing.assert_allclose(log_odds(reference + added), log_odds(reference), atol=1e-12)
    found = tmi_lda(own + 3, reference + added, saw)
    np.testing.assert_allclose(found, tmi_lda(own, reference, saw), rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_of_the_k_largest_the_rest_is_spread_evenly(k):
    logits = np.random.default_rng(2).normal(0, 4, (3, 7, 5))
    found = softmax(of_largest(logits, k))
    for p, rebuilt in zip(softmax(logits).reshape(-1, 5), found.reshape(-1, 5), strict=True):
        order = sorted(range(5), key=lambda one: -p[one])
        rest = [p[one] for one in order[k:]]
        expected = [p[i] if i in order[:k] else sum(rest) / len(rest) for i in range(5)]
        np.testing.assert_allclose(rebuilt, expected, rtol=1e-12)
    assert of_largest(logits, None) is logits


def test_the_k_largest_of_certain_answers_stay_finite():
    logits = np.array([[0.0, -800.0, -900.0, -2000.0]])
    found = of_largest(logits, 1)
    np.testing.assert_allclose(found, [[0] + [-800 - np.log(3)] * 3])
    assert np.isfinite(log_odds(found)).all()


def test_max_confidence_by_hand():
    logits = np.log([[[3.0, 1.0], [1.0, 1.0]], [[1.0, 9.0], [1.0, 4.0]]])
    np.testing.assert_allclose(max_confidence(logits), [(0.75 + 0.5) / 2, (0.9 + 0.8) / 2])


def refused(change):
    own, reference, saw = (one.copy() for one in world())
    return inspect.unwrap(tmi_lda)(*change(own, reference, saw))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda o, r, s: (o[:, :1], r, s), r"\(1, 3\) copies and classes of the target, \(2, 3\)"),
        (lambda o, r, s: (o[..., :2], r, s), "fine-tune all for the same task"),
        (lambda o, r, s: (o[..., :1], r[..., :1], s), "1 class; a downstream task has at least"),
        (lambda o, r, s: (o, r, s | (np.arange(6) == 4)), "on a side of 1 candidates, such as 4"),
        (lambda o, r, s: (o, r, s & (np.arange(6) < 2)), "such as 2, 3, 4, 5; train more"),
        (lambda o, r, s: (o, r[:2], s[:2]), "on a side of 6 candidates, such as 0, 1, 2, 3, 4;"),
        (lambda o, r, s: (o * np.inf, r, s), "aug_logits: model 0 has no finite answer to cand"),
        (
            lambda o, r, s: (o, np.where(np.arange(6)[:, None, None] == 3, np.nan, r), s),
            "ref_aug_logits: model 0 has no finite answer to candidate 3",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused(change, says):
    with pytest.raises(DataError, match=says):
        refused(change)
