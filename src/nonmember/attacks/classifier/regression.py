"""What regression on known non-members expects of a number, given what describes an input.

Linear in features of mean 0 and variance 1, with a penalty on squared coefficients; fitted by
L-BFGS from the ridge solution or the plain quantile, so that the same data give the same fit.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import expit

from nonmember.attacks.classifier.learners import varies
from nonmember.types import Features, Labels, Scores

Known = Float[np.ndarray, "z"]
KnownRows = Float[np.ndarray, "z d"]
Design = Float[np.ndarray, "r p"]
"""Standardised features of r records, and a column of 1, the last."""

Values = Float[np.ndarray, "r"]
Weights = Float[np.ndarray, "p"]
Levels = Float[np.ndarray, "l"]

WIDEST = 5.0  # log of a deviation, either way, in deviations of the whole population
SMOOTH = 0.02  # width, in the same unit, over which the pinball loss turns
RAREST = 1e-4  # share of non-members above the highest level
STEPS = {"maxiter": 1000, "maxcor": 20, "ftol": 1e-13, "gtol": 1e-8}


def with_label(features: Features, labels: Labels, classes: int) -> Float[np.ndarray, "n p"]:
    """The features, and one more for each class: 1 for the true one, else 0."""
    return np.concatenate([features, labels[:, None] == np.arange(classes)], axis=1, dtype=float)


def deviations_above(
    known_features: KnownRows, known: Known, features: Features, own: Scores, penalty: float
) -> Scores:
    """How many standard deviations each number is above what is expected of its input.

    The mean and the logarithm of the deviation are linear, fitted together by likelihood. NaN
    where a feature is, or the known numbers are all alike. Both to 1e-9 of the largest number:
    a feature that is all alike in the population is left out.

    Args:
        known_features: numbers that describe z non-members, (z d); those with NaN are left out.
        known: what is regressed on them, (z,).
        features: of the candidates, (n d).
        own: the candidates' number, (n,).
        penalty: weight of squared coefficients against the sum of log-likelihoods.
    """
    rows, target, inputs, wanted = _standard(known_features, known, features, own)
    if len(target) < 2:
        return np.full(len(own), np.nan)
    weights = _fitted_gaussian(rows, target, penalty)
    return (wanted - inputs @ weights[0]) * np.exp(-_log_deviation(inputs, weights[1]))


def level_exceeded(
    known_features: KnownRows,
    known: Known,
    features: Features,
    own: Scores,
    penalty: float,
    count: int,
) -> Scores:
    """The highest quantile level that each number exceeds, 0 to 1; linear between two levels.

    0 under the lowest, 1/z; the highest is 1 - 1/z, or 0.9999, and nothing exceeds more.
    Quantiles of a candidate that cross are sorted. Arguments as above, and NaN as there;
    ``count`` is the number of levels.
    """
    rows, target, inputs, wanted = _standard(known_features, known, features, own)
    if len(target) < 3:
        return np.full(len(own), np.nan)
    levels = 1 - np.geomspace(1 - 1 / len(target), max(RAREST, 1 / len(target)), count)
    fitted = _fitted_quantiles(rows, target, levels, penalty)
    return _interpolated(wanted, np.sort(inputs @ fitted, axis=1), levels)


def _standard(
    known_features: KnownRows, known: Known, features: Features, own: Scores
) -> tuple[Design, Values, Float[np.ndarray, "n p"], Scores]:
    """All of it in deviations of the known from their mean, those that have their features.

    Features that the known all share are dropped; no known are left where they are all alike.
    """
    there = ~np.isnan(known_features).any(axis=1)
    rows, values = known_features[there], known[there]
    if not len(values) or not varies(values[:, None]).all():
        return rows[:0], values[:0], features, own
    kept = varies(rows)
    centre, spread = rows[:, kept].mean(axis=0), rows[:, kept].std(axis=0)
    inside, outside = (
        np.pad((one[:, kept] - centre) / spread, ((0, 0), (0, 1)), constant_values=1.0)
        for one in (rows, features)
    )
    outside[np.isnan(features).any(axis=1)] = np.nan  # whichever feature it is that lacks
    middle, scale = values.mean(), values.std()
    return inside, (values - middle) / scale, outside, (own - middle) / scale


def _log_deviation(rows: Design, weights: Weights) -> Values:
    return np.clip(rows @ weights, -WIDEST, WIDEST)


def _fitted_gaussian(rows: Design, values: Values, penalty: float) -> Float[np.ndarray, "2 p"]:
    """Weights of the mean and of the log-deviation, the intercepts unpenalised."""
    weight = _penalties(rows, penalty)
    start = np.zeros((2, rows.shape[1]))
    start[0] = np.linalg.solve(rows.T @ rows + np.diag(weight), rows.T @ values)
    start[1, -1] = np.log(max(np.std(values - rows @ start[0]), np.exp(-WIDEST)))

    def cost(flat: Weights) -> tuple[float, Weights]:
        weights = flat.reshape(start.shape)
        plain = rows @ weights[1]
        log_deviation = np.clip(plain, -WIDEST, WIDEST)
        away = (values - rows @ weights[0]) * np.exp(-log_deviation)
        to_mean = -away * np.exp(-log_deviation)
        to_deviation = np.where(plain == log_deviation, 1 - away**2, 0.0)
        slope = np.stack([to_mean, to_deviation]) @ rows + weight * weights
        value = (log_deviation + away**2 / 2).sum() + (weight * weights**2).sum() / 2
        return float(value) / len(values), slope.ravel() / len(values)

    return _least(cost, start.ravel()).reshape(start.shape)


def _fitted_quantiles(
    rows: Design, values: Values, levels: Levels, penalty: float
) -> Float[np.ndarray, "p l"]:
    """Weights of each level's quantile, level by level, each begun where the last one ended."""
    weight = _penalties(rows, penalty)
    found = np.zeros((rows.shape[1], len(levels)))
    weights = np.zeros(rows.shape[1])
    for place, level in enumerate(levels.tolist()):
        weights[-1] += np.quantile(values - rows @ weights, level)

        def cost(weights: Weights, level: float = level) -> tuple[float, Weights]:
            away = values - rows @ weights
            turned = np.logaddexp(0.0, -away / SMOOTH)
            slope = (expit(-away / SMOOTH) - level) @ rows + weight * weights
            value = (level * away + SMOOTH * turned).sum() + (weight * weights**2).sum() / 2
            return float(value) / len(values), slope / len(values)

        weights = _least(cost, weights)
        found[:, place] = weights
    return found


def _penalties(rows: Design, penalty: float) -> Weights:
    """That of each coefficient; none of the last, which is the intercept."""
    return np.r_[np.full(rows.shape[1] - 1, penalty), 0.0]


def _least(cost: Callable[[Weights], tuple[float, Weights]], start: Weights) -> Weights:
    return minimize(cost, start, jac=True, method="L-BFGS-B", options=STEPS).x


def _interpolated(own: Scores, quantiles: Float[np.ndarray, "n l"], levels: Levels) -> Scores:
    """The level at which each number stands among the quantiles of its row."""
    exceeded = (own[:, None] >= quantiles).sum(axis=1)
    low, high = np.clip(exceeded - 1, 0, None), np.minimum(exceeded, len(levels) - 1)
    rows = np.arange(len(own))
    bottom, top = quantiles[rows, low], quantiles[rows, high]
    share = np.divide(own - bottom, top - bottom, out=np.zeros(len(own)), where=top > bottom)
    found = levels[low] + share * (levels[high] - levels[low])
    found = np.where(exceeded == 0, 0.0, found)
    return np.where(np.isnan(quantiles).any(axis=1), np.nan, found)
