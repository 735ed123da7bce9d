"""Finished runs held against the first of them: record by record, where the records are the same.

Records are the same where every id, content and side is. Where they are not, what differs may be
the records, so the runs' own figures are put together, without a p-value (see ``apart``); where
none is, nothing is said.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from nonmember.audit import apart, comparing, private, records
from nonmember.audit.comparing import Asked, Match, Side
from nonmember.audit.records import Results, TargetResult
from nonmember.audit.worth import DifferenceResult
from nonmember.data.split import Split
from nonmember.errors import RunError
from nonmember.types import Groups, Scores

SEED = 0  # of the bootstrap: the same runs are compared alike
KEY = ("record", "digest", "member")
Key = tuple[str, str, bool]
"""A record: its id, the digest of its content, and whether it is a member."""


@dataclass(frozen=True)
class Finished:
    """A finished run: what it is called, what it found, and its records in the file's order."""

    name: str
    results: Results
    keys: tuple[Key, ...]
    group: Int[np.ndarray, "n"]
    scores: Mapping[str, Scores]

    def target(self, name: str) -> TargetResult:
        """Its target of that name."""
        return next(one for one in self.results.targets if one.name == name)

    def split(self, order: Int[np.ndarray, "n"]) -> Split:
        """Its records in this order."""
        return Split(np.array([key[-1] for key in self.keys])[order], self.group[order])

    def side(self, target: str, order: Int[np.ndarray, "n"]) -> Side:
        """One target, its scores in this order."""
        found = self.target(target)
        names = {one.name: f"{target}.{one.name}" for one in found.attacks}
        return Side(found, {name: self.scores[column][order] for name, column in names.items()})


