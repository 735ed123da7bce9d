"""Attacks on one answer: by hand, against loops, and calibrated per class."""

from fractions import Fraction
from itertools import pairwise
from math import exp, log

import numpy as np
import pytest

from nonmember.attacks.classifier.threshold import (
    class_thresholds,
    confidence,
    entropy,
    gap,
    loss,
    modified_entropy,
)
from nonmember.evaluation.roc import auc

LOGITS, LABELS = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]]), np.array([0, 2])


def answers(seed, n=60, c=4, scale=3.0):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=(n, c)), rng.integers(0, c, n)


def softmax(row):
    total = sum(exp(z) for z in row)
    return [exp(z) / total for z in row]


def loss_of(row, label):
    return log(softmax(row)[label])


def true_confidence(row, label):
    p = softmax(row)[label]
    return log(p) - log(1 - p)


def top_confidence(row, _):
    return true_confidence(row, max(range(len(row)), key=row.__getitem__))


def entropy_of(row, _):
    return sum(p * log(p) for p in softmax(row))


def modified(row, label):
    p = softmax(row)
    others = sum(q * log(1 - q) for j, q in enumerate(p) if j != label)
    return (1 - p[label]) * log(p[label]) + others


LOOPS = [
    (loss, {}, loss_of),
    (confidence, {"which": "true"}, true_confidence),
    (confidence, {}, top_confidence),
    (entropy, {}, entropy_of),
    (modified_entropy, {}, modified),
]


@pytest.mark.parametrize("score, options, naive", LOOPS)
def test_it_equals_the_loop(score, options, naive):
    logits, labels = answers(0)
    expected = [naive(row, label) for row, label in zip(logits.tolist(), labels, strict=True)]
    np.testing.assert_allclose(score(logits, labels, **options), expected, rtol=1e-9)


def test_the_golden_values():
    np.testing.assert_allclose(entropy(LOGITS, LABELS), [-0.524267, -0.524267], atol=1e-6)
    np.testing.assert_allclose(modified_entropy(LOGITS, LABELS), [-0.042181, -3.490439], atol=1e-6)
    np.testing.assert_allclose(np.exp(loss(LOGITS, LABELS)), [0.843795, 0.114195], atol=1e-6)


def test_the_gap_is_the_difference_in_accuracy():
    logits, labels = answers(1, n=400)
    member = np.arange(400) < 200
    logits[member, labels[member]] += 3
    right = gap((logits.argmax(axis=1) == labels).astype(np.float32))
    found = 1 / 2 + (right[member].mean() - right[~member].mean()) / 2
    assert auc(right, member).value == pytest.approx(found)


def test_monotone_twins_have_one_order():
    logits, labels = answers(2, n=300)
    order = np.argsort(loss(logits, labels), kind="stable")
    np.testing.assert_array_equal(
        order, np.argsort(confidence(logits, labels, which="true"), kind="stable")
    )


def test_the_surest_answers_are_finite_and_at_most_0():
    logits, labels = np.array([[800.0, 0.0], [800.0, 0.0]]), np.array([0, 1])
    found = modified_entropy(logits, labels)
    assert found[0] == 0 and found[1] == pytest.approx(-1600)
    assert entropy(logits, labels).tolist() == [0, 0]


def calibrated(known, member, candidates):
    """The lowest of all thresholds between known scores with the best balanced accuracy."""
    levels = sorted(set(known))
    between = [(a + b) / 2 for a, b in pairwise(levels)]
    best = (-1.0, 0.0)
    for tau in [levels[0], *between]:
        inside = [s >= tau for s, m in zip(known, member, strict=True) if m]
        outside = [s < tau for s, m in zip(known, member, strict=True) if not m]
        accuracy = sum(inside) / len(inside) + sum(outside) / len(outside)
        if accuracy > best[0] + 1e-12:
            best = accuracy, tau
    return [score - best[1] for score in candidates], best[1]


SCORES = {
    "loss": loss,
    "entropy": entropy,
    "modified_entropy": modified_entropy,
    "confidence": lambda logits, labels: confidence(logits, labels, which="true"),
}


