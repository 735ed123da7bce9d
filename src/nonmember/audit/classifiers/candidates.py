"""The labelled examples in question: read or drawn, and those that attackers know aside."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from nonmember.audit.classifiers.spec import Labelled
from nonmember.data import labelled
from nonmember.data.examples import Examples
from nonmember.data.split import Split, draw, tied_together, two_sides
from nonmember.errors import DataError
from nonmember.seeds import generator

FEWEST = 20  # of a population: p-values of a twentieth, at best


@dataclass(frozen=True)
class Candidates:
    """The examples in question and the truth about them, in an order that their content gives.

    ``control`` examples are on neither side. ``population`` are non-members that attackers
    know as such; they are not evaluated. ``every`` are all members and then all non-members as
    they were given, which a file of answers has a row for. ``classes`` is how many there are.
    """

    examples: Examples
    split: Split
    control: Examples
    population: Examples
    every: Examples
    classes: int

    def ids(self, places: Int[np.ndarray, "_"]) -> list[str]:
        """The names of the examples at these places."""
        return [self.examples.ids[place] for place in places.tolist()]


@dataclass(frozen=True)
class Sides:
    """Members, non-members, and what a control model is trained on."""

    members: Examples
    non_members: Examples
    control: Examples


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
        return Sides(found.members, found.non_members, none_of(found.members))
    pool = labelled.read(
        data.pool, label=data.label, group=data.group, text=data.text, classes=classes
    )
    drawn = draw(
        tied_together(pool.groups, codes(pool)),
        members=data.take.members,
        non_members=data.take.non_members,
        control=data.take.control,
        seed=seed,
    )
    return Sides(*map(pool.take, drawn))


def candidates_of(sides: Sides, population: float, *, seed: int) -> Candidates:
    """The candidates, none on two sides, and the population that is set aside.

    Raises:
        DataError: an input on two sides, a side of one group, or a population too small.
    """
    _refuse_overlap(sides)
    every = sides.members + sides.non_members
    split = two_sides(sides.members.groups, sides.non_members.groups, codes(every))
    aside = _aside(split, population, seed)
    order = _by_content(every)
    order, others = order[~aside[order]], order[aside[order]]
    for name, side in (("members", split.member), ("non-members", ~split.member)):
        if len(np.unique(split.group[side & ~aside])) < 2:
            raise DataError(
                f"data: all {name} are one group, and one group has no spread to judge by; "
                "give examples of two groups or more on each side"
            )
    return Candidates(
        every.take(order),
        Split(split.member[order], split.group[order]),
        sides.control,
        every.take(others),
        every,
        1 + max(int(one.labels.max()) for one in (every, sides.control) if len(one)),
    )


def codes(examples: Examples) -> np.ndarray:
    """One value per example, equal for equal inputs."""
    return examples.digests.copy().view("V16")[:, 0] if len(examples) else np.zeros(0, dtype="V16")


def _by_content(examples: Examples) -> Int[np.ndarray, "n"]:
    """Positions in the order of the inputs' digests: a place must not tell a side."""
    high, low = examples.digests.copy().view(">u8").T
    return np.lexsort((low, high))


def _aside(split: Split, share: float, seed: int) -> np.ndarray:
    """Marks of a share of the non-members, in whole groups."""
    outside = ~split.member
    marks = np.zeros(len(outside), dtype=bool)
    if not share:
        return marks
    groups = np.unique(split.group[outside])
    order = generator(seed, "population").permutation(groups)
    wanted = share * int(outside.sum())
    upto = np.cumsum(np.bincount(split.group)[order])
    marks = np.isin(split.group, order[upto <= wanted])
    if marks.sum() < FEWEST:
        raise DataError(
            f"data.population: {share:g} of {int(outside.sum())} non-members are "
            f"{int(marks.sum())}, and a population of fewer than {FEWEST} tells nothing; give "
            "more non-members, a larger share, or 0 for none"
        )
    return marks


def _refuse_overlap(sides: Sides) -> None:
    named = {
        "members": sides.members,
        "non-members": sides.non_members,
        "control examples": sides.control,
    }
    for (one, left), (other, right) in (
        (a, b) for i, a in enumerate(named.items()) for b in list(named.items())[i + 1 :]
    ):
        both = np.isin(codes(left), codes(right))
        if both.any():
            raise DataError(
                f"{left.ids[int(both.argmax())]}: the same input is among the {one} and the "
                f"{other} ({int(both.sum())} such); an example cannot be on two sides; remove it "
                "from one"
            )
