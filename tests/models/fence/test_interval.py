"""The interval of S1 against a loop over every interval and copy, and what it refuses to hide."""

from itertools import combinations, pairwise
from math import log

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp

from nonmember.models.fence import interval


def confidence(centre, count=40, copies=5, seed=0):
    rng = np.random.default_rng(seed)
    found = rng.normal(centre, 2.0, size=(count, copies)).round(1)
    found[rng.random(found.shape) < 0.3] = np.inf
    found[0] = np.inf  # no copy keeps the label of the first
    return found


def taken(odds, low, high):
    found = []
    for row in odds:
        kept = [one for one in row if np.isfinite(one)]
        if kept:
            found.append(min(kept, key=lambda one: max(low - one, one - high, 0.0)))
    return np.array(found)


def naive(ours, others, low, high, objective):
    one, other = taken(ours, low, high), taken(others, low, high)
    if objective == "ks":
        return ks_2samp(one, other).statistic
    every = np.concatenate([ours[np.isfinite(ours)], others[np.isfinite(others)]])
    edges = [-np.inf, *np.quantile(every, np.arange(1, 30) / 30), np.inf]
    shares = [
        [((low <= side) & (side < high)).mean() for low, high in pairwise(edges)]
        for side in (one, other)
    ]
    return jensenshannon(*shares) ** 2


@pytest.mark.parametrize("objective", ["js", "ks"])
@pytest.mark.parametrize("seed", range(3))
def test_the_search_equals_a_loop_over_all(objective, seed):
    ours, others = confidence(3, seed=seed), confidence(1.5, 30, seed=seed + 9)
    grid = np.linspace(ours.min(), others[np.isfinite(others)].max(), 21)
    pairs = [*combinations(grid, 2)]
    values = [naive(ours, others, low, high, objective) for low, high in pairs]
    found = interval.search(ours, others, objective)
    assert found.apart == pytest.approx(min(values), abs=1e-9)
    low, high = pairs[np.flatnonzero(np.array(values) < min(values) + 1e-12)[0]]
    assert (found.low, found.high) == pytest.approx((low, high))
    answers = interval.answered(found.low, found.high, ours, others, objective)
    again = interval.divergence(*answers, objective)
    assert again == pytest.approx(found.apart, abs=1e-12)


@pytest.mark.parametrize(("objective", "most"), [("js", log(2)), ("ks", 1.0)])
def test_samples_that_share_nothing_are_as_far_apart_as_can_be(objective, most):
    ours, others = np.full((8, 3), 9.0), np.zeros((8, 3))
    answers = interval.answered(-1.0, 10.0, ours, others, objective)
    assert interval.divergence(*answers, objective) == pytest.approx(most)
    assert interval.search(ours, others, objective).apart == pytest.approx(most)


@pytest.mark.parametrize("objective", ["js", "ks"])
def test_equal_samples_are_not_apart(objective):
    ours = confidence(2)
    answers = interval.answered(0.0, 1.0, ours, ours, objective)
    assert interval.divergence(*answers, objective) == pytest.approx(0, abs=1e-12)
    same = np.ones((4, 2))
    assert interval.search(same, same, objective).apart == pytest.approx(0)


def test_what_chose_the_interval_flatters_it():
    halves = [confidence(centre, 300, seed=seed) for centre, seed in ((3, 0), (2, 1))]
    found = interval.search(halves[0][:150], halves[1][:150], "ks")
    answers = interval.answered(found.low, found.high, halves[0][150:], halves[1][150:], "ks")
    assert interval.divergence(*answers, "ks") > found.apart


def test_the_interval_of_members_by_hand():
    found = interval.of_members(np.array([[1.0, np.inf], [3.0, 5.0]]))
    assert (found.low, found.high) == (1.0, 3.0)
