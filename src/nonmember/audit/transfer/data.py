"""Candidates, and the examples of another task that models are fine-tuned and judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int

from nonmember.audit.classifiers.candidates import Candidates, Sides, codes
from nonmember.audit.transfer.spec import Data, Downstream
from nonmember.data import labelled
from nonmember.data.examples import Examples
from nonmember.data.split import draw, tied_together
from nonmember.errors import DataError
from nonmember.seeds import derive, generator
from nonmember.training.children_planning import classes_of
from nonmember.types import Groups

Role = Literal["children", "child"]
Places = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class Task:
    """The downstream task: what children are fine-tuned on, and what they are judged by.

    ``group`` says which of the latter belong together; ``places``, which of the former the
    children of references, and the one child that is the target, are made of.
    """

    examples: Examples
    test: Examples
    group: Groups
    places: Mapping[Role, Places]

    @property
    def classes(self) -> int:
        """How many there are."""
        return classes_of(self.examples)


def mislabelled(sides: Sides, share: float, *, seed: int) -> Sides:
    """Both sides with a share of their labels drawn anew, each class as likely as another."""
    if not share:
        return sides
    parts = (sides.members, sides.non_members, sides.control)
    classes = 1 + max(int(part.labels.max()) for part in parts if len(part))
    rng = generator(seed, "mislabelled")
    return Sides(*(_planted(part, share, classes, rng) for part in parts))


def _planted(part: Examples, share: float, classes: int, rng: np.random.Generator) -> Examples:
    chosen, drawn = rng.random(len(part)) < share, rng.integers(0, classes, len(part))
    return replace(part, labels=np.where(chosen, drawn, part.labels))


def read_task(
    asked: Downstream, data: Data, candidates: Candidates, given: Examples | None, *, seed: int
) -> Task:
    """The examples of the downstream task, none of them a candidate, in two parts.

    Raises:
        DataError: a file that cannot be used; inputs of another form than the candidates', or
            among them; too few examples.
    """
    found = labelled.read(asked.pool, label=asked.label) if given is None else given
    if given is None and asked.pool == data.pool:
        found = found.take(np.flatnonzero(~_among(found, candidates)))
    _check(found, candidates)
    found = replace(found, labels=found.labels // asked.merge)
    groups = tied_together(found.groups, codes(found))
    count = round(asked.test * len(found))
    try:
        own = draw(groups, members=len(found) - count, non_members=count, seed=seed)
    except DataError as error:
        raise DataError(f"downstream: {error}") from None
    test = np.sort(own.non_members)
    inside = np.sort(own.members)
    places = _places(groups[inside], asked, seed=seed)
    task = Task(found.take(inside), found.take(test), groups[test], places)
    if int(task.test.labels.max()) >= task.classes:
        raise DataError(
            f"downstream: class {int(task.test.labels.max())} is among the test share only; give "
            "more examples of it, or leave it out"
        )
    return task


def _places(group: Groups, asked: Downstream, *, seed: int) -> dict[Role, Places]:
    """Which examples children are made of: all, or each role of a half, no group in both."""
    every, half = np.arange(len(group)), len(group) // 2
    if asked.overlap == "shared":
        return {"children": every, "child": every}
    apart = draw(group, members=half, non_members=len(group) - half, seed=derive(seed, "overlap"))
    return {"children": np.sort(apart.members), "child": np.sort(apart.non_members)}


def _among(found: Examples, candidates: Candidates) -> np.ndarray:
    """Which of the examples are candidates, or others of the pool that models are trained on."""
    known = (candidates.every, candidates.control, candidates.population)
    return np.isin(codes(found), np.concatenate([codes(one) for one in known]))


def _check(found: Examples, candidates: Candidates) -> None:
    theirs, own = candidates.examples.inputs, found.inputs
    if not isinstance(theirs, np.ndarray) or not isinstance(own, np.ndarray):
        raise DataError("downstream: texts; networks that are trained here take arrays of numbers")
    if own.shape[1:] != theirs.shape[1:]:
        raise DataError(
            f"downstream: inputs of shape {own.shape[1:]}, and candidates of {theirs.shape[1:]}; a "
            "fine-tuned network takes what its parent took, so give both in one shape"
        )
    both = _among(found, candidates)
    if both.any():
        raise DataError(
            f"downstream: {found.ids[int(both.argmax())]} is a candidate too ({int(both.sum())} "
            "such); what a model is fine-tuned on it knows anyway; remove them from one of the two"
        )