@pytest.mark.parametrize("statistic", SCORES)
def test_thresholds_equal_the_loop(statistic):
    own, known = answers(3, n=90, c=4), answers(4, n=160, c=4)
    member = np.random.default_rng(5).random(160) < 0.6
    known[0][member, known[1][member]] += 2
    known[1][known[1] == 3] = 2  # class 3 is of no known record, class 2 of many
    member[np.flatnonzero(known[1] == 0)[3:]] = True  # class 0 has at most three non-members
    score, calm = SCORES[statistic](*own), SCORES[statistic](*known)
    _, overall = calibrated(calm, member, [])
    expected = score - overall
    for label in range(3):
        of = known[1] == label
        scarcer = min(member[of].sum(), (~member[of]).sum())
        weight = 1 if scarcer >= 20 else scarcer / (scarcer + 20)
        _, tau = calibrated(calm[of], member[of], [])
        rows = own[1] == label
        expected[rows] = score[rows] - (weight * tau + (1 - weight) * overall)
    found = class_thresholds(*own, *known, member, statistic=statistic)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", [24, 25, 49])
def test_of_equally_good_thresholds_the_lowest_is_taken(seed):
    """Where shares of members and of others, in floating point, make another one the best."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(8, 40))
    known, member = rng.integers(0, 6, count).astype(float), rng.random(count) < 0.5
    levels = sorted(set(known))
    best = max(
        (
            Fraction(int((known[member] >= tau).sum()), int(member.sum()))
            + Fraction(int((known[~member] < tau).sum()), int((~member).sum())),
            -tau,
        )
        for tau in [levels[0], *[(a + b) / 2 for a, b in pairwise(levels)]]
    )
    logits, zeros = np.stack([known, np.zeros(count)], axis=1), np.zeros(count, dtype=int)
    given = np.zeros((1, 2)), zeros[:1], logits, zeros, member
    assert class_thresholds(*given, statistic="confidence")[0] == pytest.approx(best[1])


def test_ranks_equal_the_loop():
    own, known = answers(6, n=80, c=3), answers(7, n=90, c=3)
    member = np.random.default_rng(8).random(90) < 0.5
    own[0][:5], own[1][:5] = known[0][:5], known[1][:5]  # ties
    member[known[1] == 2] = True  # no non-member of class 2: held against all
    score, calm = loss(*own), loss(*known)
    expected = []
    for value, label in zip(score, own[1], strict=True):
        others = calm[~member & (known[1] == label)]
        others = others if len(others) else calm[~member]
        expected.append(((others < value).sum() + (others == value).sum() / 2) / len(others))
    found = class_thresholds(*own, *known, member, statistic="loss", per_class="rank")
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_threshold_by_hand():
    """Class 0 is told at log-odds 2, class 1 at 6; 20 known records on each side of both."""
    known = np.repeat([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0], [0.0, 7.0]], 20, axis=0)
    labels, member = np.repeat([0, 0, 1, 1], 20), np.repeat([False, True] * 2, 20)
    own, classes = np.array([[4.0, 0.0], [0.0, 4.0]]), np.array([0, 1])
    found = class_thresholds(own, classes, known, labels, member, statistic="confidence")
    np.testing.assert_allclose(found, [2, -2], rtol=1e-9)


def test_a_class_has_its_own_scale():
    """Non-members of class 1 are as sure as members of class 0: only per class they are told."""
    rng = np.random.default_rng(9)
    labels, member = rng.integers(0, 2, 800), rng.random(800) < 0.5
    logits = np.zeros((800, 2))
    logits[np.arange(800), labels] = 3 * labels + 3 * member + rng.normal(0, 1, 800)
    own, known = slice(0, 400), slice(400, 800)
    given = logits[own], labels[own], logits[known], labels[known], member[known]
    plain = auc(modified_entropy(*given[:2]), member[own]).value
    for how in ("threshold", "rank"):
        found = class_thresholds(*given, statistic="confidence", per_class=how)
        assert auc(found, member[own]).value > plain + 0.05


@pytest.mark.parametrize("side", [True, False])
@pytest.mark.parametrize("per_class", ["threshold", "rank"])
def test_one_side_alone_calibrates_no_threshold(side, per_class):
    own, known = answers(1), answers(2)
    found = class_thresholds(*own, *known, np.full(60, side), per_class=per_class)
    assert np.isnan(found).all() == (side or per_class == "threshold")