@dataclass(frozen=True)
class Beside:
    """One run, ``second``, held against the first.

    ``common`` of the ``records`` of either are in both, by id and content and on the same side;
    ``moved`` contents are members in the one and non-members in the other.
    ``alone`` are the targets of either that the other has no counterpart of.
    """

    first: str
    second: str
    records: tuple[int, int]
    common: int
    moved: int
    paired: bool
    differences: tuple[DifferenceResult, ...]
    alone: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs by their names, the first before those that are held against it."""

    level: float
    runs: Mapping[str, Results]
    beside: tuple[Beside, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """Hold every run against the first.

    Targets of the same name are compared; where either run has a single one, these. Simultaneous
    intervals hold for all comparisons of all runs, as do Holm's p-values of those that could be
    paired; all are of the first run's level.

    Raises:
        RunError: fewer than two runs, one of them twice, of different kinds or without a record
            or a target in common, or one that is damaged, unfinished, or without its scores.
    """
    first, *others = _opened(folders)
    shared = {one.name: _common(first, one) for one in others}
    matched = {one.name: _matched(first, one) for one in others}
    same = [one for one in others if _same(first, one)]
    asked = _asked(first, others, matched)
    found = _paired(first, same, matched, asked)
    for one in others:
        if one not in same:
            moved = shared[one.name][1] > 0
            found[one.name] = [*_apart(first, one, matched[one.name], moved, asked)]
    beside = (
        Beside(
            first.name,
            one.name,
            (len(first.keys), len(one.keys)),
            *shared[one.name],
            one in same,
            tuple(found[one.name]),
            tuple(_alone(first, one, matched[one.name])),
        )
        for one in others
    )
    runs = {one.name: one.results for one in (first, *others)}
    return Comparison(first.results.level, runs, tuple(beside))


def _opened(folders: Sequence[Path]) -> list[Finished]:
    """The runs, after all that can be wrong with them."""
    if len(folders) < 2:
        raise RunError("compare: one run has nothing to be compared with; give two or more")
    real = [folder.resolve() for folder in folders]
    twice = next((one for place, one in enumerate(real) if one in real[:place]), None)
    if twice is not None:
        raise RunError(f"{twice}: given twice; give each run once")
    found = [records.load(folder) for folder in folders]
    for folder, one in zip(folders[1:], found[1:], strict=True):
        if one.kind != found[0].kind:
            raise RunError(
                f"{folder}: an audit of kind {one.kind}, and {folders[0]} of {found[0].kind}; "
                "compare runs of one kind"
            )
    return [_read(*one) for one in zip(folders, _names(real), found, strict=True)]


def _names(folders: Sequence[Path]) -> list[str]:
    """What they are called: where two have one name, by their paths below what holds all."""
    short = [folder.name for folder in folders]
    if len({*short}) == len(short):
        return short
    root = os.path.commonpath([folder.parent for folder in folders])
    return [folder.relative_to(root).as_posix() for folder in folders]


def _read(folder: Path, name: str, results: Results) -> Finished:
    """The run with its records and the scores of all attacks."""
    scores = [f"{one.name}.{attack.name}" for one in results.targets for attack in one.attacks]
    table = private.scores_of(folder, scores)
    member = table["member"].to_numpy()
    there = [int(member.sum()), int((~member).sum())]
    if there != [results.data.get(side) for side in ("members", "non-members")]:
        raise RunError(
            f"{folder}: its private file has {len(member)} records, not the members and "
            "non-members of results.json; run the audit again"
        )
    return Finished(
        name,
        results,
        tuple(zip(*(table[part].to_pylist() for part in KEY), strict=True)),
        table["group"].to_numpy(),
        {column: table[column].to_numpy() for column in scores},
    )


def _same(first: Finished, other: Finished) -> bool:
    """Whether the records are, in whatever order."""
    return sorted(first.keys) == sorted(other.keys)


def _common(first: Finished, other: Finished) -> tuple[int, int]:
    """How many records both have, and how many contents are on the other side.

    Raises:
        RunError: none is in both.
    """
    found = len({*first.keys} & {*other.keys})
    sides = {(digest, member) for _, digest, member in first.keys}
    moved = len({digest for _, digest, member in other.keys if (digest, not member) in sides})
    if found:
        return found, moved
    why = f"{moved:,} are in both, but on the other side" if moved else "none is in both"
    raise RunError(
        f"{first.name}, {other.name}: of {len(first.keys):,} and {len(other.keys):,} records "
        f"{why}; compare runs of the same records"
    )


def _matched(first: Finished, other: Finished) -> list[tuple[str, str]]:
    """Which target of the first run is compared with which of the other's, by name.

    Raises:
        RunError: none.
    """
    mine, theirs = ([one.name for one in whose.results.targets] for whose in (first, other))
    if len(mine) == len(theirs) == 1:
        return [(mine[0], theirs[0])]
    both = [(name, name) for name in mine if name in theirs]
    if not both:
        raise RunError(
            f"{first.name}, {other.name}: no target of the same name ({', '.join(mine)}; "
            f"{', '.join(theirs)}); audit them again under the same names"
        )
    return both


def _alone(first: Finished, other: Finished, matched: Sequence[tuple[str, str]]) -> Iterator[str]:
    for place, whose in enumerate((first, other)):
        met = {names[place] for names in matched}
        left = (one.name for one in whose.results.targets if one.name not in met)
        yield from (f"{whose.name}: {name}" for name in left)


def _asked(
    first: Finished, others: Sequence[Finished], matched: Mapping[str, Sequence[tuple[str, str]]]
) -> Asked:
    fprs = _rates([first.results, *(one.results for one in others)])
    targets = (
        (first.target(mine), one.target(theirs))
        for one in others
        for mine, theirs in matched[one.name]
    )
    results, among = first.results, comparing.tried(targets, fprs)
    return Asked(results.kind, results.level, fprs, SEED, among)


def _paired(
    first: Finished,
    others: Sequence[Finished],
    matched: Mapping[str, Sequence[tuple[str, str]]],
    asked: Asked,
) -> dict[str, list[DifferenceResult]]:
    """The differences of each run from the first, all of the same records."""
    matches = {one.name: [*_matches(first, one, matched[one.name])] for one in others}
    found = comparing.differences([match for own in matches.values() for match in own], asked)
    return {
        name: [one for one in found if one.target in {match.names[1] for match in own}]
        for name, own in matches.items()
    }


def _matches(
    first: Finished, other: Finished, matched: Sequence[tuple[str, str]]
) -> Iterator[Match]:
    orders = _order(first), _order(other)
    mine, theirs = first.split(orders[0]), other.split(orders[1])
    split = Split(mine.member, _joined(mine.group, theirs.group))
    for names in matched:
        sides = first.side(names[0], orders[0]), other.side(names[1], orders[1])
        yield Match(*sides, _called(first, other, names), split)


def _joined(one: Groups, other: Groups) -> Groups:
    """The groups of records that either puts together, also by way of others (their join)."""
    rows = np.arange(len(one))
    firsts = [np.unique(groups, return_index=True, return_inverse=True) for groups in (one, other)]
    ends = np.concatenate([first[inverse] for _, first, inverse in firsts])
    links = coo_array((np.ones(len(ends)), (np.tile(rows, 2), ends)), shape=(len(one),) * 2)
    _, found = connected_components(links, directed=False)
    return np.asarray(found, dtype=np.int64)


def _apart(
    first: Finished,
    other: Finished,
    matched: Sequence[tuple[str, str]],
    moved: bool,
    asked: Asked,
) -> Iterator[DifferenceResult]:
    """The differences of a run from the first, where the records are not the same."""
    orders = _order(first), _order(other)
    splits = first.split(orders[0]), other.split(orders[1])
    for names in matched:
        sides = first.side(names[0], orders[0]), other.side(names[1], orders[1])
        match = apart.Match(sides, splits, _called(first, other, names), moved)
        yield from apart.differences(match, asked)


def _called(first: Finished, other: Finished, names: tuple[str, str]) -> tuple[str, str]:
    return f"{first.name}: {names[0]}", f"{other.name}: {names[1]}"


def _order(one: Finished) -> Int[np.ndarray, "n"]:
    """The places of the records in the order of their keys."""
    return np.array(sorted(range(len(one.keys)), key=one.keys.__getitem__), dtype=np.int64)


def _rates(found: Sequence[Results]) -> tuple[float, ...]:
    """The false-positive rates that every run reports, in the first one's order."""
    rates = [
        dict.fromkeys(
            point.fpr for target in one.targets for attack in target.attacks for point in attack.tpr
        )
        for one in found
    ]
    return tuple(fpr for fpr in rates[0] if all(fpr in known for known in rates))
