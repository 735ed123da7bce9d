from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, norm

from nonmember.evaluation.intervals import (
    Interval,
    clopper_pearson,
    detectable_auc,
    independent,
    mean_interval,
    newcombe,
    null_standard_error,
    resampler,
    simultaneous,
)

SIZES = [(1, 1), (5, 5), (10, 10), (20, 30), (30, 20), (200, 400), (1000, 1000)]


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def hanley_mcneil(theta: float, members: float, non_members: float) -> float:
    """Their variance in their own letters: Q1 two members, Q2 two non-members."""
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    apart = theta * (1 - theta)
    return apart + (members - 1) * (q1 - theta**2) + (non_members - 1) * (q2 - theta**2)


def test_an_interval_excludes_what_lies_outside_its_closed_ends():
    interval = Interval(0.4, 0.5, 0.6, 0.95)
    assert [interval.excludes(x) for x in (0.39, 0.4, 0.5, 0.6, 0.61)] == [True, *[False] * 3, True]


@pytest.mark.parametrize(("tests", "each"), [(0, 0.95), (1, 0.95), (5, 0.99), (50, 0.999)])
def test_simultaneous_splits_the_error_evenly(tests, each):
    assert simultaneous(0.95, tests) == pytest.approx(each, abs=1e-12)


def test_twenty_simultaneous_intervals_cover_together():
    trials, truth, level = 100, 0.3, simultaneous(0.95, 20)
    covers = [not clopper_pearson(k, trials, level=level).excludes(truth) for k in range(101)]
    together = binom.pmf(np.arange(101), trials, truth)[covers].sum() ** 20
    assert 0.95 <= together < 0.99


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 100, 0, 0.03622),
        (5, 100, 0.01643, 0.11283),
        (0, 1000, 0, 0.00368),
        (1, 1000, 0.00003, 0.00556),
        (10, 1000, 0.00481, 0.01831),
        (50, 500, 0.07514, 0.12971),
        (100, 100, 0.96378, 1),
    ],
)
def test_clopper_pearson_gives_the_golden_values(hits, trials, low, high):
    assert ends(clopper_pearson(hits, trials)) == pytest.approx((low, high), abs=6e-6)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
@pytest.mark.parametrize(("hits", "trials"), [(1, 2), (3, 7), (19, 20)])
def test_clopper_pearson_inverts_two_binomial_tests(hits, trials, level):
    interval, tail = clopper_pearson(hits, trials, level=level), (1 - level) / 2
    assert binom.sf(hits - 1, trials, interval.low) == pytest.approx(tail, rel=1e-9)
    assert binom.cdf(hits, trials, interval.high) == pytest.approx(tail, rel=1e-9)
    assert (interval.value, interval.level) == (hits / trials, level)


def test_clopper_pearson_covers_at_least_its_level_for_every_truth():
    intervals = [clopper_pearson(hits, 20, level=0.9) for hits in range(21)]
    for truth in np.linspace(0.01, 0.99, 99):
        covers = np.array([not interval.excludes(truth) for interval in intervals])
        assert binom.pmf(np.arange(21), 20, truth)[covers].sum() >= 0.9


def test_trials_worth_fewer_keep_their_share_and_round_outwards():
    interval = clopper_pearson(3, 10, worth=5)
    assert ends(interval) == (clopper_pearson(1, 5).low, clopper_pearson(2, 5).high)
    assert interval.value == 0.3
    assert clopper_pearson(3, 10, worth=10) == clopper_pearson(3, 10)
    assert ends(clopper_pearson(0, 10, worth=5)) == ends(clopper_pearson(0, 5))
    assert ends(clopper_pearson(10, 10, worth=5)) == ends(clopper_pearson(5, 5))


@pytest.mark.parametrize("auc", [0.0, 0.5, 1.0])
def test_newcombe_of_one_pair_is_wilsons_interval_of_one_trial(auc):
    z = norm.ppf(0.975)
    middle, reach = auc + z**2 / 2, z * np.sqrt(auc * (1 - auc) + z**2 / 4)
    by_hand = (middle - reach) / (1 + z**2), (middle + reach) / (1 + z**2)
    assert ends(newcombe(auc, 1, 1)) == pytest.approx(by_hand, abs=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.9995])
