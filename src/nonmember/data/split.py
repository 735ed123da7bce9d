"""Who is a member. The truth lives here and meets scores only in ``evaluation``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int

from nonmember.errors import DataError
from nonmember.seeds import generator
from nonmember.types import Groups, Member

IntArray: TypeAlias = Int[np.ndarray, "_"]

LEAST_FILLED = 0.9


@dataclass(frozen=True)
class Split:
    """Who is a member among n candidates; the records of one group are on one side.

    ``member`` is (n,); ``group`` (n,) has one code per group, a lone record its own.

    Raises:
        DataError: a side is empty, a group stands on both, or the lengths differ.
    """

    member: Member
    group: Groups

    def __post_init__(self) -> None:
        if len(self.member) != len(self.group):
            lengths = f"{len(self.member)} memberships for {len(self.group)} groups"
            raise DataError(f"split: {lengths}; give one of each per candidate")
        for name, side in (("members", self.member), ("non-members", ~self.member)):
            if not side.any():
                raise DataError(f"split: there are no {name}; give both sides at least one record")
        both = np.intersect1d(self.group[self.member], self.group[~self.member])
        _refuse_straddling([str(code) for code in both])


class Drawn(NamedTuple):
    """Positions in the pool, per side, in the order drawn; no group has records in two."""

    members: IntArray
    non_members: IntArray
    control: IntArray


def draw(
    groups: Sequence[str | None],
    *,
    members: int,
    non_members: int | None = None,
    control: int = 0,
    seed: int = 0,
) -> Drawn:
    """Deal a pool at random to three sides, whole groups at a time.

    The shuffled groups are dealt like cards, each to the side that lacks the largest share
    of its records and has room for it. Lone records fill each side exactly; with larger
    groups a side may stay up to a tenth short. Sides of one size are exchangeable; between
    unequal ones, large groups lean to the larger side, which has room for them longer.

    Args:
        groups: of each record of the pool; None: it stands alone.
        members: how many records to train the target on.
        non_members: how many candidates to keep from it; None: as many as members.
        control: how many other records to train a clean control model on.
        seed: of the shuffle; the same seed gives the same draw.

    Raises:
        DataError: the pool is too small, or its groups too large, with the counts.
    """
    asked = (members, members if non_members is None else non_members, control)
    _check_sizes(asked, len(groups))
    rng = generator(seed, "split")
    units = _units(groups)
    # Equal sides are exchangeable only if no side always comes first where shares are equal.
    precedence = rng.permutation(len(asked)).tolist()
    dealt = _deal([units[place] for place in rng.permutation(len(units))], asked, precedence)
    for name, side, size in zip(Drawn._fields, dealt, asked, strict=True):
        if len(side) < LEAST_FILLED * size:
            largest = max(len(unit) for unit in units)
            raise DataError(
                f"split: {len(side)} of {size} {name} could be drawn without cutting a group: the "
                f"pool has {len(groups)} records in {len(units)} groups, the largest of {largest}; "
                "ask for fewer records, or give a pool of more or smaller groups"
            )
    return Drawn(*(np.array(side, dtype=np.int64) for side in dealt))


def two_sides(members: Sequence[str | None], non_members: Sequence[str | None]) -> Split:
    """The split of two given sides, members first, from the group of each of their records.

    Raises:
        DataError: a side is empty, or a group stands on both.
    """
    _refuse_straddling(sorted((set(members) & set(non_members)) - {None}, key=str))
    member = np.arange(len(members) + len(non_members)) < len(members)
    code = np.zeros(len(member), dtype=np.int64)
    for number, unit in enumerate(_units([*members, *non_members])):
        code[unit] = number
    return Split(member, code)


def _refuse_straddling(groups: Sequence[str | None]) -> None:
    if groups:
        raise DataError(
            f"split: {len(groups)} groups have records among members and among non-members; "
            "put all records of a group on one side"
        )


def _check_sizes(asked: tuple[int, int, int], pool: int) -> None:
    for name, size, least in zip(Drawn._fields, asked, (1, 1, 0), strict=True):
        if size < least:
            raise DataError(f"split: {name}={size}; ask for at least {least}")
    if sum(asked) > pool:
        counts = ", ".join(
            f"{size} {name}" for name, size in zip(Drawn._fields, asked, strict=True)
        )
        raise DataError(
            f"split: the pool has {pool} records, and {counts} are {sum(asked)}; ask for "
            f"{sum(asked) - pool} fewer, or give a larger pool"
        )


def _units(groups: Sequence[str | None]) -> list[list[int]]:
    """Positions of each group, in the order in which the groups first appear."""
    units: dict[str | int, list[int]] = {}
    for position, group in enumerate(groups):
        units.setdefault(position if group is None else group, []).append(position)
    return list(units.values())


def _deal(
    units: Sequence[Sequence[int]], asked: Sequence[int], precedence: Sequence[int]
) -> list[list[int]]:
    sides: list[list[int]] = [[] for _ in asked]
    for unit in units:
        open_sides = [
            side for side, size in enumerate(asked) if len(sides[side]) + len(unit) <= size
        ]
        if open_sides:
            neediest = min(
                open_sides, key=lambda side: (len(sides[side]) / asked[side], precedence[side])
            )
            sides[neediest].extend(unit)
    return sides
