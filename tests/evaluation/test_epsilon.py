from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from nonmember.errors import DataError, SpecError, UnresolvableError
from nonmember.evaluation.epsilon import SHARES, Bound, Side, _choosing, from_counts, two_sided
from nonmember.evaluation.f_dp import gaussian_epsilon
from nonmember.evaluation.intervals import clopper_pearson
from nonmember.seeds import generator


def drawn(each: int, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    member = rng.permutation(np.arange(2 * each) < each)
    return rng.normal(size=2 * each) + shift * member, member


def best_by_hand(tp: int, fp: int, each: int, error: float, delta: float = 1e-5) -> float:
    """Both ratios, from the four ends that their definition names."""
    tp, fp = int(tp), int(fp)
    found, alarm = (clopper_pearson(hits, each, level=1 - error / 2) for hits in (tp, fp))
    missed, passed = (clopper_pearson(each - hits, each, level=1 - error / 2) for hits in (tp, fp))
    ratios = (found.low - delta) / alarm.high, (passed.low - delta) / missed.high
    return float(np.log(max(*ratios, 1.0)))


def test_the_golden_bound():
    bound = from_counts(100, 1000, 1, 1000, direction="tpr", delta=0.0)
    assert bound.epsilon == pytest.approx(2.693, abs=1e-3)
    assert bound.epsilon == pytest.approx(np.log(0.08211 / 0.00556), abs=1e-3)
    counts = {"true positives": 100, "members": 1000, "false positives": 1, "non-members": 1000}
    assert (bound.counts, bound.valid, bound.level) == (counts, "descriptive", 0.95)


def test_the_other_ratio_is_that_of_the_test_turned_round():
    bound = from_counts(100, 1000, 1, 1000, direction="tpr")
    turned = from_counts(999, 1000, 900, 1000, direction="tnr")
    assert turned.epsilon == pytest.approx(bound.epsilon, abs=1e-12)
    assert from_counts(100, 1000, 1, 1000, direction="tnr").epsilon < bound.epsilon


@pytest.mark.parametrize(("tp", "fp"), [(100, 1), (999, 900), (1000, 0), (0, 1000), (0, 0)])
@pytest.mark.parametrize("delta", [0.0, 1e-5, 0.2])
def test_both_ratios_have_half_the_error_each(tp, fp, delta):
    bound = from_counts(tp, 1000, fp, 1000, delta=delta)
    assert bound.epsilon == pytest.approx(best_by_hand(tp, fp, 1000, 0.05, delta), abs=1e-9)


def test_more_delta_and_more_confidence_bound_less():
    for bounds in (
        [from_counts(90, 100, 5, 100, delta=delta).epsilon for delta in (0.0, 1e-3, 0.1, 0.9)],
        [from_counts(90, 100, 5, 100, level=level).epsilon for level in (0.5, 0.9, 0.99)],
    ):
        assert all(one > next_one for one, next_one in pairwise(bounds))
        assert bounds[-1] >= 0


@pytest.mark.parametrize(("trials", "worth"), [(7, 7), (200, 200), (10, 5), (30, 7)])
def test_the_lower_ends_are_those_of_clopper_and_pearson(trials, worth):
    hits = np.arange(trials + 1)
    by_one = [clopper_pearson(int(hit), trials, worth=worth, level=0.95).low for hit in hits]
    assert Side(trials, worth).low(hits, 0.025) == pytest.approx(by_one, abs=1e-12)


def test_a_fixed_threshold_counts_what_lies_above_it():
    scores = np.tile([0.0, 1, 1, 2, 3, 4], 20)
    member = np.tile([False, False, True, False, True, True], 20)
    bound = two_sided(scores, member, threshold="fixed", at=[1.0])
    expected = from_counts(40, 60, 20, 60)
    assert (bound.epsilon, bound.counts) == (expected.epsilon, expected.counts)
    assert bound.epsilon > 0
    assert bound.valid == "descriptive"


def test_several_thresholds_share_the_error():
    scores, member = drawn(300, 2.0)
    at = (-1.0, 0.0, 1.0, 2.0, 3.0)
    bound = two_sided(scores, member, threshold="bonferroni", at=at)
    each = [
        best_by_hand((scores[member] > t).sum(), (scores[~member] > t).sum(), 300, 0.05 / 5)
        for t in at
    ]
    assert bound.epsilon == pytest.approx(max(each), abs=1e-9)


def test_thresholds_by_rank_flag_shares_of_all_records():
    scores, member = drawn(300, 2.0)
    ordered = np.sort(scores)[::-1]
    least = [ordered[int(share * 599)] for share in SHARES]
    each = [
        best_by_hand(
            (scores[member] >= t).sum(), (scores[~member] >= t).sum(), 300, 0.05 / len(SHARES)
        )
        for t in least
    ]
    bound = two_sided(scores, member, threshold="bonferroni")
    assert bound.epsilon == pytest.approx(max(each), abs=1e-9)
    assert bound.epsilon > 0.5


def test_a_split_bounds_on_the_other_half():
    scores, member = np.arange(80.0), np.arange(80) >= 40
    bound = two_sided(scores, member)
    expected = from_counts(20, 20, 0, 20, direction="tpr")
    assert bound.epsilon == pytest.approx(expected.epsilon, abs=0.2)
    assert (bound.counts["members"], bound.counts["non-members"]) == (20, 20)


def test_a_split_does_not_see_the_labels_of_the_half_that_bounds():
    """Where the chosen half leaks and the other does not, nothing is bounded."""
    member = np.arange(400) < 200
    half = _choosing(member, np.arange(400), generator(0, "epsilon"))
    noise = np.random.default_rng(0).normal(size=400)
    assert two_sided(np.where(half, noise + 9 * member, noise), member).epsilon == 0
    assert two_sided(np.where(~half, noise + 9 * member, noise), member).counts["members"] == 100


def test_halves_keep_groups_whole_and_have_both_sides():
    member = np.arange(60) < 30
    group = np.arange(60) // 5
    half = _choosing(member, group, np.random.default_rng(0))
    assert all(len(set(half[group == one])) == 1 for one in range(12))
    assert (half[member].sum(), half[~member].sum()) == (15, 15)


@pytest.mark.parametrize("threshold", ["split", "bonferroni"])
def test_only_the_order_of_scores_counts(threshold):
    scores, member = drawn(100, 1.5)
    before = scores.copy()
    bound = two_sided(scores, member, threshold=threshold)
    assert bound == two_sided(np.exp(scores), member, threshold=threshold)
    assert (scores == before).all()


def test_copies_in_a_group_do_not_sharpen_a_bound():
    scores, member = drawn(100, 3.0)
    once = two_sided(scores, member, threshold="bonferroni", at=[0.0, 1.0])
    person = np.repeat(np.arange(200), 4)
    often = two_sided(scores[person], member[person], person, threshold="bonferroni", at=[0.0, 1.0])
    assert often.epsilon == pytest.approx(once.epsilon, abs=1e-12)
    apart = two_sided(scores[person], member[person], threshold="bonferroni", at=[0.0, 1.0])
    assert apart.epsilon > often.epsilon


@pytest.mark.parametrize("threshold", ["split", "bonferroni", "fixed"])
@pytest.mark.parametrize("each", [50, 500])
def test_nothing_is_bounded_where_nothing_leaks(threshold, each):
    """At most 5 %, plus two binomial standard errors of 200 audits (3.1 points)."""
    at = [0.0] if threshold == "fixed" else []
    alarms = [
        two_sided(*drawn(each, seed=seed), threshold=threshold, at=at, seed=seed).epsilon > 0
        for seed in range(200)
    ]
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_persons_with_one_score_raise_no_alarms():
    """Two binomial standard errors of 100 audits, as above; forgetting the groups raises many."""
    person = np.repeat(np.arange(80), 10)
    apart, together = [], []
    for seed in range(100):
        scores, member = drawn(40, seed=seed)
        given = scores[person], member[person]
        together.append(two_sided(*given, person, seed=seed).epsilon > 0)
        apart.append(two_sided(*given, threshold="bonferroni").epsilon > 0)
    assert np.mean(together) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)
    assert np.mean(apart) > 0.3


