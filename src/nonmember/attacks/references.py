"""What reference models say of a record that they were trained on, and of one that they were not.

One number per model and record is looked at, whatever it was made of: so the families share
this arithmetic. What is NaN is not there. Everything is float64 and pure.
"""

from math import fsum, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from nonmember.types import RefMember, Scores

Std = Literal["auto", "candidate", "shrunk", "global"]
Centre = Literal["mean", "median"]
Reference = Float[np.ndarray, "m n"]

OWN_FROM, SHRUNK_FROM = 32, 4  # models on a side, for a candidate's own deviation or a mixture
PRIOR = 4  # models that the deviation of all candidates counts for in a mixture
STD_FLOOR = 1e-3  # least deviation, in deviations of all candidates together
SMALLEST = 1e-9  # least deviation where all models say the same
PROBABILITY_FLOOR = 1e-30
GRID = tuple(step / 10 for step in range(11))


def log_likelihood_ratio(
    observed: Scores,
    reference: Reference,
    ref_member: RefMember,
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """Log-likelihood, in nats, of what the target says: trained on the record, less not trained.

    Carlini et al. 2022, online. NaN for a candidate with fewer than two models on a side.

    Args:
        observed: a statistic of the target, (n,).
        reference: the same of m reference models, (m n).
        ref_member: whom each was trained on, (m n).
        std: of whom the Gaussians' deviations are, as ``gaussian`` has it.
        centre: of the Gaussians.
    """
    inside, outside = (
        log_density(observed, *gaussian(reference, side, std=std, centre=centre))
        for side in (ref_member, ~ref_member)
    )
    return inside - outside


def deviations_above(
    observed: Scores,
    reference: Reference,
    ref_member: RefMember,
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """How many standard deviations the target is above models not trained on the record.

    Carlini et al. 2022, offline: the logarithm of its one-sided probability without that
    one's saturation. NaN for a candidate with fewer than two such models. Arguments as of
    ``log_likelihood_ratio``.
    """
    middle, deviation = gaussian(reference, ~ref_member, std=std, centre=centre)
    return (observed - middle) / deviation


def log_density(observed: Scores, middle: Scores, deviation: Scores) -> Scores:
    """Log-density, in nats, of each number under its Gaussian."""
    return -0.5 * np.square((observed - middle) / deviation) - np.log(deviation * sqrt(2 * np.pi))


def gaussian(
    reference: Reference,
    side: Bool[np.ndarray, "m n"],
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> tuple[Scores, Scores]:
    """Centre and standard deviation of each candidate over the models of a ``side``.

    ``candidate`` is its own deviation, over k - 1; ``global`` that of all candidates' models
    from their own means together, so that how candidates differ is no part of it;
    ``shrunk`` a mixture, in which all candidates count for four models; ``auto`` a
    candidate's own from 32 models on that side on, the mixture from 4, below that of all.
    No deviation is under a thousandth of all candidates'. All are about the mean, whatever the
    ``centre``. NaN for fewer than two models.
    """
    values = np.ascontiguousarray(reference, dtype=float)  # how sums round depends on the layout
    there = np.ascontiguousarray(side & ~np.isnan(values))
    models = there.sum(axis=0)
    free = np.maximum(models - 1, 0)
    average = _mean(values, there)
    middle = average if centre == "mean" else _median(values, there)
    squares = np.where(there, np.square(values - average), 0.0).sum(axis=0)
    pooled = fsum(squares) / max(1, int(free.sum()))  # exact, whatever the candidates' order
    own = squares / np.maximum(free, 1)
    mixed = (PRIOR * pooled + squares) / (PRIOR + free)
    all_alike = np.full(len(own), pooled)
    by_models = np.where(models >= SHRUNK_FROM, mixed, all_alike)
    variance = {
        "auto": np.where(models >= OWN_FROM, own, by_models),
        "candidate": own,
        "shrunk": mixed,
        "global": all_alike,
    }[std]
    least = max(STD_FLOOR * sqrt(pooled), SMALLEST)
    return np.where(models > 1, middle, np.nan), np.maximum(np.sqrt(variance), least)


def auto_std(models: int) -> Std:
    """Whose deviations ``auto`` takes with so many models on a side."""
    if models >= OWN_FROM:
        return "candidate"
    return "shrunk" if models >= SHRUNK_FROM else "global"


def average_probability(
    probability: Reference,
    ref_member: RefMember,
    *,
    mode: Literal["offline", "online"] = "offline",
    a: float = 0.3,
) -> Scores:
    """P(x): how likely a model finds the record that was trained on it as often as not, 0 to 1.

    Zarifzadeh et al. 2024. ``online`` is (IN + OUT) / 2, the means over models that were
    trained on it and that were not; ``offline`` guesses IN from OUT, so that P(x) is
    ((1 + a) OUT + 1 - a) / 2. Never under 1e-30. NaN for a candidate without a model on a side
    that is needed.

    Args:
        probability: that m reference models give, 0 to 1, (m n).
        ref_member: whom each was trained on, (m n).
        mode: with models trained on the record, or without.
        a: from 0 (IN is 1) to 1 (IN is as OUT); ``offline`` only.
    """
    outside = _mean(probability, ~ref_member)
    if mode == "online":
        found = (_mean(probability, ref_member) + outside) / 2
    else:
        found = ((1 + a) * outside + (1 - a)) / 2
    return np.maximum(found, PROBABILITY_FLOOR)


def tuned(probability: Reference, ref_member: RefMember) -> float:
    """The ``a`` in 0, 0.1, ..., 1 by which the others tell best whom the first model saw.

    By the area under the ROC curve; of equally good ones the largest, which leans most on the
    others. Its twin, who saw all that it did not, is left out with it: else its members would be
    held against one model more than its non-members. 1 where nothing can be told.

    Args:
        probability: that m reference models give, 0 to 1, (m n).
        ref_member: whom each was trained on, (m n).
    """
    if len(ref_member) < 2:
        return 1.0
    left = ~(ref_member == ~ref_member[0]).all(axis=1)
    left[0] = False
    first = np.log(np.maximum(probability[0], PROBABILITY_FLOOR))
    areas = []
    for a in GRID:
        average = average_probability(probability[left], ref_member[left], a=a)
        areas.append(_area(first - np.log(average), ref_member[0]))
    return max(zip(areas, GRID, strict=True))[1]


def _mean(values: Reference, side: Bool[np.ndarray, "m n"]) -> Scores:
    """Mean of each column over the models of a side; NaN where there is none."""
    there = np.ascontiguousarray(side & ~np.isnan(values))
    models = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0, dtype=float)
    return np.divide(sums, models, out=np.full(len(sums), np.nan), where=models > 0)


def _median(values: Reference, there: Bool[np.ndarray, "m n"]) -> Scores:
    """Median of each column's entries that are there; NaN where none is."""
    ranked = np.sort(np.where(there, values, np.inf), axis=0)
    models = there.sum(axis=0)
    found = np.full(len(models), np.nan)
    some = np.flatnonzero(models)
    found[some] = (ranked[(models[some] - 1) // 2, some] + ranked[models[some] // 2, some]) / 2
    return found


def _area(scores: Scores, member: Bool[np.ndarray, "n"]) -> float:
    """Area under the ROC curve of those that have a score; 0.5 without members or others."""
    scored = ~np.isnan(scores)
    inside, ranks = member[scored], rankdata(scores[scored])
    pairs = int(inside.sum()) * int((~inside).sum())
    if not pairs:
        return 0.5
    count = int(inside.sum())
    return float(ranks[inside].sum() - count * (count + 1) / 2) / pairs
