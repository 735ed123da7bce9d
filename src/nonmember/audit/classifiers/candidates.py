"""The labelled examples in question: read or drawn, and those that attackers know aside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from nonmember.audit.canaries import folder
from nonmember.audit.canaries.folder import Canaries
from nonmember.audit.classifiers.spec import Data, Labelled
from nonmember.data import labelled
from nonmember.data.examples import Examples
from nonmember.data.split import Split, draw, tied_together, two_sides
from nonmember.errors import DataError
from nonmember.seeds import generator
from nonmember.types import Groups

FEWEST = 20  # of a population: p-values of a twentieth, at best


@dataclass(frozen=True)
class Known:
    """Examples of either side whose membership a defender goes by.

    ``group`` says which of them belong together, members first.
    """

    members: Examples
    non_members: Examples
    group: Groups


@dataclass(frozen=True)
class Candidates:
    """The examples in question and the truth about them, in an order that their content gives.

    ``control`` and ``public`` examples are on neither side. ``population`` are non-members that
    attackers know as such; they are not evaluated, and no more are those of ``calibration``, by
    which defenses are set. ``every`` are all members and then all non-members as they were
    given, or all ``canaries``, which a file of answers has a row for. ``classes`` is how many
    there are.
    """

    examples: Examples
    split: Split
    control: Examples
    population: Examples
    calibration: Known
    public: Examples
    every: Examples
    classes: int
    canaries: Canaries | None = None

    @cached_property
    def rest(self) -> Examples:
        """What a target that meets canaries is trained on beside them; else nothing.

        Raises:
            DataError: it is not there any more.
        """
        if self.canaries is None:
            return none_of(self.examples)
        return folder.rest_of(self.canaries, self.every)

    @property
    def members(self) -> Examples:
        """All members: what the target was trained on."""
        mine = self.examples.take(np.flatnonzero(self.split.member))
        for more in (self.calibration.members, self.rest):
            mine = mine + more if len(more) else mine
        return mine

    @property
    def halved(self) -> tuple[Examples, Groups]:
        """Those that references are trained on halves of, candidates first, and their groups.

        Those of ``calibration`` too, and the ``rest``: a reference is to see what the target did.
        """
        known, rest = self.calibration, self.rest
        every, group = self.examples, self.split.group
        if len(known.group):
            every = every + known.members + known.non_members
            group = np.concatenate([group, known.group])
        if len(rest):
            others = tied_together(rest.groups, codes(rest)) + 1 + int(group.max())
            every, group = every + rest, np.concatenate([group, others])
        return every, group

    def ids(self, places: Int[np.ndarray, "_"]) -> list[str]:
        """The names of the examples at these places."""
        return [self.examples.ids[place] for place in places.tolist()]


@dataclass(frozen=True)
class Sides:
    """Members, non-members, what a control model is trained on, and what defenders may use."""

    members: Examples
    non_members: Examples
    control: Examples
    public: Examples | None = None

    def beside(self, public: Examples) -> "Sides":
        """The same, and examples that defenders may use."""
        return replace(self, public=public)


def none_of(examples: Examples) -> Examples:
    """No examples, of the same form."""
    return examples.take(np.array([], dtype=np.int64))


def read_sides(data: Labelled, classes: Sequence[str] | None, *, seed: int) -> Sides:
    """Read both sides, or draw them from a pool.

    ``classes`` are the names of a model's classes, in its order, where it has any.

    Raises:
        DataError: a file that cannot be used, or too few examples or groups.
    """
    if data.pool is None or data.take is None:
        found = labelled.read_sides(
            str(data.members),
            str(data.non_members),
            label=data.label,
            group=data.group,
            text=data.text,
            classes=classes,
        )
        none = none_of(found.members)
        return Sides(found.members, found.non_members, none, _public(data, found))
    pool = labelled.read(
        data.pool, label=data.label, group=data.group, text=data.text, classes=classes
    )
    drawn = draw(
        tied_together(pool.groups, codes(pool)),
        members=data.take.members,
        non_members=data.take.non_members,
        control=data.take.control,
        public=data.take.public,
        seed=seed,
    )
    return Sides(*map(pool.take, drawn))


def _public(data: Labelled, sides: labelled.Sides) -> Examples | None:
    """What a file of public examples holds, its labels meaning what those of the sides do."""
    if data.public is None:
        return None
    return labelled.read(
        data.public, label=data.label, group=data.group, text=data.text, classes=sides.classes
    )


def read_candidates(
    data: Data, classes: Sequence[str] | None, given: Sides | None, *, seed: int
) -> Candidates:
    """The candidates that a spec names, or of ``given`` sides.

    ``classes`` are the names of a model's classes, in its order, where it has any.

    Raises:
        DataError: a file or folder that cannot be used, or too few examples or groups.
    """
    if data.canaries is not None:
        return _canaries(data, classes)
    sides = given or read_sides(data, classes, seed=seed)
    return candidates_of(sides, data.population, seed=seed, calibration=data.calibration)


def _canaries(data: Data, classes: Sequence[str] | None) -> Candidates:
    """Canaries as candidates: members are those that were put into the data."""
    found = folder.read(str(data.canaries), "classifier")
    found = replace(found, classes=tuple(classes) if classes else found.classes)
    own, spare = folder.examples_of(found)
    order, none = _by_content(own), none_of(own)
    split = Split(found.coins[order], np.arange(len(order)))
    _refuse_single(split, np.zeros(len(order), dtype=bool))
    public = none
    if data.public is not None:
        public = labelled.read(data.public, classes=found.classes)
    return Candidates(
        own.take(order),
        split,
        none,
        spare if data.population else none,
        Known(none, none, np.zeros(0, dtype=np.int64)),
        public,
        own + spare,
        found.labels,
        found,
    )


def candidates_of(
    sides: Sides, population: float, *, seed: int, calibration: float = 0.0
) -> Candidates:
    """The candidates, none on two sides, and what is set aside of them.

    Raises:
        DataError: an input on two sides, a side of one group, or too few set aside.
    """
    _refuse_overlap(sides)
    every = sides.members + sides.non_members
    split = two_sides(sides.members.groups, sides.non_members.groups, codes(every))
    known = _aside(split, ~split.member, population, "population", seed)
    inside = _aside(split, split.member, calibration, "calibration", seed)
    outside = _aside(split, ~split.member & ~known, calibration, "calibration", seed)
    order, aside = _by_content(every), known | inside | outside
    places = [order[marks[order]] for marks in (known, inside, outside)]
    parts = [every.take(one) for one in places]
    order = order[~aside[order]]
    _refuse_single(split, aside)
    return Candidates(
        every.take(order),
        Split(split.member[order], split.group[order]),
        sides.control,
        parts[0],
        Known(parts[1], parts[2], split.group[np.concatenate(places[1:])]),
        sides.public or none_of(every),
        every,
        1 + max(int(one.labels.max()) for one in (every, sides.control) if len(one)),
    )


def _refuse_single(split: Split, aside: np.ndarray) -> None:
    """Refuse a side that is one group, but for what is set aside."""
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if len(np.unique(split.group[side & ~aside])) < 2:
            raise DataError(
                f"data: all {name} are one group, and one group has no spread to judge by; "
                "give examples of two groups or more on each side"
            )


def codes(examples: Examples) -> np.ndarray:
    """One value per example, equal for equal inputs."""
    return examples.digests.copy().view("V16")[:, 0] if len(examples) else np.zeros(0, dtype="V16")


def _by_content(examples: Examples) -> Int[np.ndarray, "n"]:
    """Positions in the order of the inputs' digests: a place must not tell a side."""
    high, low = examples.digests.copy().view(">u8").T
    return np.lexsort((low, high))