@pytest.mark.parametrize("threshold", ["split", "bonferroni"])
def test_bounds_stay_below_a_known_epsilon(threshold):
    """Randomised response at epsilon 1, ties everywhere; two standard errors of 100 audits."""
    above = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        member = np.arange(600) < 300
        answers = np.where(rng.random(600) < 1 / (1 + np.exp(-1.0)), member, ~member)
        bound = two_sided(answers.astype(float), member, threshold=threshold, seed=seed)
        above.append(bound.epsilon > 1)
    assert np.mean(above) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 100)


@pytest.mark.parametrize("threshold", ["split", "bonferroni"])
def test_a_planted_leak_is_found(threshold):
    truth = gaussian_epsilon(2.0, 1e-5)
    found = [two_sided(*drawn(500, 2.0, seed), threshold=threshold).epsilon for seed in range(20)]
    assert min(found) > 1.5
    assert max(found) < truth
    assert norm.cdf(1) / norm.cdf(-1) < np.exp(np.median(found))  # more than the middle says


def test_bounds_print_as_bounds_rounded_down():
    bound = Bound(2.69298, 0.95, "one run", 1e-5, {}, "dp")
    assert str(bound) == "epsilon >= 2.692 at 95 % (delta 1e-05; one run)"
    told = str(from_counts(1, 2, 1, 2, level=0.999))
    assert told.startswith("epsilon >= 0 at 99.9 % (")
    assert told.endswith("exploratory, not a DP bound)")


