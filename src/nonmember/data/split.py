"""Who is a member. The truth lives here and meets scores only in ``evaluation``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from nonmember.errors import DataError
from nonmember.seeds import generator
from nonmember.types import Groups, Member

IntArray: TypeAlias = Int[np.ndarray, "_"]

LEAST_FILLED = 0.9


@dataclass(frozen=True)
class Split:
    """Who is a member among n candidates; the records of one group are on one side.

    ``member`` is (n,); ``group`` (n,) has one code per group, a lone record its own, as
    ``tied_together`` gives them: records of one group tell nothing of one another's side.

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
    public: IntArray = np.array([], dtype=np.int64)


def tied_together(groups: Iterable[str | None], texts: np.ndarray) -> Groups:
    """One code for all records that a shared group or text connects, by way of others too.

    Copies of one text must never be on two sides, known and unknown at once, or count as
    independent, whatever groups they are in. Codes count up from 0 in order of appearance.

    Args:
        groups: of each record; None: it is in none.
        texts: one value per record, equal for equal texts.

    Raises:
        DataError: the lengths differ.
    """
    numbers: dict[str, int] = {}
    named = [-1 if one is None else numbers.setdefault(one, len(numbers)) for one in groups]
    if len(named) != len(texts):
        raise DataError(f"split: {len(named)} groups for {len(texts)} texts; give one of each")
    first, text = np.unique(texts, return_inverse=True)
    within = np.flatnonzero(np.array(named, dtype=np.int64) >= 0)
    n, nodes = len(texts), len(texts) + len(first) + len(numbers)
    rows = np.concatenate([np.arange(n), within])
    columns = np.concatenate([n + text, n + len(first) + np.array(named, dtype=np.int64)[within]])
    graph = csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(nodes, nodes))
    _, code = connected_components(graph, directed=False)
    _, place, code = np.unique(code[:n], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(place))[code]


def draw(
    groups: Groups,
    *,
    members: int,
    non_members: int | None = None,
    control: int = 0,
    public: int = 0,
    seed: int = 0,
) -> Drawn:
    """Deal a pool at random to three or four sides, whole groups at a time.

    The shuffled groups are dealt like cards, each to the side that lacks the largest share
    of its records and has room for it. Lone records fill each side exactly; with larger
    groups a side may stay up to a tenth short. Sides of one size are exchangeable; between
    unequal ones, large groups lean to the larger side, which has room for them longer.

    Args:
        groups: a code for each record of the pool, as ``tied_together`` gives them.
        members: how many records to train the target on.
        non_members: how many candidates to keep from it; None: as many as members.
        control: how many other records to train a clean control model on.
        public: how many more records whoever defends the target may use.
        seed: of the shuffle; the same seed gives the same draw.

    Raises:
        DataError: the pool is too small, or its groups too large, with the counts.
    """
    sides = (members, members if non_members is None else non_members, control)
    asked: Sequence[int] = (*sides, public) if public else sides
    _check_sizes(asked, len(groups))
    rng = generator(seed, "split")
    units = _units(groups)
    # Equal sides are exchangeable only if no side always comes first where shares are equal.
    precedence = rng.permutation(len(asked)).tolist()
    dealt = _deal([units[place] for place in rng.permutation(len(units))], asked, precedence)
    for name, side, size in zip(Drawn._fields, dealt, asked, strict=False):
        if len(side) < LEAST_FILLED * size:
            largest = max(len(unit) for unit in units)
            raise DataError(
                f"split: {len(side)} of {size} {name} could be drawn without cutting a group: the "
                f"pool has {len(groups)} records in {len(units)} groups, the largest of {largest}; "
                "ask for fewer records, or give a pool of more or smaller groups"
            )
    return Drawn(*(np.array(side, dtype=np.int64) for side in dealt))


def two_sides(
    members: Sequence[str | None], non_members: Sequence[str | None], texts: np.ndarray
) -> Split:
    """The split of two given sides, members first.

    Args:
        members: the group of each; None: it is in none.
        non_members: the same of the other side.
        texts: one value per record, members first, equal for equal texts.

    Raises:
        DataError: a side is empty, or a group or text stands on both.
    """
    _refuse_straddling(sorted((set(members) & set(non_members)) - {None}, key=str))
    member = np.arange(len(members) + len(non_members)) < len(members)
    return Split(member, tied_together([*members, *non_members], texts))


def _refuse_straddling(groups: Sequence[str | None]) -> None:
    if groups:
        raise DataError(
            f"split: {len(groups)} groups have records among members and among non-members; "
            "put all records of a group on one side"
        )


def _check_sizes(asked: Sequence[int], pool: int) -> None:
    for name, size, least in zip(Drawn._fields, asked, (1, 1, 0, 0), strict=False):
        if size < least:
            raise DataError(f"split: {name}={size}; ask for at least {least}")
    if sum(asked) > pool:
        counts = ", ".join(
            f"{size} {name}" for name, size in zip(Drawn._fields, asked, strict=False)
        )
        raise DataError(
            f"split: the pool has {pool} records, and {counts} are {sum(asked)}; ask for "
            f"{sum(asked) - pool} fewer, or give a larger pool"
        )


def _units(groups: Groups) -> list[IntArray]:
    """Positions of each group, in the order of the codes."""
    _, unit = np.unique(groups, return_inverse=True)
    order = np.argsort(unit, kind="stable")
    return np.split(order, np.cumsum(np.bincount(unit))[:-1])


def _deal(
    units: Sequence[IntArray], asked: Sequence[int], precedence: Sequence[int]
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
            sides[neediest].extend(unit.tolist())
    return sides
