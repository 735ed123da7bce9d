"""Two models on the same records: by hand, against loops, and where nothing differs."""

import numpy as np
import pytest
from scipy.stats import binom, norm

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.paired import (
    Discordance,
    auc_difference,
    holm,
    inverted,
    mcnemar,
    paired,
    tpr_difference,
    unpaired,
)
from nonmember.evaluation.roc import auc, bootstrap, tpr_at_fpr


def world(seed, n=200, *, gaps=(1.0, 1.0), shared=0.8, size=1):
    """Scores of two models about n members and n others, correlated; groups of ``size``."""
    rng = np.random.default_rng(seed)
    member, group = np.arange(2 * n) < n, np.arange(2 * n) // size
    common = rng.normal(size=2 * n)
    first, second = (
        np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=2 * n) + gap * member
        for gap in gaps
    )
    return first, second, member, group


def test_a_difference_is_of_the_same_figures_and_the_same_samples():
    first, second, member, group = world(0, gaps=(1.2, 0.4))
    found = auc_difference(paired(first, second, member, group, times=500, seed=3))
    drawn = [bootstrap(one, member, group, times=500, seed=3) for one in (first, second)]
    assert found.first == auc(first, member, drawn[0])
    assert found.second == auc(second, member, drawn[1])
    assert found.change.value == found.second.value - found.first.value
    spread = (drawn[1].auc - drawn[0].auc).std()
    assert found.change.high - found.change.low == pytest.approx(2 * 1.97 * spread, rel=0.15)
    assert found.change.excludes(0.0) and found.p_value < 1e-6


def test_pairing_narrows_the_interval():
    first, second, member, group = world(1, shared=0.95)
    change = auc_difference(paired(first, second, member, group)).change
    alone = auc(first, member)
    assert change.high - change.low < 0.6 * (alone.high - alone.low)


def test_rates_are_those_at_either_ones_own_threshold():
    first, second, member, group = world(2, gaps=(2.0, 0.5))
    found = tpr_difference(paired(first, 1000 + second, member, group, fprs=(0.1,)), 0.1)
    drawn = bootstrap(first, member, group, fprs=(0.1,))
    assert found.first == tpr_at_fpr(first, member, drawn, fpr=0.1).tpr
    expected = np.mean(second[member] > np.sort(second[~member])[-21])
    assert found.second.value == expected
    assert found.change.high < 0 and found.p_value < 0.001


@pytest.mark.parametrize("fpr", [None, 0.005, 0.1])
def test_the_p_value_and_the_interval_agree(fpr):
    for seed in range(6):
        given = world(seed, 200, gaps=(1.0, 0.7 + 0.1 * seed))
        for level in (0.9, 0.95):
            both = paired(*given, fprs=(fpr,) if fpr else (), times=200)
            found = (
                tpr_difference(both, fpr, level=level) if fpr else auc_difference(both, level=level)
            )
            assert found.change.low <= found.change.value <= found.change.high
            assert found.change.excludes(0.0) == (found.p_value < 1 - level)


def test_models_that_are_both_perfect_may_yet_differ():
    member = np.arange(100) < 50
    scores = member + np.linspace(0, 0.5, 100)
    for given in ((scores, 2 * scores), (scores, scores)):
        found = auc_difference(paired(*given, member, np.arange(100)))
        assert found.change.low < -0.02 and found.change.high > 0.02 and found.p_value == 1


def test_areas_that_no_sample_moves_are_not_taken_to_go_together():
    """Two in three records of each group of non-members lie below all members; then one does."""
    groups = 60
    member, group = np.arange(6 * groups) < 3 * groups, np.arange(6 * groups) // 3
    scores = [
        np.concatenate([np.zeros(3 * groups), np.tile(away, groups)])
        for away in ([-1.0, -1.0, 1.0], [-1.0, 1.0, 1.0])
    ]
    both = paired(*scores, member, group, times=400)
    assert np.ptp(both.samples[0].auc) == 0 < both.samples[0].auc.std()  # 2 / 3, but for rounding
    found = auc_difference(both)
    assert found.change == unpaired(found.first, found.second)


def test_a_model_that_is_compared_with_itself_is_no_different():
    first, _, member, group = world(3)
    found = auc_difference(paired(first, 3 * first, member, group))
    assert found.change.value == 0 and found.p_value == 1
    assert found.change.high - found.change.low < 0.02


def test_swapped_models_swap_the_ends():
    first, second, member, group = world(4, gaps=(1.0, 0.6))
    one = auc_difference(paired(first, second, member, group))
    two = auc_difference(paired(second, first, member, group))
    assert (two.change.low, two.change.high) == pytest.approx((-one.change.high, -one.change.low))
    assert two.p_value == pytest.approx(one.p_value, rel=0.01)


def test_records_of_a_group_count_once():
    first, second, member, group = world(5, 60)
    alone = auc_difference(paired(first, second, member, group)).change
    copies = [np.repeat(part, 8) for part in (first, second, member, group)]
    again = auc_difference(paired(*copies)).change
    assert again.value == pytest.approx(alone.value)
    assert again.high - again.low == pytest.approx(alone.high - alone.low, rel=0.2)
    wrong = auc_difference(paired(*copies[:3], np.arange(960))).change
    assert wrong.high - wrong.low < 0.5 * (alone.high - alone.low)


