"""Audit of f-differential privacy in one run (Mahloujifar, Melis and Chaudhuri 2024, 2410.22235).

A trade-off curve f says more than one pair of epsilon and delta. Of r guesses let p_i be the
chance that exactly i are right. Flipping the coin of a canary that was guessed right makes that
guess wrong; averaged over the m canaries, f-DP gives for every c

    sum_{i>c} i p_i / m  <=  1 - f( sum_{i>=c} (r - i) p_i / m ),

so a heavy tail of p needs more and more mass below it; if more than there is, f is refuted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.optimize import bisect
from scipy.special import log_ndtr, ndtr, ndtri

from nonmember.errors import SpecError
from nonmember.evaluation.epsilon import Bound, refuse_options
from nonmember.evaluation.one_run import guess_counts, refuse_guesses, valid

CANDIDATES = 33  # curves that are tried together
ROUNDS = 6  # in which the step between them shrinks 32-fold
WEAKEST = 64.0  # the weakest candidate: mu, or epsilon

Values = Float[np.ndarray, "q"]
Name = Literal["gaussian", "approximate"]


@dataclass(frozen=True)
class Family:
    """Trade-off curves of one shape, less private as their parameter grows.

    ``least(y, parameter, delta)`` is the smallest x with 1 - f(x) >= y.
    """

    told: str
    least: Callable[[Values, Values, float], Values]
    epsilon: Callable[[float, float], float]


def _gaussian_least(y: Values, mu: Values, _delta: float) -> Values:
    return ndtr(ndtri(y) - mu)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The epsilon of mu-Gaussian privacy at ``delta`` above 0 (Dong, Roth and Su 2022, 2.13)."""

    def spare(epsilon: float) -> float:
        lost = np.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2))
        return float(ndtr(-epsilon / mu + mu / 2) - lost - delta)

    if mu <= 0 or spare(0.0) <= 0:
        return 0.0
    most = mu**2 / 2 - mu * float(ndtri(delta))  # where the first of the two terms is delta
    return float(bisect(spare, 0.0, most, xtol=1e-9))


def _approximate_least(y: Values, epsilon: Values, delta: float) -> Values:
    steep, flat = np.exp(-epsilon) * (y - delta), 1 - delta - np.exp(epsilon) * (1 - y)
    return np.maximum(0.0, np.maximum(steep, flat))


FAMILIES: dict[Name, Family] = {
    "gaussian": Family(
        "one run, f-DP, if the curve is Gaussian", _gaussian_least, gaussian_epsilon
    ),
    "approximate": Family("one run, f-DP", _approximate_least, lambda epsilon, _delta: epsilon),
}


def one_run_f_dp(
    correct: int,
    made: int,
    canaries: int,
    *,
    curve: Name = "gaussian",
    coins: bool = False,
    delta: float = 1e-5,
    level: float = 0.95,
) -> Bound:
    """The epsilon at ``delta`` of the least private curve that so many correct guesses refute.

    Args:
        correct: guesses that were right.
        made: guesses that were made, a number fixed before any score was seen.
        canaries: how many could have been guessed at.
        curve: "gaussian" refutes mu-Gaussian curves only, which DP-SGD's are nearly: a model
            may meet the bound's epsilon at this one delta by a curve of another shape.
            "approximate" refutes (epsilon, delta)-privacy itself.
        coins: whether each canary was included independently with probability 1/2, by us.
        delta: at which epsilon is given; above 0 with "gaussian".
        level: confidence that the curve is not more private than the bound's.

    Raises:
        DataError: the counts cannot be.
        SpecError: delta or level is impossible.
    """
    refuse_options("one_run_f_dp", delta, level)
    refuse_guesses("one_run_f_dp", correct, made, canaries)
    if curve == "gaussian" and delta == 0:
        raise SpecError("one_run_f_dp: no Gaussian curve has an epsilon at delta 0; give 1e-5")
    family = FAMILIES[curve]
    refuted = _largest_refuted(family, (correct, made, canaries), delta, 1 - level)
    counts = guess_counts(correct, made, canaries)
    return Bound(family.epsilon(refuted, delta), level, family.told, delta, counts, valid(coins))


def _largest_refuted(
    family: Family, counts: tuple[int, int, int], delta: float, error: float
) -> float:
    """The parameter of the least private curve that is refuted; 0 if none is."""
    low, high = 0.0, WEAKEST
    for _ in range(ROUNDS):
        tried = np.linspace(low, high, CANDIDATES)
        refuted = _needed(family, tried, counts, delta, error) > counts[1] / counts[2]
        first_standing = int(np.argmin(refuted))
        if first_standing == 0:
            return 0.0
        low, high = float(tried[first_standing - 1]), float(tried[first_standing])
    return low


def _needed(
    family: Family, tried: Values, counts: tuple[int, int, int], delta: float, error: float
) -> Values:
    """The least r / m of a mechanism with curve f, if ``correct`` or more arrive with ``error``.

    ``right`` and ``wrong`` are the sums of i p_i / m and (r - i) p_i / m over the tail so far; all
    of its chance at ``correct`` itself asks for the least below it.
    """
    correct, made, canaries = counts
    right = np.full(len(tried), error * correct / canaries)
    wrong = np.full(len(tried), error * (made - correct) / canaries)
    for i in range(correct - 1, -1, -1):
        more = np.maximum(wrong, family.least(np.minimum(right, 1.0), tried, delta))
        right += i / (made - i) * (more - wrong)
        wrong = more
    return right + wrong
