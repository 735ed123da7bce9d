"""The records in question: read or drawn, none on two sides, in an order that tells nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from nonmember.audit.spec import Data
from nonmember.data import texts
from nonmember.data.corpora import python_functions
from nonmember.data.records import Records
from nonmember.data.split import Split, draw, two_sides
from nonmember.data.texts import Record
from nonmember.errors import DataError
from nonmember.seeds import generator

SPARE = 4  # records looked at for each one that the attacker shall know


@dataclass(frozen=True)
class Candidates:
    """The records in question and the truth about them, in an order that their content gives.

    ``control`` records are on neither side. Those that the attacker knows, members and
    non-members, are not evaluated.
    """

    records: Records
    split: Split
    control: Records
    known_members: Records
    known_non_members: Records


def read_candidates(data: Data, *, seed: int) -> Candidates:
    """Read both sides, or draw them from a pool.

    Raises:
        DataError: a file that cannot be used, a text on two sides, too few records or groups.
    """
    if data.pool is not None and data.take is not None:
        pool = _pool(data)
        drawn = draw(
            [_kept_together(record) for record in pool],
            members=data.take.members,
            non_members=data.take.non_members,
            control=data.take.control,
            seed=seed,
        )
        members, outsiders, control = (pool.take(part) for part in drawn)
    else:
        members, outsiders = _two_files(data)
        control = Records.of([])
    _refuse_overlap(members, outsiders, control)
    split = two_sides([r.group for r in members], [r.group for r in outsiders])
    records = members + outsiders
    known = _known(records, split, data.known, seed)
    evaluated = ~known
    _refuse_one_group(split, evaluated)
    # In an order that their content gives: the place of a record must not tell its side.
    high, low = records.digests.view(">u8").T
    order = np.lexsort((low, high))
    order = order[evaluated[order]]
    return Candidates(
        records.take(order),
        Split(split.member[order], split.group[order]),
        control,
        records.take(np.flatnonzero(known & split.member)),
        records.take(np.flatnonzero(known & ~split.member)),
    )


def _refuse_one_group(split: Split, evaluated: np.ndarray) -> None:
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if len(np.unique(split.group[side & evaluated])) < 2:
            raise DataError(
                f"data: all {name} are one group, and one group has no spread to judge by; "
                "give records of two groups or more on each side"
            )


def _known(records: Records, split: Split, count: int, seed: int) -> np.ndarray:
    """Marks of the records that the attacker knows: ``count`` of each side, in whole groups.

    None shares 13 words with a record that is evaluated: it would hand a part of it over.
    """
    known = np.zeros(len(records), dtype=bool)
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if not count:
            break
        looked_at = _first_groups(split, side, SPARE * count, seed)
        others = np.ones(len(records), dtype=bool)
        others[looked_at] = False
        shared = texts.shared_ngrams(records.take(looked_at), records.take(np.flatnonzero(others)))
        tainted = np.unique(split.group[looked_at[list(shared)]])
        free = looked_at[~np.isin(split.group[looked_at], tainted)]
        if len(free) < count or side.sum() - count < 2:
            raise DataError(
                f"data.known: {count} {name} cannot be set aside for the attacker: of "
                f"{int(side.sum())}, {len(free)} of {len(looked_at)} looked at share no 13 words "
                "with another record; ask for fewer"
            )
        known |= np.isin(split.group, split.group[free[:count]])
    if count:
        _refuse_shared(records, known)
    return known


def _first_groups(split: Split, side: np.ndarray, least: int, seed: int) -> Int[np.ndarray, "_"]:
    """Positions of ``least`` records of a side, or somewhat more: whole groups, drawn."""
    groups = np.unique(split.group[side])
    sizes = np.bincount(split.group)[groups]
    order = generator(seed, "known").permutation(len(groups))
    taken = order[: int(np.searchsorted(np.cumsum(sizes[order]), least)) + 1]
    return np.flatnonzero(np.isin(split.group, groups[taken]))


def _refuse_shared(records: Records, known: np.ndarray) -> None:
    mine = records.take(np.flatnonzero(known))
    shared = texts.shared_ngrams(mine, records.take(np.flatnonzero(~known)))
    if shared:
        raise DataError(
            f"{mine[shared[0]].id}, which the attacker is to know, shares 13 words with a record "
            "that is evaluated; group records of one source, or choose another seed"
        )


def _two_files(data: Data) -> tuple[Records, Records]:
    """Both sides; ids begin with the folder's name where the files have the same."""
    sides = []
    for path, other in ((data.members, data.non_members), (data.non_members, data.members)):
        place = Path(str(path)).expanduser()
        found = texts.read(place, field=data.field, group=data.group)
        if place.name == Path(str(other)).name:
            folder = place.absolute().parent.name
            found = Records.of(replace(record, id=f"{folder}/{record.id}") for record in found)
        sides.append(found)
    return sides[0], sides[1]


def _kept_together(record: Record) -> str:
    """Records of one group, and copies of one text, are dealt to the same side."""
    return record.group if record.group is not None else texts.normalised(record.plain())


def _pool(data: Data) -> Records:
    if data.pool == "python-functions":
        return python_functions()
    return texts.read(Path(str(data.pool)).expanduser(), field=data.field, group=data.group)


def _refuse_overlap(
    members: Sequence[Record], outsiders: Sequence[Record], control: Sequence[Record]
) -> None:
    for left, right in ((members, outsiders), (control, members), (control, outsiders)):
        pairs = texts.overlap(left, right)
        if pairs:
            first = f"{left[pairs[0][0]].id} and {right[pairs[0][1]].id}"
            more = f" ({len(pairs)} such pairs in all)" if len(pairs) > 1 else ""
            raise DataError(
                f"{first} hold the same text{more}: a record cannot be on two sides; "
                "remove it from one"
            )
