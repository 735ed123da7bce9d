"""How sure it is what an interval of S1 leaves between the answers to members and to others."""

import numpy as np

from nonmember.evaluation.intervals import Interval, independent
from nonmember.models.fence.interval import Objective, divergence
from nonmember.seeds import generator
from nonmember.types import Groups

SAMPLES = 500  # of the bootstrap
MOST = float(np.log(2))  # that Jensen-Shannon can be, nats

Answers = tuple[np.ndarray, np.ndarray]
Units = tuple[Groups, Groups]


def left_apart(
    answers: Answers, groups: Units, objective: Objective, *, level: float, seed: int
) -> Interval:
    """A divergence of the answers to members and to others, with its interval.

    Chance alone parts two samples, so the divergence of samples is too large, and a bootstrap
    around it excludes 0 where nothing is apart. Of Kolmogorov-Smirnov the interval is instead
    the band of Dvoretzky, Kiefer and Wolfowitz (Massart 1990) around either side, half the risk
    each. Of Jensen-Shannon it is from 0 to the upper end of a one-sided bootstrap, which is on
    the safe side, as its samples stray further still: it bounds what is left, and says no more.

    Args:
        answers: of members, then of others, as ``interval.answered`` gives them.
        groups: whose they are; those of one group count as one draw.
        objective: which divergence.
        level: of the interval.
        seed: of the bootstrap.
    """
    value = divergence(*answers, objective)
    if objective == "ks":
        kept = (group[np.isfinite(side)] for side, group in zip(answers, groups, strict=True))
        reach = sum(np.sqrt(np.log(4 / (1 - level)) / (2 * independent(group))) for group in kept)
        return Interval(max(0.0, value - reach), value, min(1.0, value + reach), level)
    high = float(np.quantile(_again(answers, groups, seed), level))
    return Interval(0.0, value, min(MOST, max(value, high)), level)


def _again(answers: Answers, groups: Units, seed: int) -> list[float]:
    """The Jensen-Shannon divergence of samples in which groups are drawn with replacement."""
    rng = generator(seed, "apart")
    units = [np.unique(group, return_inverse=True)[1] for group in groups]
    found = []
    for _ in range(SAMPLES):
        drawn = [_drawn(unit, rng) for unit in units]
        ours, others = (side[rows] for side, rows in zip(answers, drawn, strict=True))
        found.append(divergence(ours, others, "js"))
    return found


def _drawn(unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows of as many groups as there are, drawn with replacement."""
    count = int(unit.max()) + 1
    return np.repeat(
        np.arange(len(unit)), np.bincount(rng.integers(count, size=count), minlength=count)[unit]
    )
