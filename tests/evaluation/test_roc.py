import numpy as np
import pytest
from scipy.stats import binom
from scipy.stats import t as student

from nonmember.errors import UnresolvableError
from nonmember.evaluation import roc
from nonmember.evaluation.intervals import clopper_pearson, newcombe, resampler
from nonmember.evaluation.roc import Curve, auc, bootstrap, curve, tally, tied, tpr_at_fpr
from nonmember.seeds import generator

SCORES = np.array([0.9, 0.8, 0.4, 0.7, 0.4, 0.1])
MEMBER = np.array([True, True, True, False, False, False])
FPRS = (0.05, 0.1, 0.25, 0.5)


def naive_auc(scores, member):
    wins = [(a > b) + (a == b) / 2 for a in scores[member] for b in scores[~member]]
    return sum(wins) / len(wins)


def naive_tpr(scores, member, fpr):
    """The best share of members above any threshold that flags few enough non-members."""
    found = [
        np.mean(scores[member] > threshold)
        for threshold in [-np.inf, *scores]
        if np.sum(scores[~member] > threshold) <= fpr * np.sum(~member) + 1e-9
    ]
    return max(found)


def world(seed, *, n=60, grid=3.0):
    """Scores on a coarse grid, so that ties abound, in no order."""
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(n) < rng.integers(n // 4, n // 2))
    return np.round(rng.normal(0.8 * member) * grid) / grid, member


def figures(scores, member, group):
    replicates = bootstrap(scores, member, group, fprs=FPRS, times=50)
    rates = [tpr_at_fpr(scores, member, replicates, fpr=fpr) for fpr in FPRS]
    return curve(scores, member), auc(scores, member, replicates), rates


def test_six_records_by_hand():
    assert tally(SCORES, MEMBER).auc() == pytest.approx([7.5 / 9], abs=1e-15)
    assert curve(SCORES, MEMBER) == Curve(
        (0.0, 0.0, 0.0, 1 / 3, 2 / 3, 1.0), (0.0, 1 / 3, 2 / 3, 2 / 3, 1.0, 1.0)
    )
    replicates = bootstrap(SCORES, MEMBER, np.arange(6), times=1)
    third, most = (tpr_at_fpr(SCORES, MEMBER, replicates, fpr=fpr) for fpr in (1 / 3, 0.9))
    assert (third.tpr.value, third.measured_fpr.value) == (2 / 3, 1 / 3)
    assert (most.tpr.value, most.measured_fpr.value) == (1.0, 2 / 3)
    assert (third.members, third.non_members, third.fpr) == (3, 3, 1 / 3)


def test_a_tie_at_the_threshold_is_not_flagged():
    scores = np.array([3.0, 2.0, 1.0, 3.0, 2.0, 2.0, 0.0])
    member = np.arange(7) < 3
    replicates = bootstrap(scores, member, np.arange(7), times=1)
    quarter, half = (tpr_at_fpr(scores, member, replicates, fpr=fpr) for fpr in (0.25, 0.5))
    assert quarter.tpr.value == half.tpr.value == 1 / 3
    assert quarter.measured_fpr.value == half.measured_fpr.value == 1 / 4


@pytest.mark.parametrize("seed", range(20))
def test_auc_and_tpr_equal_naive_loops(seed):
    scores, member = world(seed)
    counts = tally(scores, member)
    assert counts.auc()[0] == pytest.approx(naive_auc(scores, member), abs=1e-9)
    for fpr in FPRS:
        assert counts.tpr_at(fpr)[0] == pytest.approx(naive_tpr(scores, member, fpr), abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_every_replicate_equals_the_naive_figures_of_its_records(seed):
    scores, member = world(seed, n=30)
    group = np.arange(30) // 2
    drawn = generator(seed, "bootstrap")
    weights = resampler(member, group)(15, drawn).astype(int)
    replicates = bootstrap(scores, member, group, fprs=(0.1, 0.3), times=15, seed=seed)
    for row, weight in enumerate(weights):
        sample = np.repeat(scores, weight), np.repeat(member, weight)
        assert replicates.auc[row] == pytest.approx(naive_auc(*sample), abs=1e-9)
        for fpr, found in replicates.tpr.items():
            assert found[row] == pytest.approx(naive_tpr(*sample, fpr), abs=1e-9)


def test_a_bootstrap_in_many_chunks_has_as_many_replicates(monkeypatch):
    scores, member = world(0)
    whole = bootstrap(scores, member, np.arange(60), fprs=(0.1,), times=500)
    monkeypatch.setattr(roc, "CELLS_AT_ONCE", 7 * 60)
    parts = bootstrap(scores, member, np.arange(60), fprs=(0.1,), times=500)
    assert len(parts.auc) == len(parts.tpr[0.1]) == 500
    error = whole.auc.std() * np.sqrt(2 / 500)
    assert parts.auc.mean() == pytest.approx(whole.auc.mean(), abs=4 * error)
    assert parts.auc.std() == pytest.approx(whole.auc.std(), rel=0.15)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_candidates_changes_nothing(seed):
    scores, member = world(seed)
    group, order = np.arange(60) // 3, np.random.default_rng(seed).permutation(60)
    assert figures(scores, member, group) == figures(scores[order], member[order], group[order])


@pytest.mark.parametrize("seed", range(5))
def test_negated_scores_and_swapped_truth_mirror_the_auc(seed):
    scores, member = world(seed)
    plain, negated, swapped = auc(scores, member), auc(-scores, member), auc(scores, ~member)
    for mirrored in (negated, swapped):
        assert mirrored.value == pytest.approx(1 - plain.value, abs=1e-15)
        assert mirrored.low == pytest.approx(1 - plain.high, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_area_under_the_curve_is_the_auc_and_the_curve_rises(seed):
    scores, member = world(seed)
    drawn = curve(scores, member)
    assert np.trapezoid(drawn.tpr, drawn.fpr) == pytest.approx(auc(scores, member).value, abs=1e-12)
    assert (drawn.fpr[0], drawn.tpr[0], drawn.fpr[-1], drawn.tpr[-1]) == (0, 0, 1, 1)
    assert len(drawn.fpr) == len(np.unique(scores)) + 1
    assert (np.diff(drawn.fpr) + np.diff(drawn.tpr) > 0).all()


def test_ties_everywhere_know_nothing():
    scores, member = np.full(400, 0.3), np.arange(400) < 200
    replicates = bootstrap(scores, member, np.arange(400), fprs=(0.01, 0.1), times=100)
    area = auc(scores, member, replicates)
    assert area.value == 0.5
    assert area.low < 0.45
    assert area.high > 0.55
    for fpr in (0.01, 0.1):
        found = tpr_at_fpr(scores, member, replicates, fpr=fpr)
        assert (found.tpr.value, found.tpr.low, found.measured_fpr.value) == (0, 0, 0)
        assert found.tpr.high >= clopper_pearson(0, 200).high > 0
    assert curve(scores, member) == Curve((0.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize("size", [1, 2])
def test_perfect_ranks_keep_an_interval_below_them(size):
    member, group = np.arange(400) < 200, np.arange(400) // size
    scores = np.where(member, np.inf, -np.arange(400.0))
    replicates = bootstrap(scores, member, group, fprs=(0.01, 0.2), times=100)
    area = auc(scores, member, replicates)
    assert (area.value, area.high) == (1, 1)
    assert area.low == newcombe(1.0, 200 // size, 200 // size).low
    for fpr in (0.01, 0.2):
        found = tpr_at_fpr(scores, member, replicates, fpr=fpr).tpr
        assert (found.value, found.high) == (1, 1)
        assert found.low <= clopper_pearson(200 // size, 200 // size).low < 1


@pytest.mark.parametrize("value", [1.0, -1.0, 0.3, 1000.0, 1e-6, 1e-300, -1e-315, 1e300])
def test_scores_that_agree_to_nine_digits_are_tied(value):
    noisy = value * np.array([1, 1 - 1e-12, 1 + 1e-12])
    apart = value * np.array([1, 1 + 1.1e-8, 1 - 1.1e-8])
    assert (tied(noisy) == 0).all()
    assert len(np.unique(tied(apart))) == 3
    assert (np.argsort(tied(apart)) == np.argsort(-apart)).all()


def test_the_largest_score_comes_first():
    scores = np.array([0.0, np.inf, -0.0, 0.1 + 0.2, 0.3, -np.inf, -5.0, 5e-324])
    assert tied(scores).tolist() == [3, 0, 3, 1, 1, 5, 4, 2]
    assert tied(np.array([1, 2, 1], np.float32)).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("scores", "member", "why"),
    [
        ([0.1, np.nan, np.nan], [True, False, True], "2 scores are NaN; leave them out"),
        ([0.1, 0.2], [True, True], "on one side"),
        ([0.1, 0.2], [False, False], "on one side"),
        ([], [], "on one side"),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, member, why):
    scores, member = np.array(scores, float), np.array(member, bool)
    for figure in (tally, curve, auc):
        with pytest.raises(UnresolvableError, match=why):
            figure(scores, member)
    with pytest.raises(UnresolvableError, match=why):
        bootstrap(scores, member, np.arange(len(scores)), times=2)


@pytest.mark.parametrize(
    ("others", "fpr", "why"),
    [
        (99, 0.01, "99 non-members cannot resolve fpr=0.01; use at least 100, or a larger fpr"),
        (200, 0.001, "200 non-members cannot resolve fpr=0.001; use at least 1000"),
        (9, 0.0, "fpr=0.0 is no rate"),
        (9, 1.0, "fpr=1.0 is no rate"),
        (9, -0.1, "fpr=-0.1 is no rate"),
    ],
)
def test_what_the_sample_cannot_resolve_is_refused(others, fpr, why):
    scores, member = np.arange(others + 5.0), np.arange(others + 5) < 5
    replicates = bootstrap(scores, member, np.arange(others + 5), times=2)
    with pytest.raises(UnresolvableError, match=why):
        tpr_at_fpr(scores, member, replicates, fpr=fpr)


@pytest.mark.parametrize(("others", "fpr", "alarms"), [(100, 0.01, 1), (49, 1 / 49, 1)])
def test_the_smallest_resolvable_rate_is_given(others, fpr, alarms):
    scores, member = np.arange(others + 5.0), np.arange(others + 5) < 5
    replicates = bootstrap(scores, member, np.arange(others + 5), times=2)
    found = tpr_at_fpr(scores, member, replicates, fpr=fpr)
    assert found.measured_fpr == clopper_pearson(alarms, others)


@pytest.mark.parametrize(("others", "allowed"), [(10, 2), (29, 8), (100, 29), (1000, 290)])
def test_alarms_are_counted_down_despite_rounding(others, allowed):
    """0.29 * 100 is 28.999999999999996 in floating point, and yet 29 alarms are allowed."""
    scores, member = np.arange(others + 1.0), np.arange(others + 1) < 1
    replicates = bootstrap(scores, member, np.arange(others + 1), fprs=(0.29,), times=2)
    found = tpr_at_fpr(scores, member, replicates, fpr=0.29)
    assert found.measured_fpr.value == allowed / others


@pytest.mark.parametrize("fpr", [0.005, 0.02, 0.045])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_few_alarms_are_bounded_by_order_statistics(fpr, level):
    rng, tail = np.random.default_rng(3), (1 - level) / 4
    members, others = rng.normal(1, 1, 150), np.sort(rng.normal(0, 1, 200))[::-1]
    scores, member = np.concatenate([members, others]), np.arange(350) < 150
    chances = binom.cdf(np.arange(201), 200, fpr)
    fewest, most = (int(np.flatnonzero(chances >= q)[0]) for q in (tail, 1 - tail))
    highest = others[fewest - 1] if fewest else np.inf
    above = np.sum(members > highest), np.sum(members > others[most])
    bounds = [clopper_pearson(int(hits), 150, level=1 - 2 * tail) for hits in above]
    replicates = bootstrap(scores, member, np.arange(350), times=2)
    found = tpr_at_fpr(scores, member, replicates, fpr=fpr, level=level).tpr
    assert (found.low, found.high) == (bounds[0].low, bounds[1].high)


@pytest.mark.parametrize("copies", [1, 10])
def test_scores_tied_at_the_threshold_are_bounded_by_order_statistics(copies):
    """Of 10 or 100 others 3 in 10 tie on top; 2 in 10 are allowed, so no member counts."""
    side = np.repeat([1.0, 0.0], [3 * copies, 7 * copies])
    scores, member = np.tile(side, 2), np.arange(20 * copies) < 10 * copies
    replicates = bootstrap(scores, member, np.arange(20 * copies), fprs=(0.2,), times=50)
    found = tpr_at_fpr(scores, member, replicates, fpr=0.2)
    assert (found.tpr.low, found.tpr.value, found.measured_fpr.value) == (0, 0, 0)
    most = binom.ppf(0.9875, 10 * copies, 0.2)
    above = 3 * copies if most >= 3 * copies else 0
    assert found.tpr.high == clopper_pearson(above, 10 * copies, level=0.975).high


def test_many_alarms_are_left_to_the_bootstrap_but_no_narrower_than_exact():
    scores, member = world(1, n=900, grid=1000.0)
    replicates = bootstrap(scores, member, np.arange(900), fprs=(0.1,), times=400)
    found = tpr_at_fpr(scores, member, replicates, fpr=0.1)
    low, high = np.quantile(replicates.tpr[0.1], [0.025, 0.975])
    exact = clopper_pearson(round(found.tpr.value * found.members), found.members)
    assert found.tpr.low == pytest.approx(min(low, exact.low), abs=1e-12)
    assert found.tpr.high == pytest.approx(max(high, exact.high), abs=1e-12)


def test_the_auc_has_the_wider_interval_on_each_side():
    scores, member = world(2, n=200)
    replicates = bootstrap(scores, member, np.arange(200) // 4, times=400)
    exact, both = auc(scores, member), auc(scores, member, replicates)
    low, high = np.quantile(replicates.auc, [0.025, 0.975])
    assert exact == newcombe(exact.value, int(member.sum()), int((~member).sum()))
    assert both.low == pytest.approx(min(low, exact.low), abs=1e-12)
    assert both.high == pytest.approx(max(high, exact.high), abs=1e-12)


@pytest.mark.parametrize("level", [0.95, 0.9999])
def test_ends_beyond_the_replicates_follow_from_their_spread(level):
    """Of 300 replicates 7 lie beyond either end of a 95 % interval, and none of the other."""
    scores, member = world(2, n=200)
    replicates = bootstrap(scores, member, np.arange(200) // 4, times=300)
    found = auc(scores, member, replicates, level=level)
    v, units = found.value, min(replicates.worth)
    reach = student.ppf((1 + level) / 2, units - 1) * replicates.auc.std() / (v * (1 - v))
    odds = v / (1 - v) * np.exp(np.array([-reach, reach]))
    assert (found.low, found.high) == pytest.approx(tuple(odds / (1 + odds)), rel=1e-9)
    if level > 0.99:
        assert found.low < replicates.auc.min() < replicates.auc.max() < found.high


def test_a_rate_beyond_the_replicates_is_bounded_by_order_statistics():
    scores, member = world(1, n=900, grid=1000.0)
    few, many = (
        bootstrap(scores, member, np.arange(900), fprs=(0.1,), times=n) for n in (399, 400)
    )
    few, many = (tpr_at_fpr(scores, member, one, fpr=0.1, together=0.99) for one in (few, many))
    assert few.simultaneous == many.simultaneous
    assert few.tpr.low < many.tpr.low
    ranks, others = member.sum(), np.sort(scores[~member])[::-1]
    lowest = others[int(binom.ppf(0.0025, len(others), 0.1)) - 1]
    hits = int((scores[member] > lowest).sum())
    assert few.simultaneous.low == clopper_pearson(hits, int(ranks), level=0.995).low


def test_a_bootstrap_sorts_its_scores_once(monkeypatch):
    scores, member = world(0)
    sorts = []
    monkeypatch.setattr(roc, "tied", lambda one: sorts.append(1) or tied(one))
    monkeypatch.setattr(roc, "CELLS_AT_ONCE", 7 * 60)
    bootstrap(scores, member, np.arange(60), fprs=(0.1,), times=70)
    assert len(sorts) == 1


def test_grouped_alarms_count_groups():
    """300 non-members in 60 groups: ten alarms by records, two by groups."""
    scores, member = world(4, n=600, grid=1e6)
    member = np.arange(600) < 300
    single, fives = (
        bootstrap(scores, member, np.arange(600) // size, fprs=(1 / 30,), times=200)
        for size in (1, 5)
    )
    alone, grouped = (
        tpr_at_fpr(scores, member, replicates, fpr=1 / 30) for replicates in (single, fives)
    )
    assert (single.worth, fives.worth) == ((300, 300), (60, 60))
    assert grouped.tpr.value == alone.tpr.value
    assert grouped.tpr.low < alone.tpr.low < alone.tpr.high < grouped.tpr.high
    assert grouped.measured_fpr.high > alone.measured_fpr.high


def test_where_no_sample_moves_the_auc_groups_are_counted():
    groups = 20
    scores = np.concatenate([np.zeros(3 * groups), np.tile([-1.0, -1.0, 1.0], groups)])
    member, group = np.arange(6 * groups) < 3 * groups, np.arange(6 * groups) // 3
    drawn = bootstrap(scores, member, group, times=400)
    assert np.ptp(drawn.auc) == 0 < drawn.auc.std()  # 2 / 3 each time, but for rounding
    assert auc(scores, member, drawn) == newcombe(2 / 3, groups, groups)


def test_the_seed_decides():
    scores, member = world(0)
    one, same, other = (bootstrap(scores, member, np.arange(60), seed=s).auc for s in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()
    assert len(one) == 2000


def test_inputs_are_left_alone():
    scores, member = world(0)
    group = np.arange(60)
    for array in (scores, member, group):
        array.setflags(write=False)
    assert figures(scores, member, group) == figures(scores.copy(), member.copy(), group.copy())