@pytest.mark.parametrize("auc", [0.03, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("sizes", SIZES)
def test_newcombes_ends_lie_z_standard_errors_away(sizes, auc, level):
    pairs, mean = sizes[0] * sizes[1], sum(sizes) / 2
    z = norm.ppf((1 + level) / 2)
    interval = newcombe(auc, *sizes, level=level)
    assert 0 <= interval.low < auc < interval.high <= 1
    for end in ends(interval):
        reach = z * np.sqrt(hanley_mcneil(end, mean, mean) / pairs)
        assert abs(auc - end) == pytest.approx(reach, rel=1e-7)


@pytest.mark.parametrize("auc", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_newcombes_ends_are_roots_of_its_quartic(sizes, auc):
    pairs, half = sizes[0] * sizes[1], sum(sizes) / 2 - 1
    theta = np.polynomial.Polynomial([0, 1])
    spread = (2 - theta) * (1 + theta) + half * ((1 - theta**2) + theta * (2 - theta))
    quartic = pairs * (auc - theta) ** 2 * (2 - theta) * (1 + theta)
    quartic -= norm.ppf(0.975) ** 2 * theta * (1 - theta) * spread
    roots = quartic.roots()
    inside = roots[(abs(roots.imag) < 1e-6) & (roots.real > -1e-6) & (roots.real < 1 + 1e-6)].real
    interval = newcombe(auc, *sizes)
    assert ends(interval) == pytest.approx((inside.min(), inside.max()), abs=1e-6)


@pytest.mark.parametrize("sizes", SIZES)
def test_newcombes_interval_never_loses_its_width(sizes):
    perfect, worst = newcombe(1.0, *sizes), newcombe(0.0, *sizes)
    assert perfect.low < 1 - 1 / sum(sizes)
    assert (perfect.high, worst.low) == (1, 0)
    assert worst.high == pytest.approx(1 - perfect.low, abs=1e-9)


@pytest.mark.parametrize("auc", [0.1, 0.5, 0.77])
def test_newcombes_interval_mirrors(auc):
    low, high = ends(newcombe(1 - auc, 20, 50))
    for sizes in ((20, 50), (50, 20)):
        assert ends(newcombe(auc, *sizes)) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (4, 2), (4, 4)])
def test_the_null_standard_error_is_that_over_all_splits(sizes):
    ranks = np.arange(sum(sizes))
    aucs = [
        np.mean([a > b for a in members for b in set(ranks) - set(members)])
        for members in combinations(ranks, sizes[0])
    ]
    assert null_standard_error(*sizes) == pytest.approx(np.std(aucs), abs=1e-12)


@pytest.mark.parametrize(("each", "golden"), [(500, 0.018), (1000, 0.013), (2000, 0.009)])
def test_the_null_standard_error_gives_the_golden_values(each, golden):
    assert null_standard_error(each, each) == pytest.approx(golden, abs=5e-4)


def test_the_detectable_auc_by_hand():
    reach = 1.959964 + 0.841621
    assert detectable_auc(500, 500) == pytest.approx(0.5 + reach * 0.018266, abs=1e-5)
    assert detectable_auc(500, 500, power=0.9) > detectable_auc(500, 500)
    assert detectable_auc(500, 500, level=0.999) > detectable_auc(500, 500)
    assert detectable_auc(2, 2) == 1


def test_the_detectable_auc_is_detected_as_often_as_promised():
    """Power 80 %, within three binomial standard errors of 2,000 samples (2.7 points)."""
    rng, each, times = np.random.default_rng(0), 100, 2000
    gap = norm.ppf(detectable_auc(each, each)) * np.sqrt(2)
    members, others = rng.normal(gap, 1, (times, each)), rng.normal(0, 1, (times, each))
    ranks = np.argsort(np.argsort(np.hstack([members, others]), axis=1), axis=1)
    aucs = (ranks[:, :each].sum(axis=1) - each * (each - 1) / 2) / each**2
    least = 0.5 + norm.ppf(0.975) * null_standard_error(each, each)
    assert newcombe(least + 1e-6, each, each).low > 0.5 > newcombe(least - 1e-6, each, each).low
    assert np.mean(aucs > least) == pytest.approx(0.8, abs=3 * np.sqrt(0.8 * 0.2 / times))


@pytest.mark.parametrize(
    ("group", "worth"),
    [([7], 1), ([3, 1, 2], 3), ([1, 1, 2, 2], 2), ([5, 5, 5], 1), ([0, 0, 1, 2], 2), ([9] * 9, 1)],
)
def test_grouped_records_are_worth_fewer(group, worth):
    assert independent(np.array(group)) == worth


def test_the_interval_of_a_mean_by_hand():
    alone = mean_interval(np.array([1.0, 3.0, 5.0]), np.arange(3))
    reach = 4.302653 * np.sqrt((4 + 0 + 4) / 2 / 3)
    assert (alone.low, alone.value, alone.high) == pytest.approx((3 - reach, 3, 3 + reach))
    paired = mean_interval(np.array([1.0, 2.0, 6.0, 7.0]), np.array([0, 0, 1, 1]))
    reach = 12.706205 * np.sqrt((25 + 25) * 2) / 4
    assert (paired.low, paired.value, paired.high) == pytest.approx((4 - reach, 4, 4 + reach))


def test_the_ends_of_a_skewed_mean_are_where_halls_cubic_is_the_quantile():
    values = np.random.default_rng(3).lognormal(size=40)
    found, error = mean_interval(values, np.arange(40)), values.std(ddof=1) / np.sqrt(40)
    skewness = (((values - values.mean()) / values.std()) ** 3).mean()
    for end, quantile in ((found.low, 2.022691), (found.high, -2.022691)):
        root = (values.mean() - end) / error / np.sqrt(40)
        cubic = root + skewness * root**2 / 3 + skewness**2 * root**3 / 27 + skewness / 240
        assert cubic * np.sqrt(40) == pytest.approx(quantile, abs=1e-5)
    assert found.high - found.value > found.value - found.low
    mirrored = mean_interval(-values, np.arange(40))
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_values_that_do_not_vary_have_a_mean_without_width():
    found = mean_interval(np.full(9, 0.25), np.arange(9))
    assert (found.low, found.value, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize("copies", [1, 4])
def test_copies_in_a_group_do_not_sharpen_a_mean(copies):
    values = np.random.default_rng(0).normal(size=12)
    once = mean_interval(values, np.arange(12))
    often = mean_interval(np.repeat(values, copies), np.repeat(np.arange(12), copies))
    assert ends(often) == pytest.approx(ends(once), abs=1e-12)


def test_the_mean_of_one_group_is_bounded_by_nothing():
    interval = mean_interval(np.array([1.0, 3.0]), np.array([5, 5]))
    assert (interval.low, interval.value, interval.high) == (-np.inf, 2, np.inf)


def test_groups_are_drawn_whole_and_sides_apart():
    member = np.array([True, True, False, True, False, False, False])
    group = np.array([4, 4, 2, 9, 2, 2, 7])
    weights = resampler(member, group)(500, np.random.default_rng(0))
    for one in (4, 2, 9, 7):
        drawn = weights[:, group == one]
        assert (drawn == drawn[:, :1]).all()
    assert (weights[:, 0] + weights[:, 3] == 2).all()
    assert (weights[:, 2] + weights[:, 6] == 2).all()
    assert np.abs(np.corrcoef(weights[:, 0], weights[:, 2])[0, 1]) < 3 / np.sqrt(500)


def test_every_record_is_drawn_as_often_as_chance_says():
    """Counts are binomial(n, 1/n): mean 1, variance 1 - 1/n, within four standard errors."""
    times, n = 20_000, 4
    member = np.arange(2 * n) < n
    rng = np.random.default_rng(1)
    weights = resampler(member, np.arange(2 * n))(times, rng)
    assert np.abs(weights.mean(axis=0) - 1).max() < 4 * np.sqrt((1 - 1 / n) / times)
    for count in range(n + 1):
        chance = binom.pmf(count, n, 1 / n)
        error = np.sqrt(chance * (1 - chance) / times)
        assert np.abs((weights == count).mean(axis=0) - chance).max() < 4 * error


def test_the_draw_follows_its_generator():
    member, group = np.array([True, True, False, False]), np.arange(4)
    one, same, other = (
        resampler(member, group)(50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one != other).any()
