from functools import cache
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from scipy.stats import binom

from nonmember.errors import DataError, SpecError, UnresolvableError
from nonmember.evaluation.one_run import best_of, correct_guesses, grid, one_run, p_value


def coins(canaries: int, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    member = rng.random(canaries) < 0.5
    return rng.normal(size=canaries) + shift * member, member


@pytest.mark.parametrize(
    ("canaries", "made", "correct", "delta", "golden"),
    [
        (1000, 1000, 550, 0.0, 0.0942),
        (1000, 100, 75, 0.0, 0.7022),
        (1000, 100, 95, 0.0, 2.1724),
        (1000, 100, 95, 1e-5, 2.1652),
        (1000, 100, 100, 0.0, 3.493),
        (400, 400, 230, 0.0, 0.1313),
        (1000, 1000, 500, 0.0, 0.0),
    ],
)
def test_the_golden_bounds(canaries, made, correct, delta, golden):
    bound = one_run(correct, made, canaries, delta=delta)
    assert bound.epsilon == pytest.approx(golden, abs=6e-5 if golden != 3.493 else 6e-4)
    assert bound.counts == {"correct": correct, "guesses": made, "canaries": canaries}


def test_all_correct_is_a_root_of_the_confidence():
    assert one_run(100, 100, 1000, delta=0.0).epsilon == pytest.approx(
        -np.log(0.05 ** (-1 / 100) - 1), abs=1e-8
    )


@pytest.mark.parametrize(("made", "correct"), [(1, 1), (5, 4), (12, 9), (12, 0)])
@pytest.mark.parametrize("delta", [0.0, 1e-3])
def test_the_p_value_is_the_papers_formula(made, correct, delta):
    epsilon, canaries = 0.7, 20
    guess = np.exp(epsilon) / (1 + np.exp(epsilon))
    pmf = [comb(made, k) * guess**k * (1 - guess) ** (made - k) for k in range(made + 1)]
    steps = [sum(pmf[max(0, correct - i) : correct]) / i for i in range(1, correct + 1)]
    expected = sum(pmf[correct:]) + 2 * canaries * delta * max(steps, default=0)
    assert p_value(epsilon, correct, made, canaries, delta) == pytest.approx(min(1, expected))


@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
@pytest.mark.parametrize(("made", "correct"), [(100, 95), (400, 230), (1000, 700)])
def test_every_smaller_epsilon_is_refuted_and_every_larger_one_stands(made, correct, delta):
    found = one_run(correct, made, 1000, delta=delta).epsilon
    below = [p_value(e, correct, made, 1000, delta) for e in np.linspace(0, found - 1e-6, 20)]
    above = [p_value(e, correct, made, 1000, delta) for e in np.linspace(found + 1e-6, 9, 20)]
    assert max(below, default=0) <= 0.05 if found else min(above) > 0.05
    assert min(above) > 0.05


def test_more_delta_more_confidence_and_fewer_correct_bound_less():
    for bounds in (
        [one_run(90, 100, 500, delta=delta).epsilon for delta in (0.0, 1e-4, 1e-3)],
        [one_run(90, 100, 500, level=level).epsilon for level in (0.5, 0.9, 0.99)],
        [one_run(correct, 100, 500).epsilon for correct in (100, 90, 80, 70)],
    ):
        assert all(one > next_one for one, next_one in pairwise(bounds))


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("made", [20, 100, 200, 1000, 2000])
def test_a_known_epsilon_is_exceeded_at_most_as_often_as_promised(made, epsilon):
    """Exactly, over all outcomes of randomised response on each canary."""
    correct = np.arange(made + 1)
    low, high = 0, made + 1
    while low < high:  # the fewest correct guesses whose bound is above the truth
        middle = (low + high) // 2
        over = one_run(middle, made, made, delta=0.0).epsilon > epsilon + 1e-8
        low, high = (low, middle) if over else (middle + 1, high)
    chance = binom.pmf(correct, made, 1 / (1 + np.exp(-epsilon)))[low:].sum()
    assert 0.02 < chance <= 0.05 if made >= 100 else chance <= 0.05


def test_guesses_are_made_from_both_ends():
    scores = np.array([5.0, 4, 3, 2, 1, 0])
    member = np.array([1, 0, 1, 1, 1, 0], dtype=bool)
    made = {made: correct_guesses(scores, member, made) for made in range(1, 7)}
    assert made == {1: 1, 2: 2, 3: 2, 4: 2, 5: 3, 6: 3}
    assert correct_guesses(-scores, ~member, 4) == 2


def test_equal_scores_are_drawn_for_by_the_seed():
    """900 of 1,000 are equal, all the members among them; four standard errors of 20 draws."""
    member = np.arange(1000) < 500
    scores = np.where(np.arange(1000) < 900, 0.0, 1.0)
    found = [correct_guesses(scores, member, 1000, seed=seed) for seed in range(20)]
    # "in": none of the 100 above is a member, of 400 from the tie 5/9; "out": 4/9 of the other 500
    rightly = (400 * 5 + 500 * 4) / 9
    assert len(set(found)) > 1
    spread = 2 * np.sqrt(400 * (5 / 9) * (4 / 9) * 500 / 899)  # the draw is without replacement
    assert np.mean(found) == pytest.approx(rightly, abs=4 * spread / np.sqrt(20))
    assert found[3] == correct_guesses(scores, member, 1000, seed=3)


def test_the_grid_of_guesses():
    assert grid(1000) == (20, 50, 100, 200, 500, 1000)
    assert grid(3) == (1, 2, 3)
    assert grid(1) == (1,)


def test_one_number_of_guesses_costs_nothing_and_several_share_the_error():
    scores, member = coins(400, 2.0)
    correct = {made: correct_guesses(scores, member, made) for made in grid(400)}
    alone = best_of(scores, member, (80,), coins=True)
    assert alone == one_run(correct[80], 80, 400, coins=True)
    several = best_of(scores, member, grid(400))
    each = [one_run(correct[made], made, 400, level=1 - 0.05 / 6).epsilon for made in grid(400)]
    assert several.epsilon == pytest.approx(max(each), abs=1e-9)
    assert (several.level, several.valid) == (0.95, "descriptive")
    assert "best of 6" in several.method


@pytest.mark.parametrize("canaries", [100, 1000])
def test_nothing_is_bounded_where_nothing_leaks(canaries):
    """At most 5 %, plus two binomial standard errors of 400 audits; ties are nothing special."""
    bound, alarms = cache(one_run), np.zeros((400, 2), dtype=bool)
    for seed in range(400):
        scores, member = coins(canaries, seed=seed)
        for column, made in enumerate([(canaries // 5,), grid(canaries)]):
            found = best_of(scores.round(0), member, made, bound=bound, seed=seed)
            alarms[seed, column] = found.epsilon > 0
    assert (alarms.mean(axis=0) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 400)).all()
    assert alarms.any(axis=0).all()


def test_a_planted_leak_is_found():
    found = [best_of(*coins(500, 2.0, seed), (50,), coins=True).epsilon for seed in range(10)]
    assert min(found) > 1
    assert best_of(*coins(500, 2.0), (50,), coins=True).valid == "dp"


@pytest.mark.parametrize(
    "counts", [(-1, 5, 9), (6, 5, 9), (5, 10, 9), (0, 0, 9), (0, 0, 0), (0, -1, 9)]
)
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DataError, match="cannot be; give"):
        one_run(*counts)


@pytest.mark.parametrize("options", [{"delta": 1.0}, {"delta": -0.1}, {"level": 0.0}])
def test_impossible_options_are_refused(options):
    with pytest.raises(SpecError, match="one_run"):
        one_run(5, 10, 20, **options)


def test_scores_that_bound_nothing_are_refused():
    scores, member = coins(20)
    with pytest.raises(UnresolvableError, match="1 scores are NaN"):
        best_of(np.where(np.arange(20) == 3, np.nan, scores), member, (5,))
    with pytest.raises(UnresolvableError, match="one side"):
        best_of(scores, np.ones(20, dtype=bool), (5,))
    with pytest.raises(UnresolvableError, match="all 20 scores are equal"):
        best_of(np.zeros(20), member, (5,))
    with pytest.raises(DataError, match="21 guesses at 20 canaries"):
        best_of(scores, member, (21,))
    with pytest.raises(SpecError, match="no number of guesses"):
        best_of(scores, member, ())
