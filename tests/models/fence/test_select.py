"""Every selector by hand, and against loops written from the paper's formulas."""

from math import exp, inf, log

import numpy as np
import pytest
from models.fence.worlds_fence import answers

from nonmember.models.fence import select
from nonmember.models.fence.select import QUANTUM

HALF = [0.0, 1.0]  # label 1, log odds 1
FIRM = [0.0, 3.0]
FLAT = [2.0, 2.0]  # label 0, the first of a tie
COPIES = np.array([[FLAT, FIRM, HALF, FIRM], [FLAT, FLAT, FLAT, FLAT]], dtype=np.float32)
LABELS = np.array([1, 1])
KEPT = np.array([[False, True, True, True], [False] * 4])


def every(*shape):
    return np.ones(shape, dtype=bool)


def keeping(given, labels):
    return select.keeping(given, labels, every(*given.shape[:2]))


def odds(logits):
    top = max(range(len(logits)), key=lambda place: (logits[place], -place))
    rest = [float(one) for place, one in enumerate(logits) if place != top]
    return float(logits[top]) - max(rest) - log(sum(exp(one - max(rest)) for one in rest))


def probabilities(logits):
    largest = max(logits)
    parts = [exp(float(one) - float(largest)) for one in logits]
    return [one / sum(parts) for one in parts]


def test_log_odds_are_finite_where_a_float32_probability_is_one():
    found = select.log_odds(np.array([[200.0, 0.0, 0.0], [1.0, 1.0, 1.0], [3e38, -3e38, 0.0]]))
    np.testing.assert_allclose(found, [200 - log(2), -log(2), 3e38])


def test_log_odds_equal_their_formula():
    _, given = answers(classes=5)
    expected = [[odds(copy) for copy in copies] for copies in given]
    np.testing.assert_allclose(select.log_odds(given), expected, atol=1e-12)


def test_log_odds_leave_what_they_read():
    given = np.array([[3.0, 1.0]])
    select.log_odds(given)
    np.testing.assert_array_equal(given, [[3.0, 1.0]])


def test_an_interval_takes_the_first_inside_by_hand():
    found = select.by_interval(COPIES, LABELS, KEPT, 2.5, 3.5)
    np.testing.assert_array_equal(found.logits[0], FIRM)
    np.testing.assert_array_equal(found.found, [True, False])
    np.testing.assert_array_equal(found.inside, [True, False])


@pytest.mark.parametrize(("low", "high", "taken"), [(1.2, 1.8, HALF), (2.1, 2.2, FIRM)])
def test_an_interval_takes_the_nearest_by_hand(low, high, taken):
    found = select.by_interval(COPIES, LABELS, KEPT, low, high)
    np.testing.assert_array_equal(found.logits[0], taken)
    assert not found.inside.any()


def test_of_equally_near_copies_the_first_is_taken():
    tied = np.array([[[0.0, 3.0, -9.0], [0.0, 3.0, -8.0], [0.0, 3.0, -9.0]]])
    np.testing.assert_array_equal(
        select.by_interval(tied, np.array([1]), np.ones((1, 3), dtype=bool), 0.0, 9.0).logits,
        tied[:, 0],
    )


@pytest.mark.parametrize(("low", "high"), [(-0.5, 0.2), (0.3, 0.4), (5.0, 6.0), (-inf, inf)])
def test_an_interval_equals_its_loop(low, high):
    labels, given = answers()
    found = select.by_interval(given, labels, keeping(given, labels), low, high)
    for row, (label, copies) in enumerate(zip(labels, given, strict=True)):
        best, least = None, inf
        for copy in copies:
            far = max(low - odds(copy), odds(copy) - high, 0.0)
            if copy.argmax() == label and far < least - 1e-12:
                best, least = copy, far
        assert found.found[row] == (best is not None)
        assert found.inside[row] == (best is not None and least == 0)
        if best is not None:
            np.testing.assert_array_equal(found.logits[row], best)


def test_a_draw_takes_each_keeper_alike_by_hand():
    taken = [
        select.by_draw(COPIES[:1], LABELS[:1], KEPT[:1], np.array([u])) for u in (0.0, 0.34, 0.99)
    ]
    np.testing.assert_array_equal([one.logits[0] for one in taken], [FIRM, HALF, FIRM])
    assert not select.by_draw(COPIES[1:], LABELS[1:], KEPT[1:], np.array([0.5])).found.any()


