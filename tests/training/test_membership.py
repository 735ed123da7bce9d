"""Balanced membership: complementary pairs, whole groups, halves as equal as can be."""

from itertools import product

import numpy as np
import pytest

from nonmember.errors import DataError, SpecError
from nonmember.training.membership import balanced


def drawn(sizes: list[int]) -> np.ndarray:
    """Groups of these sizes, their candidates mixed."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize(
    "sizes",
    [[1] * 20, [1] * 21, [3, 3, 2, 2, 2], [10, 1], [5, 5], [7, 4, 2, 2, 1], [9, 1, 1, 1], [2] * 9],
)
def test_halves_are_as_equal_as_whole_groups_permit(sizes: list[int]) -> None:
    groups = drawn(sizes)
    member = balanced(groups, 6, seed=3)
    assert member.shape == (6, sum(sizes)) and member.dtype == bool
    np.testing.assert_array_equal(member[1::2], ~member[::2])
    np.testing.assert_array_equal(member.sum(axis=0), 3)
    for group in np.unique(groups):
        inside = member[:, groups == group]
        assert (inside == inside[:, :1]).all()
    if len(sizes) < 10:
        sums = [np.dot(sizes, sides) for sides in product((0, 1), repeat=len(sizes))]
        best = min(abs(2 * one - sum(sizes)) for one in sums)
    else:
        best = sum(sizes) % 2
    assert (abs(2 * member.sum(axis=1) - sum(sizes)) == best).all()


def test_a_larger_number_begins_with_the_same_models_and_another_seed_does_not() -> None:
    groups = np.arange(50)
    first = balanced(groups, 4, seed=1)
    np.testing.assert_array_equal(balanced(groups, 10, seed=1)[:4], first)
    assert not np.array_equal(balanced(groups, 4, seed=2), first)
    assert len(np.unique(balanced(groups, 10, seed=1), axis=0)) == 10


def test_every_pair_of_groups_is_parted_about_half_the_time() -> None:
    """Drawn like fair coins: in 1,000 pairs a share has a standard error of 0.016."""
    member = balanced(drawn([4, 3, 3, 2] + [1] * 8), 2000, seed=0)[::2]
    assert np.abs(member.mean(axis=0) - 0.5).max() < 0.07
    groups = drawn([4, 3, 3, 2] + [1] * 8)
    large = member[:, [int(np.flatnonzero(groups == group)[0]) for group in range(4)]]
    together = (large[:, :, None] == large[:, None, :]).mean(axis=0)[np.triu_indices(4, 1)]
    assert (together > 0.3).all() and (together < 0.6).all()


@pytest.mark.parametrize("m", [0, 1, 5])
def test_an_odd_number_is_refused_with_the_next_even_one(m: int) -> None:
    with pytest.raises(SpecError, match=f"reference models: {m} cannot be paired.*give [46]"):
        balanced(np.arange(9), m)


def test_a_single_group_is_refused() -> None:
    with pytest.raises(DataError, match="the 5 candidates make 1 group"):
        balanced(np.zeros(5, dtype=np.int64), 4)
