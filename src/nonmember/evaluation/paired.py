"""Two models, or a defense and none, on the same records: the difference and whether it is one.

Both models are given the same bootstrap samples, so that what a sample of records does to both
of them is no difference. Differences are the second less the first: negative where the second
leaks less.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from scipy.stats import t as student

from nonmember.data.split import Split
from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import Replicates, auc, bootstrap, tpr_at_fpr
from nonmember.types import Groups, Member, Scores

SMALLEST = 1e-12  # p-value that stands for any smaller one
NEAREST = 0.01  # normal quantile of a p-value that stands for any larger one
PRECISE = 1e-3  # normal quantiles within which a p-value is sought
FEW_ALARMS = 10  # expected: with fewer, samples do not tell how two thresholds go together

Flags = Bool[np.ndarray, "n"]
Values = Float[np.ndarray, "k"]
Sampled = Float[np.ndarray, "b"]
Ends = Callable[[float], tuple[float, float]]
"""The ends of an interval at a level."""


@dataclass(frozen=True)
class Difference:
    """A figure of two models, and how much larger the second one's is.

    ``p_value``: of no difference, two-sided; the smallest level of significance at which the
    interval of ``change`` excludes 0, and at least 1e-12. ``simultaneous`` is the change again, at
    the level that holds for all comparisons at once.
    """

    first: Interval
    second: Interval
    change: Interval
    simultaneous: Interval
    p_value: float


@dataclass(frozen=True)
class Pair:
    """Two models' scores of the same records, none NaN, and what the same samples make of them."""

    scores: tuple[Scores, Scores]
    member: Member
    samples: tuple[Replicates, Replicates]

    @property
    def worth(self) -> tuple[int, int]:
        """How many independent members, and non-members, the records amount to at least."""
        return self.samples[0].worth


@dataclass(frozen=True)
class Discordance:
    """How many records one model flags and the other does not, and how unlikely by chance.

    ``first_only`` and ``second_only`` count records, ``units`` the groups that side with either
    model; ``p_value`` is two-sided, of both being as likely.
    """

    first_only: int
    second_only: int
    records: int
    units: int
    p_value: float


def paired(
    first_scores: Scores,
    second_scores: Scores,
    member: Member,
    group: Groups,
    *,
    fprs: Sequence[float] = (),
    times: int = 2000,
    seed: int = 0,
) -> Pair:
    """Both models' scores, and their figures in the same bootstrap samples.

    Args:
        first_scores: of one model, larger = likelier member, none NaN.
        second_scores: of the other about the same records.
        member: the truth.
        group: whose the records are; those of one group are drawn together.
        fprs: false-positive rates at which they will be compared.
        times: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        DataError: only one side is present, or a group is on both.
        UnresolvableError: a score is NaN.
    """
    Split(member, group)  # refuses what cannot be one
    lost = int((np.isnan(first_scores) | np.isnan(second_scores)).sum())
    if lost:
        raise UnresolvableError(
            f"paired: {lost} records have no score by one of the models; leave them out of both"
        )
    first, second = (
        bootstrap(one, member, group, fprs=fprs, times=times, seed=seed)
        for one in (first_scores, second_scores)
    )
    return Pair((first_scores, second_scores), member, (first, second))


def auc_difference(
    both: Pair, *, level: float = 0.95, together: float | None = None, wider: float = 1.0
) -> Difference:
    """How much larger the area under the second model's ROC curve is.

    The interval is the wider, on each side, of Student's with the spread of the bootstrap's
    differences, and of the one made of the two areas' own intervals and their correlation over
    the samples (Zou 2007), which keeps its width where neither area varies.

    Args:
        both: the models' scores.
        level: of the interval.
        together: of the simultaneous interval; ``level`` if not given.
        wider: how many times as long the interval's arms are, of scores that were cross-fitted.
    """

    def figure(which: int, level: float) -> Interval:
        return auc(both.scores[which], both.member, both.samples[which], level=level)

    first, second = (one.auc for one in both.samples)
    return _difference(
        figure, (first, second), both.worth, _correlation(first, second), (level, together, wider)
    )


def tpr_difference(
    both: Pair,
    fpr: float,
    *,
    level: float = 0.95,
    together: float | None = None,
    wider: float = 1.0,
) -> Difference:
    """How much larger the second model's true-positive rate is, either at its own threshold.

    Like ``auc_difference``; both thresholds are derived anew in each sample. With fewer than
    ten expected independent false alarms samples do not tell how the two go together, and a
    positive correlation is not relied on.

    Args:
        both: the models' scores, with samples at ``fpr``.
        fpr: the false-positive rate, of both.
        level: of the interval.
        together: of the simultaneous interval; ``level`` if not given.
        wider: as for ``auc_difference``.

    Raises:
        UnresolvableError: fewer than ``1 / fpr`` non-members, or fpr outside (0, 1).
    """

    def figure(which: int, level: float) -> Interval:
        scores, drawn = both.scores[which], both.samples[which]
        return tpr_at_fpr(scores, both.member, drawn, fpr=fpr, level=level).tpr

    first, second = (one.tpr[fpr] for one in both.samples)
    most = 1.0 if both.worth[1] * fpr >= FEW_ALARMS else 0.0
    correlated = min(_correlation(first, second), most)
    return _difference(figure, (first, second), both.worth, correlated, (level, together, wider))


