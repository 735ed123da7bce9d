"""Persons: by hand, at equal and unequal sizes, and against counting records."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.persons import Persons, persons
from nonmember.evaluation.roc import auc

HOW = ["mean", "trimmed", "max", "t"]


def world(seed, *, gap=0.0, count=60, fewest=1, most=30, between=0.5):
    """Persons with some records each, whose own level matters as well."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(fewest, most + 1, count)
    group = np.repeat(np.arange(count), sizes)
    member = group % 2 == 0
    scores = rng.normal(size=len(group)) + between * rng.normal(size=count)[group] + gap * member
    order = rng.permutation(len(group))
    return scores[order], member[order], group[order]


def value(given, **options):
    return persons(*given, times=50, **options).auc.value


@pytest.mark.parametrize("aggregate", HOW)
def test_persons_who_were_trained_on_come_first(aggregate):
    assert value(world(0, gap=1.5), aggregate=aggregate) > 0.8


@pytest.mark.parametrize("aggregate", HOW)
def test_noise_says_nothing(aggregate):
    found = [value(world(seed), aggregate=aggregate) for seed in range(60)]
    error = np.sqrt(61 / (12 * 30 * 30)) / np.sqrt(60)
    assert np.mean(found) == pytest.approx(0.5, abs=4 * error)


def test_equal_sizes_are_ranked_by_the_aggregate_itself():
    scores, member, group = world(1, gap=0.3, fewest=7, most=7)
    parts = [scores[group == one] for one in range(60)]
    side = np.arange(60) % 2 == 0
    for aggregate, reduce in (
        ("mean", np.mean),
        ("max", np.max),
        ("trimmed", lambda part: trim_mean(part, 0.2)),
    ):
        expected = auc(np.array([reduce(part) for part in parts]), side).value
        assert value((scores, member, group), aggregate=aggregate) == pytest.approx(expected)


def test_standardising_equals_the_loop():
    scores, member, group = world(2)
    ids = range(60)
    size = np.array([np.log(np.sum(group == one)) for one in ids])
    raw = np.array([scores[group == one].mean() for one in ids])
    other = np.arange(60) % 2 == 1
    low, high = size[other].min(), size[other].max()
    level = np.polyfit(size[other], raw[other], 1)
    size = np.clip(size, low, high)
    away = raw - np.polyval(level, size)
    steep = np.polyfit(size[other], np.log(np.abs(away[other])), 1)[0]
    expected = away / np.exp(np.clip(steep, -0.5, 0.5) * (size - size[other].mean()))
    found = persons(scores, member, group, times=10)
    assert found.ids == tuple(ids)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-9)


def test_the_moderated_t_by_hand():
    """Common variance 2 with weight 4: persons of two records at distance 2 have (8 + 2) / 5."""
    group = np.repeat(np.arange(20), 2)
    member = group < 10
    scores = np.tile([-1.0, 1.0], 20) + np.where(group == 0, 3.0, 0.0)
    found = persons(scores, member, group, aggregate="t", times=10)
    assert found.scores[0] == pytest.approx(3.0 / np.sqrt(2.0 / 2))
    assert set(found.scores[1:]) == {0.0}


def test_the_largest_of_many_records_is_no_sign_of_membership():
    """Members have more records; by the plain maximum they would seem found."""
    plain, ours = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        side = np.arange(80) % 2 == 0
        sizes = np.where(side, rng.integers(20, 60, 80), rng.integers(1, 60, 80))
        group = np.repeat(np.arange(80), sizes)
        scores = rng.normal(size=len(group))
        largest = np.array([scores[group == one].max() for one in range(80)])
        plain.append(auc(largest, side).value)
        ours.append(value((scores, side[group], group), aggregate="max"))
    assert np.mean(plain) > 0.57
    assert np.mean(ours) == pytest.approx(0.5, abs=0.05)


def test_the_interval_is_of_persons_and_not_of_records():
    """Counting each record as if independent, noise of twenty persons a side is sure of itself."""
    scores, member, group = world(4, count=40, fewest=50, most=50, between=2.0)
    found = persons(scores, member, group)
    naive = auc(scores, member)
    assert found.auc.high - found.auc.low > 3 * (naive.high - naive.low)
    assert (found.members, found.non_members, found.records) == (20, 20, 2000)


def test_records_without_a_score_are_left_out_and_counted():
    scores, member, group = world(5)
    lost = (group == 3) | (np.arange(len(group)) < 5)
    found = persons(np.where(lost, np.nan, scores), member, group, times=10)
    rest = persons(scores[~lost], member[~lost], group[~lost], times=10)
    assert (found.left_out, found.unscored) == (lost.sum(), 60 - len(found.ids))
    assert 3 not in found.ids
    assert (found.auc, found.scores) == (rest.auc, rest.scores)


def test_swapped_sides_of_equal_sizes_give_one_minus_the_auc():
    scores, member, group = world(6, gap=0.3, fewest=4, most=4)
    assert value((scores, ~member, group)) == pytest.approx(1 - value((scores, member, group)))


def test_one_record_a_person_is_enough():
    scores, member, group = world(7, gap=1.0, most=1)
    for aggregate in HOW:
        found = persons(scores, member, group, aggregate=aggregate, times=10)
        assert np.isfinite(found.scores).all()
        assert found.auc.value == pytest.approx(auc(scores, member).value)


def test_scores_that_do_not_differ_give_half():
    _, member, group = world(8)
    for aggregate in HOW:
        assert value((np.zeros(len(group)), member, group), aggregate=aggregate) == 0.5


def test_a_person_on_both_sides_is_refused():
    scores, member, group = world(0)
    with pytest.raises(DataError, match="persons: person 0 has member and non-member records"):
        persons(scores, member, np.where(group == 1, 0, group))


@pytest.mark.parametrize("side", [0, 1])
def test_too_few_persons_are_refused(side):
    scores, member, group = world(0)
    kept = (group % 2 != side) | (group < 18)
    with pytest.raises(
        UnresolvableError, match=r"persons: .* 9 .* at least 10 persons of each|9 m"
    ):
        persons(scores[kept], member[kept], group[kept])


def test_inputs_are_left_alone_and_the_seed_decides():
    given = world(9)
    for array in given:
        array.setflags(write=False)
    one, same = (persons(*given, times=20, seed=2) for _ in range(2))
    assert isinstance(one, Persons)
    assert one == same
