"""Draws: exact, whole-group, deterministic, and blind to the order of the pool."""

from collections import Counter

import jaxtyping
import numpy as np
import pytest

from nonmember.data.split import Split, draw, tied_together, two_sides
from nonmember.errors import DataError

ALONE = np.arange(40)


def _grouped(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def test_lone_records_fill_every_side_exactly_without_overlap() -> None:
    drawn = draw(ALONE, members=10, non_members=15, control=5, seed=3)
    assert [len(side) for side in drawn] == [10, 15, 5, 0]
    together = np.concatenate(drawn)
    assert len(set(together.tolist())) == 30
    assert set(together.tolist()) <= set(range(40))


def test_balanced_by_default_and_the_whole_pool_if_asked() -> None:
    drawn = draw(ALONE, members=20)
    assert [len(side) for side in drawn] == [20, 20, 0, 0]
    assert sorted(np.concatenate(drawn).tolist()) == list(range(40))


def test_one_seed_is_one_draw_and_the_global_state_is_not_touched() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (draw(ALONE, members=15, control=5, seed=seed) for seed in (7, 7, 8))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first.members, other.members)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_membership_does_not_depend_on_the_place_in_the_pool() -> None:
    draws, sides = 2_000, np.zeros((3, 40))
    for seed in range(draws):
        for side, positions in enumerate(draw(ALONE, members=10, control=10, seed=seed)[:3]):
            sides[side, positions] += 1
    standard_error = np.sqrt(0.25 * 0.75 / draws)
    assert np.abs(sides / draws - 0.25).max() < 4.5 * standard_error


def test_a_balanced_draw_covers_the_pool_evenly() -> None:
    drawn = draw(np.arange(4_000), members=1_000, seed=1)
    for side in drawn.members, drawn.non_members:
        quarters = Counter((side // 1_000).tolist())
        assert all(abs(quarters[quarter] - 250) < 60 for quarter in range(4))


def test_groups_stay_whole_and_sides_stay_within_a_tenth() -> None:
    groups = _grouped([1, 2, 3, 4, 5] * 20)
    for seed in range(30):
        drawn = draw(groups, members=100, non_members=120, control=40, seed=seed)[:3]
        owners = [{groups[position] for position in side} for side in drawn]
        assert not (owners[0] & owners[1] or owners[0] & owners[2] or owners[1] & owners[2])
        for side, owner, asked in zip(drawn, owners, (100, 120, 40), strict=True):
            assert 0.9 * asked <= len(side) <= asked
            assert len(side) == sum((groups == group).sum() for group in owner)


def test_balanced_sides_get_groups_of_one_size_equally_often() -> None:
    groups = _grouped([7] + [1] * 40)
    large = Counter(
        "member" if 0 in drawn.members else "non-member"
        for drawn in (draw(groups, members=10, seed=seed) for seed in range(1_000))
        if 0 in drawn.members or 0 in drawn.non_members
    )
    assert abs(large["member"] - large["non-member"]) < 4 * np.sqrt(large.total())


def test_too_small_a_pool_gives_the_counts() -> None:
    message = (
        r"the pool has 40 records, and 30 members, 30 non_members, 5 control are 65; "
        r"ask for 25 fewer, or give a larger pool"
    )
    with pytest.raises(DataError, match=message):
        draw(ALONE, members=30, control=5)


def test_groups_too_large_for_a_side_give_the_counts() -> None:
    message = (
        r"0 of 9 \w+ could be drawn without cutting a group: the pool has 40 records in 2 groups, "
        r"the largest of 20; ask for fewer records, or give a pool of more or smaller groups"
    )
    with pytest.raises(DataError, match=message):
        draw(_grouped([20, 20]), members=9)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"members": 0}, "members=0; ask for at least 1"),
        ({"members": 3, "non_members": 0}, "non_members=0; ask for at least 1"),
        ({"members": 3, "control": -1}, "control=-1; ask for at least 0"),
    ],
)
def test_senseless_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        draw(ALONE, **sizes)


def test_two_sides_puts_members_first_and_gives_lone_records_their_own_group() -> None:
    split = two_sides(["ada", None, "ada"], ["bob", None, "bob"], np.arange(6))
    assert split.member.tolist() == [True, True, True, False, False, False]
    assert split.group.tolist() == [0, 1, 0, 2, 3, 2]


def test_a_group_on_both_sides_is_named() -> None:
    message = r"2 groups have records among members and among non-members; put all"
    with pytest.raises(DataError, match=message):
        two_sides(["bob", None, "ada"], ["ada", "bob", None], np.arange(6))
    with pytest.raises(DataError, match=r"1 groups have records among members"):
        Split(np.array([True, False]), np.array([5, 5]))


def test_an_empty_side_is_refused() -> None:
    with pytest.raises(DataError, match="there are no members; give both sides at least one"):
        two_sides([], ["a"], np.arange(1))
    with pytest.raises(DataError, match="there are no non-members; give both sides at least one"):
        two_sides(["a"], [], np.arange(1))


def naive_units(groups: list[str | None], texts: list[int]) -> list[int]:
    """Records meet whoever shares their group or text, until no two units meet any more."""
    units = list(range(len(texts)))
    for _ in texts:
        for i, j in np.ndindex(len(texts), len(texts)):
            same_group = groups[i] is not None and groups[i] == groups[j]
            if same_group or texts[i] == texts[j]:
                units[i] = units[j] = min(units[i], units[j])
    first = list(dict.fromkeys(units))
    return [first.index(unit) for unit in units]


def test_a_shared_group_or_text_ties_records_by_way_of_others_too() -> None:
    groups = ["ada", None, None, "bob", "ada", "cy", None, "cy"]
    texts = np.array([5, 6, 7, 6, 8, 8, 9, 10])
    assert tied_together(groups, texts).tolist() == [0, 1, 2, 1, 0, 0, 3, 0]
    assert tied_together([None] * 3, np.arange(3)).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="2 groups for 3 texts; give one of each"):
        tied_together([None, None], np.arange(3))


@pytest.mark.parametrize("seed", range(5))
def test_units_equal_the_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array([None, "a", "b", "c", "d", "e", "f"], dtype=object)
    groups, texts = rng.choice(names, 25, p=[0.4, *[0.1] * 6]), rng.integers(0, 30, 25)
    assert tied_together(groups.tolist(), texts).tolist() == naive_units(groups, texts.tolist())


def test_copies_on_a_side_are_one_group() -> None:
    split = two_sides([None, None, "ada"], [None, None], np.array([1, 1, 2, 3, 3]))
    assert split.group.tolist() == [0, 0, 1, 2, 2]
    with pytest.raises(DataError, match="1 groups have records among members and among"):
        two_sides(["ada", None], ["bob"], np.array([1, 2, 1]))


def test_unequal_lengths_are_refused_without_shape_checks_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(DataError, match="3 memberships for 2 groups; give one of each"):
        Split(np.array([True, False, True]), np.array([0, 1]))


def test_neither_balanced_side_is_the_fuller_one_more_often() -> None:
    groups = _grouped([4, 7, 7, 7, 7, 1, 7, 4])
    fuller = Counter()
    for seed in range(1_000):
        try:
            drawn = draw(groups, members=12, seed=seed)
        except DataError:
            continue  # groups this large often leave a side too short
        fuller[np.sign(len(drawn.members) - len(drawn.non_members))] += 1
    assert fuller.total() > 700
    assert abs(fuller[1] - fuller[-1]) < 4 * np.sqrt(fuller[1] + fuller[-1])
