"""Confidence intervals for proportions, means and the area under the ROC curve."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, logit
from scipy.stats import norm
from scipy.stats import t as student

from nonmember.types import Groups, Member

SYMMETRIC = 1e-6  # skewness below which no correction is seen, nor computed without loss


@dataclass(frozen=True)
class Interval:
    """An estimate between its two ends; ``level`` is the share of such intervals that cover."""

    low: float
    value: float
    high: float
    level: float

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside the closed interval."""
        return not self.low <= value <= self.high

    def widened(self, factor: float) -> "Interval":
        """The interval of a share, its arms ``factor`` times as long but within 0 and 1."""
        low = max(0.0, self.value - factor * (self.value - self.low))
        high = min(1.0, self.value + factor * (self.high - self.value))
        return Interval(low, self.value, high, self.level)


def resolvable(fpr: float, non_members: int) -> bool:
    """Whether ``fpr`` of so many is one or more; 1/49 of 49 is, whatever floating point says."""
    return non_members * fpr >= 1 - 1e-9


def simultaneous(level: float, tests: int) -> float:
    """The level each of ``tests`` intervals needs so that all cover at once (Bonferroni)."""
    return 1 - (1 - level) / max(1, tests)


def cross_fitting_spread(folds: int) -> float:
    """How much wider an interval of cross-fitted scores must be than one of given scores.

    Folds share most of what they were fitted to, so their errors go together (Nadeau and
    Bengio 2003): the variance grows by 1 + folds / (folds - 1), which is on the safe side.
    """
    return float(np.sqrt(1 + folds / (folds - 1)))


def clopper_pearson(
    hits: int, trials: int, *, worth: int | None = None, level: float = 0.95
) -> Interval:
    """Exact binomial interval for ``hits / trials`` (Clopper and Pearson 1934).

    Trials that are not independent count as ``worth`` trials with the same share of hits,
    rounded outwards.
    """
    tail, size = (1 - level) / 2, trials if worth is None else worth
    fewest, most = hits * size // trials, -(-hits * size // trials)
    low = 0.0 if fewest == 0 else float(betaincinv(fewest, size - fewest + 1, tail))
    high = 1.0 if most == size else float(betaincinv(most + 1, size - most, 1 - tail))
    return Interval(low, hits / trials, high, level)


def newcombe(auc: float, members: int, non_members: int, *, level: float = 0.95) -> Interval:
    """Score interval for an AUC, never of zero width (Newcombe 2006, method 5)."""
    z = float(norm.ppf((1 + level) / 2))
    half = (members + non_members) / 2 - 1

    def distance(theta: float) -> float:
        spread = 1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(auc - theta) - z * sqrt(theta * (1 - theta) * spread / (members * non_members))

    edge = 1e-12  # an estimate of 0 or 1 is a root itself, and not the end that is sought
    low = 0.0 if auc <= 0 else brentq(distance, 0.0, min(auc, 1 - edge))
    high = 1.0 if auc >= 1 else brentq(distance, max(auc, edge), 1.0)
    return Interval(float(low), auc, float(high), level)


def logit_interval(
    value: float, error: float, units: int, *, level: float = 0.95
) -> tuple[float, float]:
    """Ends of a share strictly between 0 and 1, from its standard error.

    On the scale of log odds, on which a share has no bounds and is nearly normal; Student's
    quantile of ``units`` independent draws, as the error itself is estimated.
    """
    reach = student.ppf((1 + level) / 2, max(1, units - 1)) * error / (value * (1 - value))
    low, high = expit(logit(value) + reach * np.array([-1, 1]))
    return float(low), float(high)


def mean_interval(
    values: Float[np.ndarray, "n"], group: Groups, *, level: float = 0.95
) -> Interval:
    """Interval for a mean, skewed or not; records of one group count as one draw.

    Student's t with Hall's (1992) correction for skewness: of losses, few are large and carry the
    mean, and Student's own interval is too low. What no record shows it cannot know of.
    """
    _, unit = np.unique(group, return_inverse=True)
    centre, units = float(values.mean()), int(unit.max()) + 1
    if units < 2:
        return Interval(-np.inf, centre, np.inf, level)
    sums = np.bincount(unit, weights=values - centre)
    spread = float(np.sqrt(np.square(sums).mean()))
    if not spread:
        return Interval(centre, centre, centre, level)
    skewness = float(((sums / spread) ** 3).mean())
    tail = student.ppf((1 + level) / 2, units - 1) * np.array([1, -1]) / np.sqrt(units)
    scale = spread * np.sqrt(units / (units - 1)) * units / len(values)
    low, high = centre - scale * _unskewed(tail, skewness, units)
    return Interval(float(low), centre, float(high), level)


def _unskewed(tail: Float[np.ndarray, "2"], skewness: float, units: int) -> Float[np.ndarray, "2"]:
    """Quantiles of a studentised mean over the root of its units, from those of no skewness.

    The inverse of Hall's (1992) cubic, which takes the first to the second.
    """
    if abs(skewness) < SYMMETRIC:
        return tail
    inner = 1 + skewness * (tail - skewness / (6 * units))
    return 3 * (np.cbrt(inner) - 1) / skewness


def null_standard_error(members: int, non_members: int) -> float:
    """Standard error of the AUC of scores that know nothing."""
    return float(np.sqrt((members + non_members + 1) / (12 * members * non_members)))


def detectable_auc(
    members: int, non_members: int, *, level: float = 0.95, power: float = 0.8
) -> float:
    """The smallest AUC whose interval at ``level`` would exclude 0.5 with probability ``power``."""
    reach = norm.ppf((1 + level) / 2) + norm.ppf(power)
    return float(min(1.0, 0.5 + reach * null_standard_error(members, non_members)))


def independent(group: Groups) -> int:
    """How many independent records these are worth at least (Kish 1965).

    As many as there are records if each is its own group; as many as there are groups if
    those are equally large, and fewer if not: the records of one group may all say the same.
    """
    _, sizes = np.unique(group, return_counts=True)
    return int(sizes.sum() ** 2 // (sizes**2).sum())


def resampler(
    member: Member, group: Groups
) -> Callable[[int, np.random.Generator], Float[np.ndarray, "b n"]]:
    """What draws so many bootstrap samples: how often each record is in each of them.

    Members and non-members are resampled apart; records of one group are drawn together.
    """
    sides = [
        (side, np.unique(group[side], return_inverse=True)[1])
        for side in map(np.flatnonzero, (member, ~member))
    ]

    def draw(times: int, rng: np.random.Generator) -> Float[np.ndarray, "b n"]:
        weights = np.zeros((times, len(member)), dtype=np.float32)
        for side, unit in sides:
            units = int(unit.max()) + 1
            cells = rng.integers(units, size=(times, units)) + units * np.arange(times)[:, None]
            drawn = np.bincount(cells.ravel(), minlength=times * units).reshape(times, units)
            weights[:, side] = drawn[:, unit]
        return weights

    return draw