def _aside(split: Split, side: np.ndarray, share: float, name: str, seed: int) -> np.ndarray:
    """Marks of a share of one side, in whole groups."""
    if not share:
        return np.zeros(len(side), dtype=bool)
    order = generator(seed, name).permutation(np.unique(split.group[side]))
    upto = np.cumsum(np.bincount(split.group)[order])
    marks = np.isin(split.group, order[upto <= share * int(side.sum())])
    if marks.sum() < FEWEST:
        whom = "members" if split.member[side].all() else "non-members"
        raise DataError(
            f"data.{name}: {share:g} of {int(side.sum())} {whom} are {int(marks.sum())}, and "
            f"fewer than {FEWEST} tell nothing; give more {whom}, a larger share, or 0 for none"
        )
    return marks


def _refuse_shared_groups(one: str, left: Examples, other: str, right: Examples) -> None:
    """Refuse a person on two sides; that of members and non-members is refused with their split."""
    shared = sorted((set(left.groups) & set(right.groups)) - {None}, key=str)
    if shared and {one, other} != {"members", "non-members"}:
        raise DataError(
            f"data: {len(shared)} groups have records among the {one} and among the {other}; put "
            "all records of a group on one side"
        )


def _refuse_overlap(sides: Sides) -> None:
    named = {
        "members": sides.members,
        "non-members": sides.non_members,
        "control examples": sides.control,
        "public examples": sides.public or none_of(sides.members),
    }
    for (one, left), (other, right) in (
        (a, b) for i, a in enumerate(named.items()) for b in list(named.items())[i + 1 :]
    ):
        _refuse_shared_groups(one, left, other, right)
        both = np.isin(codes(left), codes(right))
        if both.any():
            raise DataError(
                f"{left.ids[int(both.argmax())]}: the same input is among the {one} and the "
                f"{other} ({int(both.sum())} such); an example cannot be on two sides; remove it "
                "from one"
            )