def unpaired(first: Interval, second: Interval, *, correlated: float = 0.0) -> Interval:
    """How much larger ``second`` is, as for independent estimates (Newcombe 1998, method 10).

    Of estimates from the same records it is too wide where these go together, as they mostly do.

    Args:
        first: one estimate.
        second: the other, of the same level.
        correlated: -1 adds the arms of both, which holds however the two go together (Zou 2007).
    """
    value, (below, above) = second.value - first.value, _arms(first, second, correlated)
    return Interval(value - below, value, value + above, second.level)


def mcnemar(first_flags: Flags, second_flags: Flags, group: Groups | None = None) -> Discordance:
    """Exact test of whether two models flag the same records as often (McNemar 1947).

    For the flags of one side, members or non-members, at thresholds that were fixed without
    them. With groups each group counts once, for the model that flags more of its records.

    Args:
        first_flags: of one model, (n,).
        second_flags: of the other about the same records.
        group: whose the records are; None: each is its own.

    Raises:
        DataError: there are no records.
    """
    if not len(first_flags):
        raise DataError("mcnemar: there are no flags; give those of at least one record")
    lean = second_flags.astype(int) - first_flags.astype(int)
    _, unit = np.unique(np.arange(len(lean)) if group is None else group, return_inverse=True)
    sides = np.sign(np.bincount(unit, weights=lean))
    more, less = int((sides > 0).sum()), int((sides < 0).sum())
    p = float(binomtest(more, more + less).pvalue) if more + less else 1.0
    first_only, second_only = int((lean < 0).sum()), int((lean > 0).sum())
    return Discordance(first_only, second_only, len(lean), more + less, p)


def holm(p_values: Values, among: int | None = None) -> Values:
    """P-values that hold for all of these tests at once, in the same order (Holm 1979).

    Where they were picked from more tests, whatever they were picked by, ``among`` is how many
    there were: the others' p-values could only make these smaller.

    Raises:
        DataError: one of them is no probability.
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise DataError("holm: a p-value is NaN or outside 0 to 1; leave out what was not tested")
    order = np.argsort(p_values, kind="stable")
    tests = max(len(p_values), among or 0)
    steps = p_values[order] * (tests - np.arange(len(p_values)))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def inverted(ends: Ends, null: float) -> float:
    """The p-value of ``null``: the smallest 1 - level whose interval excludes it.

    To within a hundredth of itself, and at least 1e-12; found on the scale of normal quantiles,
    in which the ends of most intervals are nearly straight lines.
    """

    def outside(quantile: float) -> float:
        low, high = ends(float(1 - 2 * norm.sf(quantile)))
        return max(low - null, null - high)

    farthest = float(norm.isf(SMALLEST / 2))
    if outside(NEAREST) <= 0:
        return 1.0
    if outside(farthest) > 0:
        return SMALLEST
    return float(2 * norm.sf(brentq(outside, NEAREST, farthest, xtol=PRECISE)))


def _difference(
    figure: Callable[[int, float], Interval],
    sampled: tuple[Sampled, Sampled],
    worth: tuple[int, int],
    correlated: float,
    asked: tuple[float, float | None, float],
) -> Difference:
    level, together, wider = asked
    first, second = figure(0, level), figure(1, level)
    value, error = second.value - first.value, float((sampled[1] - sampled[0]).std())

    def ends(level: float) -> tuple[float, float]:
        reach = float(student.ppf((1 + level) / 2, max(1, min(worth) - 1)) * error)
        below, above = _arms(figure(0, level), figure(1, level), correlated)
        below, above = (wider * max(arm, reach) for arm in (below, above))
        return max(-1.0, value - below), min(1.0, value + above)

    change, simultaneous = (
        Interval(low, value, high, one)
        for one in (level, level if together is None else together)
        for low, high in (ends(one),)
    )
    return Difference(first, second, change, simultaneous, inverted(ends, 0.0))


def _correlation(first: Sampled, second: Sampled) -> float:
    """0 where one of them does not vary: then nothing is known of it."""
    if not (np.ptp(first) and np.ptp(second)):  # the deviation of equal numbers may be 1e-16
        return 0.0
    product = float(((first - first.mean()) * (second - second.mean())).mean())
    return product / float(first.std() * second.std())


def _arms(first: Interval, second: Interval, correlated: float) -> tuple[float, float]:
    """How far a difference reaches, from the arms of either interval (Zou 2007)."""

    def arm(one: float, other: float) -> float:
        return sqrt(max(0.0, one**2 + other**2 - 2 * correlated * one * other))

    return (
        arm(second.value - second.low, first.high - first.value),
        arm(second.high - second.value, first.value - first.low),
    )
