"""Where the confidence of answers is to lie, so that members and non-members look alike."""

from collections.abc import Callable, Mapping
from itertools import combinations
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int

from nonmember.models.fence.select import Confidence, nearest

Objective: TypeAlias = Literal["js", "ks"]
"""How far apart two samples are: Jensen-Shannon in nats, or Kolmogorov-Smirnov from 0 to 1."""

MEASURES: Mapping[Objective, str] = {
    "js": "Jensen-Shannon divergence, nats",
    "ks": "Kolmogorov-Smirnov distance",
}

OtherConfidence = Float64[np.ndarray, "z v"]
Odds = Float64[np.ndarray, "_"]
Apart: TypeAlias = Callable[[np.ndarray, np.ndarray], float]

POINTS = 21  # of the grid from which both ends are taken
BINS = 30  # of Jensen-Shannon, each with as many of all copies
DIGITS = 12  # of a divergence: what is beyond is float noise, and makes none better


class Interval(NamedTuple):
    """From ``low`` to ``high``, log odds in nats; ``apart`` is the divergence it leaves."""

    low: float
    high: float
    apart: float


def search(members: Confidence, non_members: OtherConfidence, objective: Objective) -> Interval:
    """The interval of a grid that leaves the two sides most alike: the S1 of Diffence.

    The grid runs from the least confident copy of a member to the most confident one of a
    non-member, and of equally good intervals the first counts. The divergence is that of the
    very inputs that chose the interval, and so too small: ``divergence`` tells it of others.
    Inputs without a copy that keeps the label are left out. Deviation: the authors' bins span
    the non-members alone, and members outside are not counted.

    Args:
        members: log odds (n v) of the copies, infinite where one is not kept.
        non_members: the same of inputs that were not trained on.
        objective: what is to be small.
    """
    ours, others = _complete(members), _complete(non_members)
    low, high = sorted((float(ours.min()), float(others[np.isfinite(others)].max())))
    grid = np.linspace(low, high, POINTS)
    tell = _teller(ours, others, objective)
    both, count = np.concatenate([ours, others]), len(ours)
    best = Interval(low, high, np.inf)
    for start, end in combinations(grid.tolist(), 2):
        places = nearest(both, start, end)
        found = round(tell(places[:count], places[count:]), DIGITS)
        if found < best.apart:
            best = Interval(start, end, found)
    return best


def answered(
    low: float, high: float, members: Confidence, non_members: OtherConfidence, objective: Objective
) -> tuple[np.ndarray, np.ndarray]:
    """What ``divergence`` compares where an interval is used: a number for each member and other.

    Of Jensen-Shannon the bin that the answer falls into, of Kolmogorov-Smirnov its log odds; of
    an input without a copy that keeps the label there is none: -1, or infinity.
    """
    sides = members, non_members
    places = [nearest(odds, low, high)[:, None] for odds in sides]
    mine, theirs = (
        np.take_along_axis(odds, place, axis=1)[:, 0]
        for odds, place in zip(sides, places, strict=True)
    )
    if objective == "ks":
        return mine, theirs
    edges = _edges(members, non_members)
    ours, others = (
        np.where(np.isfinite(one), edges.searchsorted(one, side="right"), -1)
        for one in (mine, theirs)
    )
    return ours, others


def divergence(ours: np.ndarray, others: np.ndarray, objective: Objective) -> float:
    """How far apart the answers to members and to others are, as ``answered`` tells them.

    Inputs that it tells no answer of are left out.
    """
    if objective == "ks":
        return kolmogorov_smirnov(ours[np.isfinite(ours)], others[np.isfinite(others)])
    left, right = (np.bincount(side[side >= 0], minlength=BINS) for side in (ours, others))
    return jensen_shannon(left, right)


def of_members(members: Confidence) -> Interval:
    """From the least to the mean confidence of the copies of members: S2 of Diffence."""
    kept = members[np.isfinite(members)]
    return Interval(float(kept.min()), float(kept.mean()), np.nan)


def jensen_shannon(ours: Int[np.ndarray, "_"], others: Int[np.ndarray, "_"]) -> float:
    """Jensen-Shannon divergence of two histograms, nats: 0 to log 2."""
    left, right = ours / ours.sum(), others / others.sum()
    middle = np.where(left + right > 0, (left + right) / 2, 1)
    terms = [_x_log_x(side) - side * np.log(middle) for side in (left, right)]
    return float(sum(term.sum() for term in terms) / 2)


def kolmogorov_smirnov(ours: Odds, others: Odds) -> float:
    """The largest difference of two empirical distribution functions, 0 to 1."""
    values = np.concatenate([ours, others])
    steps = np.concatenate(
        [np.full(len(ours), 1 / len(ours)), np.full(len(others), -1 / len(others))]
    )
    order = values.argsort(kind="stable")
    ranked = values[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    return float(np.abs(steps[order].cumsum()[last]).max())


def _teller(ours: Confidence, others: OtherConfidence, objective: Objective) -> Apart:
    """What tells the divergence of the copies at these places, one per input."""
    mine, theirs = np.arange(len(ours)), np.arange(len(others))
    if objective == "ks":
        return lambda one, other: kolmogorov_smirnov(ours[mine, one], others[theirs, other])
    edges = _edges(ours, others)
    left, right = (edges.searchsorted(side, side="right") for side in (ours, others))
    return lambda one, other: jensen_shannon(
        np.bincount(left[mine, one], minlength=BINS),
        np.bincount(right[theirs, other], minlength=BINS),
    )


def _edges(ours: Confidence, others: OtherConfidence) -> Float64[np.ndarray, "_"]:
    """Those between the bins of Jensen-Shannon."""
    every = np.concatenate([ours[np.isfinite(ours)], others[np.isfinite(others)]])
    return np.quantile(every, np.arange(1, BINS) / BINS)


def _complete(odds: Float64[np.ndarray, "_ v"]) -> Float64[np.ndarray, "_ v"]:
    """Without the inputs of which no copy keeps the label."""
    return odds[np.isfinite(odds).any(axis=1)]


def _x_log_x(shares: Float[np.ndarray, "_"]) -> Float64[np.ndarray, "_"]:
    return shares * np.log(np.where(shares > 0, shares, 1))
