"""Slices and persons: by hand, with multiplicity, and where nothing is to be found."""

import numpy as np
import pytest

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.paired import holm
from nonmember.evaluation.roc import auc, bootstrap, tpr_at_fpr
from nonmember.evaluation.slices import copies, quarters, sizes, slices


def world(seed, *, gaps=(0.0, 0.0, 0.0), each=80, size=1):
    """As many members as others in each class; members of a class lie ``gaps`` above."""
    rng = np.random.default_rng(seed)
    n = each * len(gaps)
    kind, member = np.tile(np.arange(len(gaps)), 2 * each), np.arange(2 * n) < n
    scores = rng.normal(size=2 * n) + np.array(gaps)[kind] * member
    return scores, member, np.arange(2 * n) // size, {"class": kind}


def test_figures_are_those_of_the_slice_alone():
    scores, member, group, labels = world(0, gaps=(0.2, 1.5, 0.0))
    found = slices(scores, member, group, labels, fpr=0.1, times=300, seed=4)
    assert [one.name for one in found.tested] == ["0", "1", "2"] and not found.untested
    one = found.tested[1]
    own = labels["class"] == 1
    drawn = bootstrap(scores[own], member[own], group[own], fprs=(0.1,), times=300, seed=4)
    assert one.auc == auc(scores[own], member[own], drawn)
    assert one.simultaneous == auc(scores[own], member[own], drawn, level=1 - 0.05 / 6)
    expected = tpr_at_fpr(scores[own], member[own], drawn, fpr=0.1, together=1 - 0.05 / 6)
    assert one.tpr == expected
    assert (one.by, one.members, one.non_members) == ("class", 80, 80)
    assert found.worst == one
    assert one.p_value is not None and one.p_value < 1e-4


def test_p_values_are_adjusted_for_all_slices():
    scores, member, group, labels = world(1, gaps=(0.5, 0.4, 0.0))
    alone = [
        slices(*(part[labels["class"] == kind] for part in (scores, member, group)), {"all": ones})
        for kind, ones in ((kind, np.zeros(160, dtype=int)) for kind in range(3))
    ]
    raw = np.array([one.tested[0].p_value for one in alone])
    found = slices(scores, member, group, labels)
    assert [one.p_value for one in found.tested] == pytest.approx(holm(raw))


def test_small_slices_are_not_tested_and_not_safe():
    scores, member, group, labels = world(2)
    rare = {"class": np.where(np.arange(480) % 240 < 49, 7, 3), "half": group % 2}
    found = slices(scores, member, group, rare, times=100)
    (small,) = found.untested
    assert (small.by, small.name, small.members, small.non_members) == ("class", "7", 49, 49)
    assert small.auc is small.p_value is small.simultaneous is small.tpr is None
    assert [(one.by, one.name) for one in found.tested] == [
        ("class", "3"),
        ("half", "0"),
        ("half", "1"),
    ]
    # Of groups of five 80 records are 16 independent ones.
    grouped = slices(scores, member, group // 5, labels, times=100)
    assert not grouped.tested and grouped.worst is None and len(grouped.untested) == 3
    one_sided = slices(scores, member, group, {"side": member.astype(int)}, times=100)
    assert not one_sided.tested


def test_a_rate_that_a_slice_cannot_resolve_is_left_out():
    scores, member, group, labels = world(3)
    assert slices(scores, member, group, labels, fpr=0.01, times=50).tested[0].tpr is None
    assert slices(scores, member, group, labels, fpr=0.0125, times=50).tested[0].tpr is not None


def test_the_worst_is_the_one_that_surely_leaks():
    """A large slice at 0.75 comes before a small one whose estimate is larger and uncertain."""
    rng = np.random.default_rng(4)
    member = np.tile([True, False], 1050)
    kind = np.where(np.arange(2100) < 100, "small", "large")
    gap = np.where(kind == "small", 1.1, 0.95)
    scores = rng.normal(size=2100) + gap * member
    found = slices(scores, member, np.arange(2100), {"class": kind}, times=200)
    assert found.worst is not None and found.worst.name == "large"


def test_quarters_and_sizes_by_hand():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, np.nan])
    assert quarters(values).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 0]
    assert quarters(np.array([5.0, 5.0, 5.0])).tolist() == [1, 1, 1]
    assert quarters(np.full(2, np.nan)).tolist() == [0, 0]
    assert sizes(np.array([4, 4, 4, 9, 7, 7])).tolist() == [2, 2, 2, 1, 2, 2]
    assert sizes(np.repeat([1, 2], [4, 9])).tolist() == [4] * 4 + [8] * 9


def test_bad_input_is_refused():
    scores, member, group, labels = world(6)
    lost = np.where(group == 0, np.nan, scores)
    with pytest.raises(UnresolvableError, match="1 scores are NaN"):
        slices(lost, member, group, labels)
    with pytest.raises(DataError, match="1 groups have records among members and"):
        slices(scores, member, np.where(group == 479, 0, group), labels)
    for fpr in (0.0, 1.0, -0.1):
        with pytest.raises(UnresolvableError, match="is no rate"):
            slices(scores, member, group, labels, fpr=fpr)
    with pytest.raises(DataError, match="no non-members"):
        slices(scores, np.ones(480, dtype=bool), group, labels)


def test_ties_everywhere_are_half():
    _, member, group, labels = world(7)
    found = slices(np.zeros(480), member, group, labels, fpr=0.1, times=50)
    assert {one.auc.value for one in found.tested} == {0.5}
    assert {one.p_value for one in found.tested} == {1.0}
    assert found.tested[0].tpr.tpr.value == 0


def test_copies_cut_records_by_how_often_each_is_there():
    codes = np.array([[1, 2], [3, 4], [1, 2], [1, 2], [5, 6], [5, 6]], dtype=np.uint8)
    (cut,) = copies(codes).values()
    assert cut.tolist() == [2, 1, 2, 2, 2, 2]
    assert copies(codes[[0, 1, 4]]) == {}
