"""Priors, and who could be named: by hand, against loops, and where there is nothing to name."""

import numpy as np
import pytest
from scipy.stats import binom

from nonmember.errors import DataError, SpecError, UnresolvableError
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.risk import named, p_values, ppv, q_values, risks
from nonmember.evaluation.roc import TprAtFpr


def rate(tpr=(0.02, 0.03, 0.04), fpr=(0.0005, 0.001, 0.002)):
    found = Interval(*tpr, level=0.95)
    return TprAtFpr(0.001, found, found, Interval(*fpr, level=0.95), 1000, 1000)


def world(seed, members=300, others=300, gap=0.0, size=1):
    rng = np.random.default_rng(seed)
    member = np.arange(members + others) < members
    group = np.arange(members + others) // size
    return rng.normal(size=len(member)) + gap * member, member, group


def test_the_share_of_right_flags_by_hand():
    priors = {0.5: 0.968, 0.1: 0.769, 0.01: 0.233, 0.001: 0.029}
    for prior, expected in priors.items():
        assert ppv(prior, 0.03, 0.001) == pytest.approx(expected, abs=5e-4)
    assert ppv(0.5, 0.0, 0.1) == 0
    assert ppv(0.5, 0.0, 0.0) is None


def test_risks_at_each_prior():
    found = risks(rate(), own=(0.001, 0.1), population=10_000)
    assert [one.prior for one in found] == [0.5, 0.1, 0.01, 0.001]
    tenth = found[1]
    assert tenth.ppv is not None
    assert tenth.ppv.value == pytest.approx(0.1 * 0.03 / (0.1 * 0.03 + 0.9 * 0.001))
    assert tenth.ppv.low == pytest.approx(0.1 * 0.02 / (0.1 * 0.02 + 0.9 * 0.002))
    assert tenth.ppv.high == pytest.approx(0.1 * 0.04 / (0.1 * 0.04 + 0.9 * 0.0005))
    assert (tenth.found.low, tenth.found.value) == pytest.approx((20, 30))
    assert (tenth.false.value, tenth.false.high) == pytest.approx((9, 18))
    assert tenth.words() == (
        "With 0.1 of 10,000 records being members, 30 members and 9 others are flagged: 76.9% of "
        "the flags are right, and at least 52.6% (95% confidence)"
    )


def test_nobody_flagged_is_said_and_no_false_alarm_is_not_certainty():
    silent = risks(rate((0.0, 0.0, 0.01), (0.0, 0.0, 0.01)))[0]
    assert silent.ppv is None and "nobody was flagged" in silent.words()
    sure = risks(rate(fpr=(0.0, 0.0, 0.004)))[2].ppv
    assert sure is not None and sure.value == sure.high == 1 and sure.low < 0.05


@pytest.mark.parametrize("prior", [-0.1, 0.0, 1.0, 1.5, float("nan")])
def test_priors_that_are_none_are_refused(prior):
    with pytest.raises(SpecError, match="no share of members"):
        risks(rate(), own=(prior,))
    with pytest.raises(SpecError, match="no share of members"):
        ppv(prior, 0.1, 0.1)
    with pytest.raises(SpecError, match="population=0"):
        risks(rate(), population=0)


def test_p_values_by_hand():
    """Members 5 and 2; non-members 4, 2, 1: ties count against the record."""
    scores, member = np.array([5.0, 2, 4, 2, 1]), np.array([1, 1, 0, 0, 0], dtype=bool)
    np.testing.assert_allclose(
        p_values(scores, member, np.arange(5)), [1 / 4, 3 / 4, 1 / 3, 2 / 3, 1]
    )


def test_p_values_equal_the_loop_with_groups():
    scores, member, _ = world(0, 40, 60)
    scores = np.round(scores, 1)
    group = np.where(member, 0, 100) + np.random.default_rng(1).integers(0, 12, 100)
    found = p_values(scores, member, group)
    for place in range(100):
        others = [one for one in np.unique(group[~member]) if one != group[place]]
        shares = [np.mean(scores[group == one] >= scores[place]) for one in others]
        assert found[place] == pytest.approx((1 + sum(shares)) / (len(others) + 1))


