"""The records in question: read or drawn, none on two sides, in an order that tells nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int

from nonmember.audit.canaries import folder
from nonmember.audit.canaries.folder import Canaries
from nonmember.audit.language.spec import Data
from nonmember.data import texts
from nonmember.data.corpora import python_functions
from nonmember.data.records import Records
from nonmember.data.split import Split, draw, tied_together, two_sides
from nonmember.data.texts import Record
from nonmember.errors import DataError
from nonmember.seeds import generator

SPARE = 4  # records looked at first for each one that the attacker shall know
ROUNDS = 8  # of looking at twice as many more, each of which reads all records once


@dataclass(frozen=True)
class Candidates:
    """The records in question and the truth about them, in an order that their content gives.

    ``control`` records are on neither side. Those that the attacker knows, members and
    non-members, are not evaluated. Candidates may be ``canaries``.
    """

    records: Records
    split: Split
    control: Records
    known_members: Records
    known_non_members: Records
    canaries: Canaries | None = None

    def ids(self, places: Int[np.ndarray, "_"]) -> list[str]:
        """The names of the records at these places."""
        return [record.id for record in self.records.take(places)]


def read_candidates(data: Data, *, seed: int) -> Candidates:
    """Read both sides, or draw them from a pool.

    Raises:
        DataError: a file that cannot be used, a text on two sides, too few records or groups.
    """
    if data.canaries is not None:
        return _canaries(folder.read(data.canaries, "language"))
    members, outsiders, control = _sides(data, seed)
    _refuse_overlap(members, outsiders, control)
    records = members + outsiders
    split = two_sides(
        [record.group for record in members],
        [record.group for record in outsiders],
        texts.digests(records),
    )
    known = _known(records, split, data.known, seed)
    evaluated = ~known
    _refuse_one_group(split, evaluated)
    # In an order that their content gives: the place of a record must not tell its side.
    order = by_content(records)
    order = order[evaluated[order]]
    return Candidates(
        records.take(order),
        Split(split.member[order], split.group[order]),
        control,
        records.take(np.flatnonzero(known & split.member)),
        records.take(np.flatnonzero(known & ~split.member)),
    )


def _canaries(found: Canaries) -> Candidates:
    """Canaries as candidates: members are those that were put into the data.

    Raises:
        DataError: they are not as they were written, or the coins all fell alike.
    """
    all_of_them = folder.records_of(found)
    order, none = by_content(all_of_them), Records.of([])
    split = Split(found.coins[order], np.arange(len(order)))
    _refuse_one_group(split, np.ones(len(order), dtype=bool))
    return Candidates(all_of_them.take(order), split, none, none, none, found)


def by_content(records: Records) -> Int[np.ndarray, "n"]:
    """Positions in the order of the records' digests."""
    high, low = records.digests.view(">u8").T
    return np.lexsort((low, high))


def in_order(records: Records) -> Records:
    """The records in the order of their digests, as candidates stand."""
    return records.take(by_content(records))


def _sides(data: Data, seed: int) -> tuple[Records, Records, Records]:
    """Members, non-members and the control's records."""
    if data.pool is None or data.take is None:
        return *_two_files(data), Records.of([])
    pool = _pool(data)
    drawn = draw(
        tied_together((record.group for record in pool), texts.digests(pool)),
        members=data.take.members,
        non_members=data.take.non_members,
        control=data.take.control,
        seed=seed,
    )
    members, outsiders, control = (pool.take(part) for part in drawn[:3])
    return members, outsiders, control


def _refuse_one_group(split: Split, evaluated: np.ndarray) -> None:
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if len(np.unique(split.group[side & evaluated])) < 2:
            raise DataError(
                f"data: all {name} are one group, and one group has no spread to judge by; "
                "give records of two groups or more on each side"
            )


def _known(records: Records, split: Split, count: int, seed: int) -> np.ndarray:
    """Marks of the records that the attacker knows: ``count`` of each side, in whole groups.

    None shares 13 words with a record of another group: it would hand a part of it over.
    """
    known = np.zeros(len(records), dtype=bool)
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if not count:
            break
        free, looked_at = _free(records, split, side, count, seed)
        chosen = np.isin(split.group, split.group[free[:count]])
        if len(free) < count or side.sum() - chosen.sum() < 2:
            raise DataError(
                f"data.known: {count} {name} cannot be set aside for the attacker: of "
                f"{int(side.sum())}, {len(free)} of {looked_at} looked at share no 13 words "
                "with another record; ask for fewer"
            )
        known |= chosen
    return known


def _free(
    records: Records, split: Split, side: np.ndarray, count: int, seed: int
) -> tuple[Int[np.ndarray, "_"], int]:
    """Records of a side that share nothing with any other, in an order that is drawn.

    At least ``count``, if there are so many among those looked at, of which the number is
    given too: more and more of the side, and all of it unless it is very large.
    """
    groups = np.unique(split.group[side])
    order = generator(seed, "known").permutation(groups)
    upto = np.cumsum(np.bincount(split.group)[order])
    free, start = np.empty(0, dtype=np.int64), 0
    for turn in range(ROUNDS):
        goal = (upto[start - 1] if start else 0) + SPARE * count * 2**turn
        stop = min(len(order), int(np.searchsorted(upto, goal)) + 1)
        free = np.concatenate([free, _sharing_nothing(records, split, order[start:stop])])
        start = stop
        if len(free) >= count or stop == len(order):
            break
    return free, int(upto[start - 1])


def _sharing_nothing(
    records: Records, split: Split, groups: Int[np.ndarray, "_"]
) -> Int[np.ndarray, "_"]:
    """The records of those of these groups that share no 13 words with any other group."""
    place = np.full(int(split.group.max()) + 1, -1)
    place[groups] = np.arange(len(groups))
    asked = np.flatnonzero(place[split.group] >= 0)
    asked = asked[np.argsort(place[split.group[asked]], kind="stable")]
    mine = Records.of(_coded(records, split, asked))
    everyone = _coded(records, split, np.arange(len(records)))
    tainted = split.group[asked[list(texts.shared_ngrams(mine, everyone))]]
    return asked[~np.isin(split.group[asked], tainted)]


def _coded(records: Records, split: Split, places: Int[np.ndarray, "_"]) -> Iterator[Record]:
    """The records, each in the group that the split has it in."""
    return (replace(records[at], group=str(split.group[at])) for at in places.tolist())


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
