"""Simulated coverage of nominal 95 % intervals, from fixed seeds.

At least 93 % is asked for, less two binomial standard errors of the simulation: of 250
samples at least 89.8 % have to be covered. An interval that truly covers 85 % fails that 98
times in 100, and one that covers 95 % passes 99.9 times in 100.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, norm

from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import Replicates, auc, bootstrap, tpr_at_fpr

SIMULATIONS = 250
LEAST = 0.93 - 2 * np.sqrt(0.93 * 0.07 / SIMULATIONS)

Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
Figure = Callable[[np.ndarray, np.ndarray, Replicates], Interval]


def coverage(
    draw: Draw,
    figure: Figure,
    truth: float,
    *,
    size: int = 1,
    fprs: tuple[float, ...] = (),
    simulations: int = SIMULATIONS,
    times: int = 400,
) -> float:
    """How often the interval of ``figure`` holds the truth; groups of ``size`` stay whole."""
    rng, covered = np.random.default_rng(5), 0
    for seed in range(simulations):
        members, others = draw(rng)
        member = np.arange(len(members) + len(others)) < len(members)
        scores, group = np.concatenate([members, others]), np.arange(len(member)) // size
        replicates = bootstrap(scores, member, group, fprs=fprs, times=times, seed=seed)
        covered += not figure(scores, member, replicates).excludes(truth)
    return covered / simulations


def shift(area: float) -> float:
    """How far apart two standard normals lie whose AUC is ``area``."""
    return float(norm.ppf(area) * np.sqrt(2))


def normals(members: int, others: int, gap: float, *, size: int = 1, shared: float = 0) -> Draw:
    """Standard normals ``gap`` apart; ``shared`` is the correlation within groups of ``size``."""

    def side(rng: np.random.Generator, n: int) -> np.ndarray:
        common = np.repeat(rng.normal(size=n // size), size)
        return np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=n)

    return lambda rng: (side(rng, members) + gap, side(rng, others))


def tpr(fpr: float, level: float = 0.95) -> Figure:
    return lambda *sample: tpr_at_fpr(*sample, fpr=fpr, level=level).tpr


@pytest.mark.parametrize("area", [0.5, 0.8, 0.99])
@pytest.mark.parametrize("sizes", [(100, 100), (200, 400)])
def test_the_auc_is_covered(sizes, area):
    assert coverage(normals(*sizes, shift(area)), auc, area, times=100) >= LEAST


@pytest.mark.parametrize("area", [0.5, 0.8, 0.99])
@pytest.mark.parametrize(("others", "fpr"), [(100, 0.08), (200, 0.05), (200, 0.2)])
def test_the_tpr_at_a_true_fpr_is_covered(others, fpr, area):
    """Eight expected false alarms: order statistics. Ten and forty: the bootstrap."""
    truth = float(norm.cdf(shift(area) - norm.ppf(1 - fpr)))
    draw = normals(60, others, shift(area))
    times = 400 if others * fpr >= 10 else 1
    assert coverage(draw, tpr(fpr), truth, fprs=(fpr,), times=times) >= LEAST


@pytest.mark.parametrize(("others", "fpr"), [(100, 0.06), (200, 0.1)])
def test_the_tpr_of_tied_scores_is_covered(others, fpr):
    """Scores in steps of a half: the threshold is the lowest step that flags few enough.

    The next step flags 10.6 %, so that close to 10 % the bootstrap alone covers 89 %.
    """
    steps = np.arange(-8, 9) / 2
    threshold = steps[norm.sf(steps + 0.25) <= fpr].min()
    truth, smooth = float(norm.sf(threshold + 0.25 - 1)), normals(60, others, 1)

    def stepped(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        members, non_members = smooth(rng)
        return np.round(members * 2) / 2, np.round(non_members * 2) / 2

    assert coverage(stepped, tpr(fpr), truth, fprs=(fpr,)) >= LEAST


@pytest.mark.parametrize("area", [0.5, 0.8])
def test_the_auc_of_groups_is_covered_and_needs_the_groups(area):
    draw = normals(200, 200, shift(area), size=5, shared=0.5)
    assert coverage(draw, auc, area, size=5) >= LEAST
    assert coverage(draw, auc, area, size=1, simulations=50) < 0.85


@pytest.mark.parametrize("others", [200, 300])
def test_the_tpr_of_groups_is_covered_and_needs_the_groups(others):
    """Eight and twelve groups of expected false alarms; the records of a group nearly agree."""
    draw = normals(150, others, shift(0.8), size=5, shared=0.95)
    truth = float(norm.cdf(shift(0.8) - norm.ppf(0.8)))
    assert coverage(draw, tpr(0.2), truth, size=5, fprs=(0.2,)) >= LEAST
    assert coverage(draw, tpr(0.2), truth, size=1, fprs=(0.2,), simulations=50) < 0.85


@pytest.mark.parametrize(("sizes", "size", "area"), [((100, 100), 1, 0.8), ((50, 50), 5, 0.5)])
def test_a_level_that_the_replicates_do_not_resolve_is_covered(sizes, size, area):
    """99.9 % from 200 replicates, whose extremes cover 98.3 % in the second world.

    At least 99.8 % is asked for: more misses than 9 in 1,000 samples have a chance of 1e-4.
    """
    strict: Figure = lambda *sample: auc(*sample, level=0.999)  # noqa: E731
    runs, draw = 1_000, normals(*sizes, shift(area), size=size, shared=0.5 * (size > 1))
    covered = coverage(draw, strict, area, size=size, simulations=runs, times=200)
    assert round(runs * (1 - covered)) <= binom.ppf(0.9999, runs, 0.002)


@pytest.mark.parametrize("size", [1, 5])
def test_a_tpr_at_such_a_level_is_covered(size):
    truth = float(norm.cdf(shift(0.8) - norm.ppf(0.9)))
    draw = normals(100, 200 * size, shift(0.8), size=size, shared=0.5 * (size > 1))
    given = {"size": size, "fprs": (0.1,), "simulations": 300, "times": 50}
    covered = coverage(draw, tpr(0.1, 0.999), truth, **given)
    assert round(300 * (1 - covered)) <= binom.ppf(0.9999, 300, 0.002)