@pytest.mark.parametrize("size", [1, 5])
def test_p_values_are_no_smaller_than_chance_on_nulls(size):
    """P(p <= a) <= a over fresh audits; groups of five agree with themselves entirely."""
    for at in (0.05, 0.2):
        low = 0
        for seed in range(400):
            scores, member, group = world(seed, 50, 95, size=size)
            scores = scores[group] if size > 1 else scores
            low += p_values(scores, member, group)[0] <= at
        assert low <= binom.ppf(0.9999, 400, at)
        assert low >= 0.2 * 400 * at


def test_q_values_by_hand():
    np.testing.assert_allclose(
        q_values(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3] * 1 + [0.16 / 3, 0.5]
    )


def test_everyone_is_named_who_is_far_above_all_others():
    scores, member, group = world(2, gap=20.0)
    found = named(scores, member, group, confidence=0.99)
    assert (found.members, found.candidates) == (300, 600)
    assert found.records - found.members <= 0.01 * found.records
    assert named(scores - 40 * member, member, group, confidence=0.9).records == 0


def test_names_are_right_as_often_as_was_promised():
    for confidence in (0.99, 0.9):
        wrong, any_named = [], 0
        for seed in range(40):
            scores, member, group = world(seed, 400, 400, gap=2.5)
            found = named(scores, member, group, confidence=confidence)
            any_named += found.records > 0
            wrong.append((found.records - found.members) / max(1, found.records))
        assert np.mean(wrong) <= 1 - confidence
        assert any_named >= (40 if confidence == 0.9 else 1)


def test_chance_names_hardly_anybody():
    """That anybody is named where nothing is to be found has at most the chance 1 - confidence."""
    alarms = sum(named(*world(seed), confidence=0.9).records > 0 for seed in range(200))
    assert alarms <= binom.ppf(0.9999, 200, 0.1)


@pytest.mark.parametrize(("confidence", "enough"), [(0.99, 199), (0.9, 19)])
def test_too_few_non_members_are_refused_with_the_number(confidence, enough):
    perfect, member, group = world(3, enough, enough, gap=50.0)
    assert named(perfect, member, group, confidence=confidence).members == enough
    few = world(3, enough, enough - 5, gap=50.0)
    with pytest.raises(UnresolvableError, match=f"use at least {enough} independent"):
        named(*few, confidence=confidence)
    with pytest.raises(UnresolvableError, match=f"use at least {enough} members and {enough}"):
        named(*world(3, 5, 30, gap=50.0), confidence=confidence)
    with pytest.raises(UnresolvableError, match="6 independent non-members"):
        named(*world(3, 40, 30, gap=50.0, size=5), confidence=confidence)


def test_bad_input_is_refused():
    scores, member, group = world(4, 30, 30)
    with pytest.raises(UnresolvableError, match="1 scores are NaN"):
        p_values(np.where(group == 5, np.nan, scores), member, group)
    with pytest.raises(DataError, match="1 groups have records among members and"):
        p_values(scores, member, np.where(group == 59, 0, group))
    with pytest.raises(DataError, match="no non-members"):
        named(scores, np.ones(60, dtype=bool), group)
    for confidence in (0.0, 1.0, -1.0):
        with pytest.raises(SpecError, match="share between 0 and 1"):
            named(scores, member, group, confidence=confidence)
    with pytest.raises(UnresolvableError, match="cannot name"):
        named(np.zeros(60), member, group)


def test_ties_everywhere_name_nobody():
    _, member, group = world(5)
    assert named(np.zeros(600), member, group, confidence=0.9).records == 0
    assert set(p_values(np.zeros(600), member, group)) == {1.0}
