"""ROC quantities from scores and the truth, each with its count and its interval.

Rules: ties count half in the AUC; a threshold is never interpolated; the interval of a
true-positive rate includes what is not known about its threshold; where records come in
groups, an exact interval counts what they are worth if a group says one thing only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_array
from scipy.stats import binom

from nonmember.errors import UnresolvableError
from nonmember.evaluation.intervals import (
    Interval,
    clopper_pearson,
    independent,
    logit_interval,
    newcombe,
    resampler,
    resolvable,
)
from nonmember.seeds import generator
from nonmember.types import Groups, Member, Scores

SIGNIFICANT_BITS = 31
CELLS_AT_ONCE = 2_000_000
LEAST_BEYOND = 10  # replicates beyond either end of an interval, if it is to be theirs
POINTS = 2_000  # of a curve that is kept: more would not be seen


@dataclass(frozen=True)
class TprAtFpr:
    """Share of members found while at most ``fpr`` of non-members are flagged.

    ``simultaneous`` is the interval at the level that holds for all claims at once.
    """

    fpr: float
    tpr: Interval
    simultaneous: Interval
    measured_fpr: Interval
    members: int
    non_members: int


@dataclass(frozen=True)
class Curve:
    """The ROC curve from (0, 0) to (1, 1), a point per distinct score, or ``POINTS`` of them."""

    fpr: tuple[float, ...]
    tpr: tuple[float, ...]


@dataclass(frozen=True)
class Tally:
    """Weighted counts of members and non-members per distinct score, largest score first."""

    members: Float[np.ndarray, "b g"]
    non_members: Float[np.ndarray, "b g"]

    def auc(self) -> Float[np.ndarray, "b"]:
        """Probability that a member outscores a non-member, ties counted half."""
        from_above = np.cumsum(self.members, axis=1)
        wins = (self.non_members * (from_above - self.members / 2)).sum(axis=1)
        return wins / (self.members.sum(axis=1) * self.non_members.sum(axis=1))

    def allowed(self, fpr: float) -> Float[np.ndarray, "b"]:
        """Whole false alarms within ``fpr``; 0.29 of 100 is 29, whatever floating point says."""
        return np.floor(fpr * self.non_members.sum(axis=1) + 1e-9)

    def flagged(self, fpr: float) -> Bool[np.ndarray, "b g"]:
        """Which scores lie strictly above the threshold that flags at most ``fpr``."""
        return np.cumsum(self.non_members, axis=1) <= self.allowed(fpr)[:, None]

    def tpr_at(self, fpr: float) -> Float[np.ndarray, "b"]:
        """Share of members flagged at ``fpr``."""
        found = np.where(self.flagged(fpr), self.members, 0)
        return found.sum(axis=1) / self.members.sum(axis=1)


def tied(scores: Scores) -> Int[np.ndarray, "n"]:
    """The place of each score among the distinct ones, 0 for the largest.

    Scores that agree to nine significant digits are equal: arithmetic noise breaks no tie.
    They are rounded in binary, where no power of ten, no tiny and no infinite score is special.
    """
    mantissa, exponent = np.frexp(scores.astype(np.float64))
    rounded = np.round(mantissa * 2**SIGNIFICANT_BITS) / 2**SIGNIFICANT_BITS
    _, place = np.unique(-np.ldexp(rounded, exponent), return_inverse=True)
    return place


def _refuse_unrankable(scores: Scores, member: Member) -> None:
    if np.isnan(scores).any():
        raise UnresolvableError(f"{np.isnan(scores).sum()} scores are NaN; leave them out first")
    if member.all() or not member.any():
        raise UnresolvableError("all candidates are on one side; give members and non-members")


def tally(scores: Scores, member: Member) -> Tally:
    """Count both sides per distinct score, in one row.

    Raises:
        UnresolvableError: only one side is present, or a score is NaN.
    """
    return Tally(*(side.sum(axis=0, dtype=float)[None] for side in _by_score(scores, member)))


def _by_score(scores: Scores, member: Member) -> tuple[csr_array, csr_array]:
    """Which record has which distinct score, largest first: of members, and of the others."""
    _refuse_unrankable(scores, member)
    place = tied(scores)
    shape = len(place), int(place.max()) + 1
    inside, outside = (
        csr_array((np.ones(len(own)), (own, place[own])), shape=shape)
        for own in map(np.flatnonzero, (member, ~member))
    )
    return inside, outside


def curve(scores: Scores, member: Member) -> Curve:
    """The ROC curve of ``scores``; of a long one, points spread evenly and evenly in log rank."""
    counts = tally(scores, member)
    rates = (np.cumsum(side[0]) / side.sum() for side in (counts.non_members, counts.members))
    fpr, tpr = (np.concatenate([[0.0], rate]) for rate in rates)
    last = len(fpr) - 1
    kept = np.arange(last + 1)
    if last >= POINTS:
        evenly = np.linspace(0, last, POINTS // 2)
        kept = np.unique(np.concatenate([evenly, np.geomspace(1, last, POINTS // 2)]).astype(int))
    return Curve(tuple(fpr[kept].tolist()), tuple(tpr[kept].tolist()))


@dataclass(frozen=True)
class Replicates:
    """The figures of bootstrap samples, one per sample.

    ``worth``: how many independent members, and non-members, the records amount to at least.
    """

    auc: Float[np.ndarray, "b"]
    tpr: Mapping[float, Float[np.ndarray, "b"]]
    worth: tuple[int, int]

    def resolve(self, level: float) -> bool:
        """Whether they give the ends of an interval of this level, and not chance extremes."""
        return len(self.auc) * (1 - level) / 2 >= LEAST_BEYOND - 1e-9


def bootstrap(
    scores: Scores,
    member: Member,
    group: Groups,
    *,
    fprs: Sequence[float] = (),
    times: int = 2000,
    seed: int = 0,
) -> Replicates:
    """AUC, and TPR at each of ``fprs``, of samples drawn with replacement, groups kept whole.

    Raises:
        UnresolvableError: only one side is present, or a score is NaN.
    """
    sides, draw = _by_score(scores, member), resampler(member, group)
    rng = generator(seed, "bootstrap")
    rows = max(1, CELLS_AT_ONCE // len(scores))
    aucs: list[np.ndarray] = []
    tprs: dict[float, list[np.ndarray]] = {fpr: [] for fpr in fprs}
    for start in range(0, times, rows):
        weights = draw(min(rows, times - start), rng)
        counts = Tally(*(weights @ side for side in sides))
        aucs.append(counts.auc())
        for fpr, found in tprs.items():
            found.append(counts.tpr_at(fpr))
    return Replicates(
        np.concatenate(aucs),
        {fpr: np.concatenate(found) for fpr, found in tprs.items()},
        (independent(group[member]), independent(group[~member])),
    )


def percentile(replicates: Float[np.ndarray, "b"], level: float) -> tuple[float, float]:
    """The central ``level`` of the replicates."""
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def auc(
    scores: Scores, member: Member, replicates: Replicates | None = None, *, level: float = 0.95
) -> Interval:
    """Area under the ROC curve: 0.5 knows nothing, 1 ranks every member first.

    The interval is the wider, on each side, of the bootstrap's (when ``replicates`` are
    given; it follows groups) and Newcombe's (which keeps its width when nothing overlaps;
    it counts groups where the bootstrap, having no width, cannot). The bootstrap's ends are
    quantiles of the replicates; at a level that they do not resolve, as the simultaneous one
    of many claims, they follow from the replicates' spread, normal on the scale of log odds.
    """
    sizes = int(member.sum()), int((~member).sum())
    value = float(tally(scores, member).auc()[0])
    if replicates is None:
        return newcombe(value, *sizes, level=level)
    error = float(replicates.auc.std() if np.ptp(replicates.auc) else 0)  # of equal ones 1e-16
    exact = newcombe(value, *(sizes if error else replicates.worth), level=level)
    if not error:
        return exact
    low, high = (
        percentile(replicates.auc, level)
        if replicates.resolve(level)
        else logit_interval(value, error, min(replicates.worth), level=level)
    )
    return Interval(min(low, exact.low), value, max(high, exact.high), level)


def tpr_at_fpr(
    scores: Scores,
    member: Member,
    replicates: Replicates,
    *,
    fpr: float,
    level: float = 0.95,
    together: float | None = None,
) -> TprAtFpr:
    """True-positive rate at the threshold that flags at most ``fpr`` of the non-members.

    The interval is for the rate at a *true* false-positive rate of ``fpr``. With ten or
    more expected independent false alarms it is the bootstrap's, the threshold derived anew
    in each replicate, and at least Clopper-Pearson's. With fewer, where scores tie at the
    threshold, or at a level that the replicates do not resolve, order statistics bound the
    threshold and Clopper-Pearson the rate: no normal curve has the right tails here.

    Args:
        scores: one per record, none NaN.
        member: the truth.
        replicates: bootstrap samples of the same scores that hold ``fpr``.
        fpr: the false-positive rate asked for.
        level: of the interval.
        together: of the simultaneous interval; ``level`` if not given.

    Raises:
        UnresolvableError: fewer than ``1 / fpr`` non-members, or fpr outside (0, 1).
    """
    counts = tally(scores, member)
    _refuse_unresolvable(counts, fpr)
    alarms = int(counts.non_members[counts.flagged(fpr)].sum())
    members, outsiders = int(member.sum()), int((~member).sum())
    return TprAtFpr(
        fpr,
        _rate(counts, replicates, fpr, level),
        _rate(counts, replicates, fpr, level if together is None else together),
        clopper_pearson(alarms, outsiders, worth=replicates.worth[1], level=level),
        members,
        outsiders,
    )


def _rate(counts: Tally, replicates: Replicates, fpr: float, level: float) -> Interval:
    worth, flagged = replicates.worth, counts.flagged(fpr)
    found, alarms = counts.members[flagged].sum(), counts.non_members[flagged].sum()
    low, high = (
        percentile(replicates.tpr[fpr], level)
        if worth[1] * fpr >= 10 and alarms == counts.allowed(fpr)[0] and replicates.resolve(level)
        else _order_statistics(counts, worth, fpr, level)
    )
    exact = clopper_pearson(int(found), int(counts.members.sum()), worth=worth[0], level=level)
    return Interval(min(low, exact.low), exact.value, max(high, exact.high), level)


def _refuse_unresolvable(counts: Tally, fpr: float) -> None:
    if not 0 < fpr < 1:
        raise UnresolvableError(f"tpr_at_fpr: fpr={fpr} is no rate; use a number between 0 and 1")
    if not resolvable(fpr, int(counts.non_members.sum())):
        raise UnresolvableError(
            f"tpr_at_fpr: {counts.non_members.sum():.0f} non-members cannot resolve fpr={fpr}; "
            f"use at least {int(np.ceil(1 / fpr))}, or a larger fpr"
        )


def _order_statistics(
    counts: Tally, worth: tuple[int, int], fpr: float, level: float
) -> tuple[float, float]:
    """Bounds valid for any distribution, ties included.

    The lowest threshold that truly flags at most ``fpr`` lies between two non-members' scores,
    at ranks that bound a binomial count; members strictly above either bound the rate there.
    """
    quarter = (1 - level) / 4
    alarms, found = np.cumsum(counts.non_members[0]), np.cumsum(counts.members[0])
    fewest, most = binom.ppf([quarter, 1 - quarter], worth[1], fpr)
    each = alarms[-1] / worth[1]
    above = (found[alarms < rank * each].max(initial=0) for rank in (fewest, most + 1))
    low, high = (
        clopper_pearson(int(hits), int(found[-1]), worth=worth[0], level=1 - 2 * quarter)
        for hits in above
    )
    return low.low, high.high
