"""The records in question: read or drawn, none on two sides, in an order that tells nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nonmember.audit.spec import Data
from nonmember.data import texts
from nonmember.data.corpora import python_functions
from nonmember.data.split import Split, draw, two_sides
from nonmember.data.texts import Record
from nonmember.errors import DataError
from nonmember.models.source import digest


@dataclass(frozen=True)
class Candidates:
    """The records in question and the truth about them; ``control`` ones are on neither side."""

    records: tuple[Record, ...]
    split: Split
    control: tuple[Record, ...]


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
        members, outsiders, control = (tuple(pool[i] for i in part) for part in drawn)
    else:
        members, outsiders = _two_files(data)
        control = ()
    _refuse_overlap(members, outsiders, control)
    split = two_sides([r.group for r in members], [r.group for r in outsiders])
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if len(np.unique(split.group[side])) < 2:
            raise DataError(
                f"data: all {name} are one group, and one group has no spread to judge by; "
                "give records of two groups or more on each side"
            )
    return _shuffled(Candidates(members + outsiders, split, control))


def _shuffled(known: Candidates) -> Candidates:
    """In an order that their content gives: the place of a record must not tell its side."""
    contents = [digest(record.plain(), record.id) for record in known.records]
    order = np.argsort(contents)
    split = Split(known.split.member[order], known.split.group[order])
    return Candidates(tuple(known.records[i] for i in order), split, known.control)


def _two_files(data: Data) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Both sides; ids begin with the folder's name where the files have the same."""
    sides = []
    for path, other in ((data.members, data.non_members), (data.non_members, data.members)):
        place = Path(str(path)).expanduser()
        found = texts.read(place, field=data.field, group=data.group)
        if place.name == Path(str(other)).name:
            folder = place.absolute().parent.name
            found = tuple(replace(record, id=f"{folder}/{record.id}") for record in found)
        sides.append(found)
    return sides[0], sides[1]


def _kept_together(record: Record) -> str:
    """Records of one group, and copies of one text, are dealt to the same side."""
    return record.group if record.group is not None else texts.normalised(record.plain())


def _pool(data: Data) -> tuple[Record, ...]:
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
