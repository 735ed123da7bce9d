"""The interval of what S1 leaves holds the truth as often as it says, and where nothing is left."""

import numpy as np
import pytest
from scipy.stats import norm

from nonmember.audit.classifiers.left_apart import left_apart
from nonmember.models.fence.interval import BINS, Objective, jensen_shannon

LEVEL, SEEDS = 0.95, {"ks": 300, "js": 20}  # of which many bootstraps would take long


def answers(rng: np.random.Generator, objective: Objective, count: int, shift: float) -> np.ndarray:
    """Log odds, or the bins that they fall into, of one side."""
    drawn = rng.normal(shift, 1, count)
    return drawn if objective == "ks" else binned(drawn)


def binned(values: np.ndarray) -> np.ndarray:
    return np.linspace(-2, 2, BINS - 1).searchsorted(values)


def truth(objective: Objective, shift: float) -> float:
    """The divergence of the two laws, from samples so large that chance is next to nothing."""
    if objective == "ks":
        values = np.linspace(-8, 8, 4001)
        return float(np.abs(norm.cdf(values) - norm.cdf(values - shift)).max())
    large = np.random.default_rng(1).normal(size=1_000_000)
    left, right = (np.bincount(binned(large + by), minlength=BINS) for by in (0, shift))
    return jensen_shannon(left, right)


@pytest.mark.parametrize("objective", ["ks", "js"])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.5])
def test_the_truth_is_inside_as_often_as_it_says(objective: Objective, shift: float) -> None:
    rng, held = np.random.default_rng(0), truth(objective, shift) if shift else 0.0
    inside, rows = [], np.arange(50)
    for seed in range(SEEDS[objective]):
        sides = answers(rng, objective, 50, shift), answers(rng, objective, 50, 0)
        found = left_apart(sides, (rows, rows), objective, level=LEVEL, seed=seed)
        assert 0 <= found.low <= found.value <= found.high <= 1
        inside.append(found.low <= held <= found.high)
    assert np.mean(inside) >= LEVEL


def test_records_of_one_person_count_as_one_draw() -> None:
    rng = np.random.default_rng(0)
    persons = rng.normal(size=20)
    sides, rows = (np.repeat(persons[:10], 20), np.repeat(persons[10:], 20)), np.arange(200)
    apart = left_apart(sides, (rows, rows), "ks", level=LEVEL, seed=0)
    together = left_apart(sides, (rows // 20, rows // 20), "ks", level=LEVEL, seed=0)
    assert apart.value == together.value and apart.low > 0 == together.low


def test_answers_without_a_copy_widen_what_is_known() -> None:
    rng, rows = np.random.default_rng(0), np.arange(100)
    sides = rng.normal(size=100), rng.normal(3, 1, 100)
    every = left_apart(sides, (rows, rows), "ks", level=LEVEL, seed=0)
    sides[0][50:] = np.inf
    fewer = left_apart(sides, (rows, rows), "ks", level=LEVEL, seed=0)
    assert fewer.value - fewer.low > every.value - every.low


def test_few_against_few_are_bounded_by_what_can_be() -> None:
    sides, rows = (np.arange(5) % 3, 9 + np.arange(5) % 3), np.arange(5)
    assert left_apart(sides, (rows, rows), "js", level=LEVEL, seed=0).high == pytest.approx(
        np.log(2)
    )
    found = left_apart((sides[0] + 0.5, sides[1] + 0.5), (rows, rows), "ks", level=LEVEL, seed=0)
    assert (found.low, found.value, found.high) == pytest.approx((0, 1, 1), abs=0.2)