def test_a_draw_equals_its_loop():
    labels, given = answers(200)
    draws = np.random.default_rng(1).random(200)
    found = select.by_draw(given, labels, keeping(given, labels), draws)
    for row, (label, copies) in enumerate(zip(labels, given, strict=True)):
        keepers = [copy for copy in copies if copy.argmax() == label]
        assert found.found[row] == bool(keepers)
        if keepers:
            np.testing.assert_array_equal(
                found.logits[row], keepers[int(draws[row] * len(keepers))]
            )


def test_a_draw_is_uniform():
    given = np.repeat(np.array([[[0.0, 1.0], [0.0, 2.0], [9.0, 0.0], [0.0, 3.0]]]), 6000, axis=0)
    draws = np.random.default_rng(0).random(6000)
    labels = np.ones(6000, dtype=np.int64)
    found = select.by_draw(given, labels, keeping(given, labels), draws).logits[:, 1]
    counts = np.unique(found, return_counts=True)[1]
    assert len(counts) == 3 and (abs(counts - 2000) < 5 * (6000 * 2 / 9) ** 0.5).all()


def test_the_mean_by_hand():
    found = select.mean(np.log(np.array([[[0.2, 0.8], [0.6, 0.4]]])), every(1, 2))
    np.testing.assert_allclose(np.exp(found.logits), [[0.4, 0.6]])
    assert found.label.tolist() == [1] and found.found.all()


def test_the_mean_equals_its_loop():
    _, given = answers(classes=4)
    for row, copies in enumerate(given):
        expected = np.mean([probabilities(copy) for copy in copies], axis=0)
        np.testing.assert_allclose(
            np.exp(select.mean(given, every(40, 7)).logits[row]), expected, atol=1e-12
        )


def test_the_majority_by_hand():
    logs = np.log(np.array([[[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]]))
    found = select.majority(logs, np.array([0]), every(1, 3))
    np.testing.assert_allclose(np.exp(found.logits), [[0.3, 0.7]])
    assert found.label.tolist() == [1]


@pytest.mark.parametrize(("own", "given"), [(2, 2), (0, 1)])
def test_a_tied_majority_is_the_inputs_own_label_or_the_first(own, given):
    logits = np.eye(3)[[[2, 1]]]  # one copy of label 2, one of label 1
    assert select.majority(logits, np.array([own]), every(1, 2)).label.tolist() == [given]


def test_the_majority_equals_its_loop():
    labels, given = answers(100, classes=4)
    found = select.majority(given, labels, every(100, 7))
    for row, (label, copies) in enumerate(zip(labels, given, strict=True)):
        votes = np.bincount(copies.argmax(axis=1), minlength=4)
        most = label if votes[label] == votes.max() else int(votes.argmax())
        among = [probabilities(copy) for copy in copies if copy.argmax() == most]
        np.testing.assert_allclose(np.exp(found.logits[row]), np.mean(among, axis=0), atol=1e-12)
        assert found.label[row] == most


def test_a_copy_that_is_its_input_is_used_by_none():
    """Of four copies the second is the input itself, and the second input has no others."""
    moved = np.array([[True, False, True, True], [False] * 4])
    kept = select.keeping(COPIES, LABELS, moved)
    np.testing.assert_array_equal(kept, [[False, False, True, True], [False] * 4])
    left = COPIES[:1, [0, 2, 3]]
    whole = select.mean(COPIES, moved), select.majority(COPIES, LABELS, moved)
    parts = select.mean(left, every(1, 3)), select.majority(left, LABELS[:1], every(1, 3))
    for found, part in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(found.logits[0], part.logits[0])
        assert found.label[0] == part.label[0] and np.isfinite(found.logits).all()
        np.testing.assert_array_equal(found.found, [True, False])


def test_rounding_makes_what_differs_by_float_noise_equal():
    logits = np.array([[1.0, 0.25], [1.0 + 1e-6, 0.25 - 1e-6]])
    found = select.rounded(logits, np.array([0, 0]))
    np.testing.assert_array_equal(found[0], found[1])
    assert found.dtype == np.float32


@pytest.mark.parametrize("top", [0.0, 1.0, -1e7, 1e30])
def test_rounding_keeps_the_label(top):
    spread = np.array([[0.0, 1e-6], [0.0, 0.0], [1e-6, 0.0]]) + top
    labels = np.array([1, 1, 0])
    found = select.rounded(spread, labels)
    np.testing.assert_array_equal(found.argmax(axis=1), labels)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, spread, rtol=1e-6, atol=2 * QUANTUM)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_rounding_stays_finite_at_the_largest_number(label):
    most = float(np.finfo(np.float32).max)
    for given in ([most, most, most], [most, -most, 0.0], [-most, -most, -most]):
        found = select.rounded(np.array([given]), np.array([label]))
        assert np.isfinite(found).all() and found.argmax() == label
