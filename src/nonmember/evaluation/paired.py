"""Two models, or a defense and none, on the same records: the difference and whether it is one.

Both models are given the same bootstrap samples, so that what a sample of records does to both
of them is no difference. Differences are the second less the first: negative where the second
leaks less.
"""

from collections.abc import Callable
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
from nonmember.evaluation.roc import auc, bootstrap, tpr_at_fpr
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
    interval of ``change`` excludes 0, and at least 1e-12.
    """

    first: Interval
    second: Interval
    change: Interval
    p_value: float
    records: int

    def words(self, figure: str) -> str:
        """One sentence in points, with the interval and both values, whatever was found."""
        low, value, high = (
            f"{100 * one:+.1f}" for one in (self.change.low, self.change.value, self.change.high)
        )
        found = f"{figure} {value} points" if self.change.excludes(0.0) else "No difference found"
        return (
            f"{found}: {figure} {100 * self.first.value:.1f} and {100 * self.second.value:.1f}, "
            f"change {value} points, {100 * self.change.level:.4g}% interval {low} to {high}, "
            f"p = {self.p_value:.2g}, {self.records} records"
        )


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


def auc_difference(
    first_scores: Scores,
    second_scores: Scores,
    member: Member,
    group: Groups,
    *,
    level: float = 0.95,
    times: int = 2000,
    seed: int = 0,
) -> Difference:
    """How much larger the area under the second model's ROC curve is.

    The interval is the wider, on each side, of Student's with the spread of the bootstrap's
    differences, and of the one made of the two areas' own intervals and their correlation over
    the samples (Zou 2007), which keeps its width where neither area varies.

    Args:
        first_scores: of one model, larger = likelier member, none NaN.
        second_scores: of the other about the same records.
        member: the truth.
        group: whose the records are; those of one group are drawn together.
        level: of the interval.
        times: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        DataError: only one side is present, or a group is on both.
        UnresolvableError: a score is NaN.
    """
    both = _both(first_scores, second_scores, member, group)
    samples = [bootstrap(one, member, group, times=times, seed=seed) for one in both]

    def figure(which: int, level: float) -> Interval:
        return auc(both[which], member, samples[which], level=level)

    first, second = (one.auc for one in samples)
    return _difference(figure, (first, second), samples[0].worth, level, len(member))


def tpr_difference(
    first_scores: Scores,
    second_scores: Scores,
    member: Member,
    group: Groups,
    *,
    fpr: float,
    level: float = 0.95,
    times: int = 2000,
    seed: int = 0,
) -> Difference:
    """How much larger the second model's true-positive rate is, either at its own threshold.

    Like ``auc_difference``; both thresholds are derived anew in each sample. With fewer than
    ten expected independent false alarms samples do not tell how the two go together, and a
    positive correlation is not relied on.

    Args:
        first_scores: of one model, larger = likelier member, none NaN.
        second_scores: of the other about the same records.
        member: the truth.
        group: whose the records are; those of one group are drawn together.
        fpr: the false-positive rate, of both.
        level: of the interval.
        times: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        DataError: only one side is present, or a group is on both.
        UnresolvableError: fewer than ``1 / fpr`` non-members, fpr outside (0, 1), or a NaN score.
    """
    both = _both(first_scores, second_scores, member, group)
    samples = [bootstrap(one, member, group, fprs=(fpr,), times=times, seed=seed) for one in both]

    def figure(which: int, level: float) -> Interval:
        return tpr_at_fpr(both[which], member, samples[which], fpr=fpr, level=level).tpr

    first, second = (one.tpr[fpr] for one in samples)
    most = 1.0 if samples[0].worth[1] * fpr >= FEW_ALARMS else 0.0
    return _difference(figure, (first, second), samples[0].worth, level, len(member), most)


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


def holm(p_values: Values) -> Values:
    """P-values that hold for all of these tests at once, in the same order (Holm 1979).

    Raises:
        DataError: one of them is no probability.
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise DataError("holm: a p-value is NaN or outside 0 to 1; leave out what was not tested")
    order = np.argsort(p_values, kind="stable")
    steps = p_values[order] * np.arange(len(p_values), 0, -1)
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


def _both(first: Scores, second: Scores, member: Member, group: Groups) -> tuple[Scores, Scores]:
    Split(member, group)  # refuses what cannot be one
    lost = int((np.isnan(first) | np.isnan(second)).sum())
    if lost:
        raise UnresolvableError(
            f"paired: {lost} records have no score by one of the models; leave them out of both"
        )
    return first, second


def _difference(
    figure: Callable[[int, float], Interval],
    sampled: tuple[Sampled, Sampled],
    worth: tuple[int, int],
    level: float,
    records: int,
    most_correlated: float = 1.0,
) -> Difference:
    first, second = figure(0, level), figure(1, level)
    value, error = second.value - first.value, float((sampled[1] - sampled[0]).std())
    together = min(_correlation(*sampled), most_correlated)

    def ends(level: float) -> tuple[float, float]:
        reach = float(student.ppf((1 + level) / 2, max(1, min(worth) - 1)) * error)
        low, high = _of_two(figure(0, level), figure(1, level), together)
        return max(-1.0, min(low, value - reach)), min(1.0, max(high, value + reach))

    low, high = ends(level)
    change = Interval(low, value, high, level)
    return Difference(first, second, change, inverted(ends, 0.0), records)


def _correlation(first: Sampled, second: Sampled) -> float:
    """0 where one of them does not vary: then nothing is known of it."""
    spread = float(first.std() * second.std())
    product = float(((first - first.mean()) * (second - second.mean())).mean())
    return product / spread if spread else 0.0


def _of_two(first: Interval, second: Interval, together: float) -> tuple[float, float]:
    """Ends of a difference from the arms of either interval and their correlation (Zou 2007)."""

    def arm(one: float, other: float) -> float:
        return sqrt(max(0.0, one**2 + other**2 - 2 * together * one * other))

    value = second.value - first.value
    low = value - arm(second.value - second.low, first.high - first.value)
    return low, value + arm(second.high - second.value, first.value - first.low)