def test_two_levels_are_of_one_difference():
    both = paired(*world(9, gaps=(1.0, 0.6)), fprs=(0.1,), times=200)
    for found in (
        auc_difference(both, level=0.9, together=0.999),
        tpr_difference(both, 0.1, level=0.9, together=0.999),
    ):
        change, wide = found.change, found.simultaneous
        assert (change.level, wide.level) == (0.9, 0.999)
        assert wide.low < change.low <= change.value == wide.value <= change.high < wide.high
    assert wide == tpr_difference(both, 0.1, level=0.999).change


def test_arms_of_cross_fitted_scores_are_longer_and_the_p_value_larger():
    both = paired(*world(10, gaps=(1.0, 0.8)), times=200)
    plain, wide = auc_difference(both), auc_difference(both, wider=1.5)
    arms = ((one.change.high - one.change.value) for one in (plain, wide))
    assert 1.5 * next(arms) == pytest.approx(next(arms))
    assert wide.change.value == plain.change.value and wide.p_value > plain.p_value


def test_estimates_of_other_records_are_put_together_by_hand():
    found = unpaired(Interval(0.5, 0.6, 0.9, 0.95), Interval(0.4, 0.8, 0.9, 0.95))
    assert (found.low, found.value, found.high) == pytest.approx((-0.3, 0.2, 0.2 + 0.02**0.5))


def test_mcnemar_by_hand():
    """Six records that only the first flags, one that only the second does."""
    first = np.array([1] * 6 + [0] + [1] * 3 + [0] * 5, dtype=bool)
    second = np.array([0] * 6 + [1] + [1] * 3 + [0] * 5, dtype=bool)
    assert mcnemar(first, second) == Discordance(6, 1, 15, 7, 0.125)
    assert mcnemar(first, first) == Discordance(0, 0, 15, 0, 1.0)


def test_mcnemar_counts_a_group_once():
    first, second = np.zeros(40, dtype=bool), np.zeros(40, dtype=bool)
    first[:20] = True
    assert mcnemar(first, second, np.arange(40)).p_value < 1e-5
    grouped = mcnemar(first, second, np.arange(40) // 10)
    assert (grouped.first_only, grouped.units, grouped.p_value) == (20, 2, 0.5)
    balanced = np.tile([True, False], 20)
    assert mcnemar(balanced, ~balanced, np.arange(40) // 2).units == 0


def test_mcnemar_holds_its_level():
    rng, flags = np.random.default_rng(6), 0
    for _ in range(1000):
        flags += mcnemar(*(rng.random((2, 50)) < 0.3)).p_value <= 0.05
    assert flags <= binom.ppf(0.9999, 1000, 0.05)


def test_holm_by_hand():
    found = holm(np.array([0.04, 0.01, 0.03, 0.5]))
    np.testing.assert_allclose(found, [0.09, 0.04, 0.09, 0.5])
    assert holm(np.array([])).shape == (0,)
    picked = holm(np.array([0.03, 0.01]), among=4)
    np.testing.assert_allclose(picked, [0.09, 0.04])  # never below those of all four, above
    for wrong in (np.nan, -0.1, 1.1):
        with pytest.raises(DataError, match="leave out what was not tested"):
            holm(np.array([0.1, wrong]))


def test_inverting_a_normal_interval_gives_its_p_value():
    def ends(level):
        reach = norm.ppf((1 + level) / 2)
        return 2 - reach, 2 + reach

    assert inverted(ends, 0.0) == pytest.approx(2 * norm.sf(2), rel=0.01)
    assert inverted(ends, 2.0) == 1
    assert inverted(lambda level: (1.0, 2.0), 0.0) == 1e-12


def test_what_cannot_be_compared_is_refused():
    first, second, member, group = world(7, 20)
    with pytest.raises(UnresolvableError, match="1 records have no score by one of the models"):
        paired(first, np.where(group == 3, np.nan, second), member, group)
    with pytest.raises(DataError, match="1 groups have records among members and"):
        paired(first, second, member, np.where(group == 39, 0, group))
    with pytest.raises(DataError, match="no non-members"):
        paired(first, second, np.ones(40, dtype=bool), group)
    with pytest.raises(UnresolvableError, match="20 non-members cannot resolve"):
        tpr_difference(paired(first, second, member, group, fprs=(0.01,)), 0.01)
    with pytest.raises(UnresolvableError, match="is no rate"):
        tpr_difference(paired(first, second, member, group, fprs=(0.0,)), 0.0)
    with pytest.raises(DataError, match="no flags"):
        mcnemar(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))


def test_inputs_are_left_alone_and_the_seed_decides():
    given = world(8, 50)
    for array in given:
        array.setflags(write=False)
    one, same = (auc_difference(paired(*given, times=50, seed=2)) for _ in range(2))
    assert one == same
