"""Accuracy of an attack whose threshold is learnt elsewhere: by hand, against a loop, simulated."""

import numpy as np
import pytest

from nonmember.errors import UnresolvableError
from nonmember.evaluation.attack_accuracy import _dealt, attack_accuracy


def world(seed, n, *, shift=1.0, size=1):
    """Members' scores are higher by ``shift``; ``size`` records of a group say much the same."""
    rng = np.random.default_rng(seed)
    group = np.arange(n) // size
    member = group % 2 == 0
    common = rng.normal(size=n)[group] if size > 1 else 0
    return common + rng.normal(size=n) + shift * member, member, group


def test_by_hand_where_sides_part():
    scores = np.array([9.0, 8, 7, 6, 1, 2, 3, 4])
    member = scores > 5
    found = attack_accuracy(scores, member, np.arange(8), folds=2, times=20)
    # Whichever members a fold learns from, the least of them may lie above one that it judges.
    assert found.balanced.value in {1 - missed / 8 for missed in range(4)}
    assert found.oracle == 1 and (found.members, found.non_members) == (4, 4)
    sure = attack_accuracy(member.astype(float), member, np.arange(8), times=20)
    assert sure.balanced.value == 1 and sure.balanced.low < 0.9  # four of each prove little


def test_equal_scores_share_a_verdict():
    member = np.arange(40) < 20
    blank = attack_accuracy(np.zeros(40), member, np.arange(40), times=20)
    assert blank.balanced.value == blank.oracle == 0.5
    gap = np.where(member, np.arange(40) % 10 < 9, np.arange(40) % 10 < 6).astype(float)
    found = attack_accuracy(gap, member, np.arange(40), times=20)
    assert found.balanced.value == found.oracle == pytest.approx((0.9 + 0.4) / 2)
    noise = 1e-12 * np.random.default_rng(0).normal(size=40)
    assert attack_accuracy(gap + noise * gap, member, np.arange(40), times=20) == found


def slowly(scores, member, group, folds, fold_of):
    """Balanced accuracy with the fold of each group given, and every threshold tried."""
    right = {True: [], False: []}
    for one in range(folds):
        judged = np.array([fold_of[unit] == one for unit in group])
        learnt, truth = scores[~judged], member[~judged]
        best, threshold = 0.0, np.inf
        for level in sorted(set(learnt.tolist()), reverse=True):
            gain = (learnt[truth] >= level).mean() - (learnt[~truth] >= level).mean()
            if gain > best + 1e-12:
                best, threshold = gain, level
        for score, inside in zip(scores[judged], member[judged], strict=True):
            right[bool(inside)].append((score >= threshold) == inside)
    return (np.mean(right[True]) + np.mean(right[False])) / 2


def test_it_equals_the_loop():
    scores, member, group = world(0, 90, size=3)
    scores = scores.round(1)
    dealt = _dealt(member, group, 4, 0)
    fold_of = dict(zip(group.tolist(), dealt.tolist(), strict=True))
    assert all(dealt[group == unit].min() == dealt[group == unit].max() for unit in group)
    for side in (member, ~member):
        assert np.ptp(np.bincount(dealt[side])) <= 3
    found = attack_accuracy(scores, member, group, folds=4, times=10)
    assert found.balanced.value == pytest.approx(slowly(scores, member, group, 4, fold_of))
    thresholds = np.r_[np.inf, scores]
    best = max(
        (scores[member] >= one).mean() - (scores[~member] >= one).mean() for one in thresholds
    )
    assert found.oracle == pytest.approx((1 + best) / 2)


def test_only_the_order_of_scores_counts():
    scores, member, group = world(1, 200)
    plain = attack_accuracy(scores, member, group, times=50)
    assert attack_accuracy(np.exp(scores) - 7, member, group, times=50) == plain
    turned = np.random.default_rng(0).permutation(200)
    again = attack_accuracy(scores[turned], member[turned], group[turned], times=50)
    assert again.balanced.value == plain.balanced.value


def test_an_oracle_sees_leaks_where_there_are_none():
    """100 zero-leak simulations: the honest mean is 0.5 within 4 standard errors."""
    found = [attack_accuracy(*world(seed, 200, shift=0.0), times=20) for seed in range(100)]
    honest = np.array([one.balanced.value for one in found])
    assert abs(honest.mean() - 0.5) < 4 * honest.std() / 10
    assert np.mean([one.oracle for one in found]) > 0.53


@pytest.mark.parametrize(("shift", "size"), [(0.0, 1), (1.0, 1), (1.0, 5)])
def test_intervals_cover_what_a_learnt_threshold_gets(shift, size):
    """At least 93 %, less two standard errors of 100 simulations."""
    truth, scores = [], []
    for seed in range(100):
        found = attack_accuracy(*world(seed, 200, shift=shift, size=size), times=200)
        scores.append(found.balanced)
        truth.append(found.balanced.value)
    expected = np.mean(truth)
    covered = np.mean([not one.excludes(expected) for one in scores])
    assert covered >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / 100)


def test_intervals_follow_groups():
    scores, member, group = world(2, 100)
    alone = attack_accuracy(scores, member, group, times=500).balanced
    copies = [np.repeat(part, 5) for part in (scores, member, group)]
    again = attack_accuracy(*copies, times=500).balanced
    assert again.value == alone.value
    assert again.high - again.low == pytest.approx(alone.high - alone.low, rel=0.15)


def test_infinite_scores_are_scores():
    member = np.arange(20) < 10
    scores = np.where(member, np.inf, -np.inf)
    assert attack_accuracy(scores, member, np.arange(20), times=20).balanced.value == 1


def test_refusals():
    scores, member, group = world(3, 20)
    with pytest.raises(UnresolvableError, match="one side"):
        attack_accuracy(scores[member], member[member], group[member])
    with pytest.raises(UnresolvableError, match="1 scores are NaN"):
        attack_accuracy(np.where(group == 3, np.nan, scores), member, group)
    with pytest.raises(UnresolvableError, match="too few of a side"):
        attack_accuracy(scores, member, np.where(member, 0, group))
    with pytest.raises(UnresolvableError, match="in 1 folds"):
        attack_accuracy(scores, member, group, folds=1)
