"""True-positive rate of many models' scores in one: at low rates one model has too few trials."""

from math import sqrt

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import norm
from scipy.stats import t as student

from nonmember.evaluation.intervals import Interval, resolvable
from nonmember.evaluation.roc import Tally, tied
from nonmember.seeds import generator
from nonmember.types import Groups

TIMES = 400
AT_ONCE = 25


def pooled_tpr(
    scores: Float[np.ndarray, "m n"],
    member: Bool[np.ndarray, "m n"],
    models: Int[np.ndarray, "m"],
    group: Groups,
    *,
    fpr: float,
    level: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """Share of members found while at most ``fpr`` of non-members are flagged, all models in one.

    The interval is the bootstrap's over models and over records at once (Owen 2007), which is
    rather too wide than too narrow, and further by what a bootstrap of so few draws of models
    misses: t in the place of z, and k in that of k - 1. Of a single draw it says nothing: 0 to 1.
    None where so many records, of which each counts once however many models are asked about it,
    cannot carry the rate.

    Args:
        scores: of each model about each record, (m n), raw: models share a scale.
        member: who is a member of each model's training set.
        models: equal for models that are one draw, such as a pair of complements.
        group: equal for records that are one draw.
        fpr: the false-positive rate.
        level: of the interval.
        seed: of the bootstrap.
    """
    records = len(np.unique(group))
    if not resolvable(fpr, records):
        return None
    place, saw = tied(scores.ravel()), member.ravel()
    rng, own = generator(seed, "pooled"), [_units(models), _units(group)]

    def drawn(times: int) -> Float[np.ndarray, "b"]:
        first, second = (rng.multinomial(k, np.full(k, 1 / k), times)[:, unit] for unit, k in own)
        return _rates(place, saw, first[:, :, None] * second[:, None], fpr)

    value = float(_rates(place, saw, np.ones((1, *scores.shape)), fpr)[0])
    if own[0][1] == 1:
        return Interval(0.0, value, 1.0, level)
    found = np.concatenate([drawn(AT_ONCE) for _ in range(TIMES // AT_ONCE)])
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    wider = _wider(own[0][1], level)
    low, high = value - wider * max(value - low, 0), value + wider * max(high - value, 0)
    return Interval(max(float(low), 0.0), value, min(float(high), 1.0), level)


def _wider(draws: int, level: float) -> float:
    """How many times as far as in its bootstrap the mean of so few draws strays."""
    end = (1 + level) / 2
    return float(student.ppf(end, draws - 1) / norm.ppf(end)) * sqrt(draws / (draws - 1))


def _units(names: Int[np.ndarray, "_"]) -> tuple[Int[np.ndarray, "_"], int]:
    """The unit of each, counted from 0, and how many there are."""
    _, place = np.unique(names, return_inverse=True)
    return place, int(place.max()) + 1


def _rates(
    place: Int[np.ndarray, "_"],
    saw: Bool[np.ndarray, "_"],
    weights: Float[np.ndarray, "b m n"] | Int[np.ndarray, "b m n"],
    fpr: float,
) -> Float[np.ndarray, "b"]:
    size, flat = int(place.max()) + 1, weights.reshape(len(weights), -1)
    sides = (
        np.stack([np.bincount(place[side], row[side], size) for row in flat])
        for side in (saw, ~saw)
    )
    return Tally(*sides).tpr_at(fpr)