def test_independent_runs_make_it_a_statement_on_dp():
    assert from_counts(9, 10, 1, 10, independent_runs=True).valid == "dp"


def test_scores_that_bound_nothing_are_refused():
    scores, member = drawn(10)
    for bad, truth, told in (
        (np.where(np.arange(20) == 3, np.nan, scores), member, "1 scores are NaN"),
        (scores, np.ones(20, dtype=bool), "one side"),
        (scores, np.zeros(20, dtype=bool), "one side"),
        (np.full(20, 0.3), member, "all 20 scores are equal"),
        (np.full(20, 0.3) + 1e-14 * np.arange(20), member, "all 20 scores are equal"),
    ):
        with pytest.raises(UnresolvableError, match=told):
            two_sided(bad, truth)
    with pytest.raises(DataError, match="group 1 has records of both sides"):
        two_sided(scores, member, np.ones(20, dtype=int))
    with pytest.raises(UnresolvableError, match="a split needs two"):
        two_sided(scores, member, member.astype(int))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"delta": -1e-9}, "delta -1e-09"),
        ({"delta": 1.0}, "delta 1 "),
        ({"delta": float("nan")}, "delta nan"),
        ({"level": 1.0}, "level 1 "),
        ({"level": 0.0}, "level 0 "),
        ({"at": [0.0]}, "`split` chooses"),
        ({"threshold": "fixed"}, "takes one threshold, not 0"),
        ({"threshold": "fixed", "at": [0.0, 1.0]}, "takes one threshold, not 2"),
        ({"threshold": "bonferroni", "at": [0.0, float("nan")]}, "is NaN"),
    ],
)
def test_impossible_options_are_refused(options, told):
    with pytest.raises(SpecError, match=told):
        two_sided(*drawn(10), **options)


@pytest.mark.parametrize("counts", [(-1, 5, 0, 5), (6, 5, 0, 5), (0, 0, 0, 5), (1, 5, -2, 5)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(DataError, match="is no count"):
        from_counts(*counts)
