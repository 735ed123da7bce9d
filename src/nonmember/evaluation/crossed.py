"""The mean of many models' AUC on the same records: models and records are both a sample."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata
from scipy.stats import t as student

from nonmember.evaluation.intervals import Interval
from nonmember.types import Groups

AllScores = Float[np.ndarray, "m n"]
AllMember = Bool[np.ndarray, "m n"]


@dataclass(frozen=True)
class MeanAuc:
    """The mean over models with its interval, and the standard deviation over models."""

    mean: Interval
    spread: float


def mean_auc(
    scores: AllScores,
    member: AllMember,
    models: Int[np.ndarray, "m"],
    group: Groups,
    *,
    level: float = 0.95,
) -> MeanAuc:
    """Mean over models of the probability that a member scores above a non-member.

    The variance is that over groups of models and that over groups of records (DeLong's
    components, averaged over models), added: no less than the two together.

    Args:
        scores: of each model about each record, (m n).
        member: who is a member of each model's training set; both kinds in every row.
        models: equal for models that are one draw, such as a pair of complements.
        group: equal for records that are one draw.
        level: of the interval.
    """
    areas, parts = zip(*map(_components, scores, member), strict=True)
    found, away = np.array(areas), np.mean(parts, axis=0)
    value = float(found.mean())
    squares = [
        _clustered((found - value) / len(found), models),
        _clustered(away / len(away), group),
    ]
    units = min(len(np.unique(models)), len(np.unique(group)))
    reach = float(student.ppf((1 + level) / 2, units - 1)) * sqrt(sum(squares))
    mean = Interval(max(0.0, value - reach), value, min(1.0, value + reach), level)
    return MeanAuc(mean, float(found.std(ddof=1)))


def _components(
    scores: Float[np.ndarray, "n"], member: Bool[np.ndarray, "n"]
) -> tuple[float, Float[np.ndarray, "n"]]:
    """The AUC of one model, and how far each record moves it, a mean of 0."""
    inside, outside = int(member.sum()), int((~member).sum())
    ranks, below = rankdata(scores), np.zeros(len(scores))
    below[member] = (ranks[member] - rankdata(scores[member])) / outside
    below[~member] = 1 - (ranks[~member] - rankdata(scores[~member])) / inside
    area = float(below[member].mean())
    share = np.where(member, inside, outside) / len(scores)
    return area, (below - area) / share


def _clustered(values: Float[np.ndarray, "_"], group: Int[np.ndarray, "_"]) -> float:
    """The variance of a sum whose terms of one group go together."""
    _, place = np.unique(group, return_inverse=True)
    sums = np.bincount(place, weights=values)
    return float(np.square(sums).sum()) * len(sums) / (len(sums) - 1)
