"""Balanced accuracy of an attack that must choose its threshold before it is judged.

The figure of most papers on defenses of classifiers takes the best threshold for the very
records that it is of; here it is learnt from the records of others.
"""

from dataclasses import dataclass
from math import hypot

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array

from nonmember.errors import UnresolvableError
from nonmember.evaluation.intervals import Interval, clopper_pearson, independent, resampler
from nonmember.evaluation.roc import CELLS_AT_ONCE, percentile, tally, tied
from nonmember.seeds import generator
from nonmember.types import Count, Groups, Member, Scores

FOLDS = 5


@dataclass(frozen=True)
class AttackAccuracy:
    """How often an attack is right where members and others are as frequent, 0 to 1.

    ``oracle`` is that of the best threshold for these very records, as most papers print it: at
    least ``balanced`` on average, and above 0.5 for scores that know nothing. No interval
    makes it an estimate of what an attacker gets.
    """

    balanced: Interval
    oracle: float
    members: int
    non_members: int


@dataclass(frozen=True)
class _Fold:
    """Which distinct score, largest first, each record has to learn from, or to be judged by."""

    learnt_members: csr_array
    learnt_others: csr_array
    judged_members: csr_array
    judged_others: csr_array


def attack_accuracy(
    scores: Scores,
    member: Member,
    group: Groups,
    *,
    folds: Count = FOLDS,
    level: float = 0.95,
    times: int = 2000,
    seed: int = 0,
) -> AttackAccuracy:
    """Mean of the true-positive and the true-negative rate, thresholds learnt across folds.

    The records of each fold are flagged from the score that tells the members of the others best
    (the highest of equally good ones) upwards, so that equal scores share a verdict. An attack
    that knows nothing comes out at 0.5 on average. The interval is the wider, on each side, of
    the bootstrap's, in which groups are drawn and thresholds learnt anew, and of that of two
    exact proportions (Clopper and Pearson 1934), their arms added in squares.

    Args:
        scores: larger = likelier member, none NaN.
        member: the truth.
        group: whose the records are; those of one group share a fold and are drawn together.
        folds: into how many parts the groups are dealt, at least 2.
        level: of the interval.
        times: bootstrap samples.
        seed: of the folds and the bootstrap.

    Raises:
        UnresolvableError: only one side is present, a score is NaN, or some fold leaves none of
            a side to learn from.
    """
    counts = tally(scores, member)
    place, fold = tied(scores), _dealt(member, group, folds, seed)
    parts = _folds(place, member, fold)
    ones = np.ones((1, len(scores)), dtype=np.float32)
    true, spared = (float(rate[0]) for rate in _rates(parts, ones))
    sampled = _resampled(parts, member, group, times, seed)
    exact = _exact((true, spared), member, group, level)
    low, high = percentile(sampled, level)
    value = (true + spared) / 2
    balanced = Interval(min(low, exact[0]), value, max(high, exact[1]), level)
    oracle = (1 + float(_gains(counts.members, counts.non_members).max())) / 2
    return AttackAccuracy(balanced, oracle, int(member.sum()), int((~member).sum()))


def _dealt(member: Member, group: Groups, folds: int, seed: int) -> Int[np.ndarray, "n"]:
    """The fold of each record: groups in random order, those with members first, dealt round."""
    ids, unit = np.unique(group, return_inverse=True)
    inside = np.bincount(unit[member], minlength=len(ids)) > 0
    order = generator(seed, "folds").permutation(len(ids))
    order = order[np.argsort(~inside[order], kind="stable")]
    fold = np.empty(len(ids), dtype=np.int64)
    fold[order] = np.arange(len(ids)) % folds
    found = fold[unit]
    for one in range(folds):
        others = member[found != one]
        if not others.any() or others.all():
            raise UnresolvableError(
                f"attack_accuracy: {inside.sum()} of {len(ids)} groups hold members, too few of a "
                f"side to learn a threshold in {folds} folds; give at least 2 of each, or leave "
                "the accuracy out"
            )
    return found


def _folds(place: Int[np.ndarray, "n"], member: Member, fold: Int[np.ndarray, "n"]) -> list[_Fold]:
    shape = len(place), int(place.max()) + 1

    def where(chosen: Bool[np.ndarray, "n"]) -> csr_array:
        rows = np.flatnonzero(chosen)
        return csr_array((np.ones(len(rows), np.float32), (rows, place[rows])), shape=shape)

    return [
        _Fold(
            *(where(side & own) for own in (fold != one, fold == one) for side in (member, ~member))
        )
        for one in np.unique(fold)
    ]


def _rates(
    parts: list[_Fold], weights: Float[np.ndarray, "b n"]
) -> tuple[Float[np.ndarray, "b"], Float[np.ndarray, "b"]]:
    """Shares of members flagged, and of others not, of each sample."""
    totals = np.zeros((4, len(weights)))
    for part in parts:
        learnt = weights @ part.learnt_members, weights @ part.learnt_others
        cut = _gains(*learnt).argmax(axis=1)
        for row, side in enumerate((part.judged_members, part.judged_others)):
            counts = weights @ side
            flagged = np.arange(counts.shape[1]) < cut[:, None]
            totals[row] += np.where(flagged, counts, 0).sum(axis=1)
            totals[row + 2] += counts.sum(axis=1)
    return totals[0] / totals[2], 1 - totals[1] / totals[3]


def _gains(
    members: Float[np.ndarray, "b g"], others: Float[np.ndarray, "b g"]
) -> Float[np.ndarray, "b k"]:
    """True less false-positive rate if none, the largest, the two largest, ... are flagged."""
    gained = [
        np.cumsum(side, axis=1, dtype=np.float64) / np.maximum(side.sum(axis=1, keepdims=True), 1)
        for side in (members, others)
    ]
    # Rates that are equal but for rounding are equal: the first of them is to be found.
    return np.pad(np.round(gained[0] - gained[1], 12), ((0, 0), (1, 0)))


def _resampled(
    parts: list[_Fold], member: Member, group: Groups, times: int, seed: int
) -> Float[np.ndarray, "b"]:
    rng, draw = generator(seed, "attack accuracy"), resampler(member, group)
    rows = max(1, CELLS_AT_ONCE // len(member))
    found = []
    for start in range(0, times, rows):
        true, spared = _rates(parts, draw(min(rows, times - start), rng))
        found.append((true + spared) / 2)
    return np.concatenate(found)


def _exact(
    rates: tuple[float, float], member: Member, group: Groups, level: float
) -> tuple[float, float]:
    """Ends of the mean of two shares: arms of either, which keep their length at 0 and 1."""
    below, above = [], []
    for rate, side in zip(rates, (member, ~member), strict=True):
        size = int(side.sum())
        one = clopper_pearson(round(rate * size), size, worth=independent(group[side]), level=level)
        below.append(one.value - one.low)
        above.append(one.high - one.value)
    value = sum(rates) / 2
    return max(0.0, value - hypot(*below) / 2), min(1.0, value + hypot(*above) / 2)
