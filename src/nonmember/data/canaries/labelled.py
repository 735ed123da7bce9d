"""Canaries for classifiers: examples under a class that is not theirs, or noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nonmember.data.examples import Examples
from nonmember.data.labelled import Class
from nonmember.errors import DataError

FEWEST_SPARE = 20  # of a population: p-values of a twentieth, at best


@dataclass(frozen=True)
class LabelledCanaries:
    """Canaries, each beside the row that it is made of, and ``spare`` ones that follow.

    The spare ones are alike, but no coin is flipped for them and no model is trained on them:
    attackers know them as non-members. ``inputs`` are those of noise; else a row's own stay, and
    the row itself leaves the data.
    """

    places: tuple[int, ...]
    labels: tuple[Class, ...]
    inputs: np.ndarray | None
    spare: int

    @property
    def count(self) -> int:
        """How many have a coin; these come first."""
        return len(self.places) - self.spare


def spares(count: int) -> int:
    """How many spare ones go with so many canaries: a fifth, and enough for a p-value."""
    return max(FEWEST_SPARE, count // 5)


def made(
    examples: Examples, classes: Sequence[Class], form: str, count: int, rng: np.random.Generator
) -> LabelledCanaries:
    """So many canaries of a form, and spare ones; inputs are distinct.

    Args:
        examples: the training data.
        classes: of each example, as its file has it.
        form: "mislabelled" or "noise", see ``FORMS``.
        count: how many have a coin.
        rng: of a secret.

    Raises:
        DataError: too few examples with an input of their own, one class, or texts for noise.
    """
    names = sorted(set(classes), key=str)
    if len(names) < 2:
        raise DataError("canaries: all examples are of one class; give two classes or more")
    wanted, lone = count + spares(count), _lone(examples)
    # Half of the data stays as it is: a model of wrong classes alone is no model of the data.
    most = len(lone) if form == "noise" else len(examples) // 2
    room = min(len(lone), most)
    if count < 1 or wanted > room:
        raise DataError(
            f"canaries: {count} and {wanted - count} spare ones cannot be made of {room} examples "
            f"(of {len(examples)}) that may be used; ask for 1 to {_most(room)}"
        )
    places = rng.choice(lone, wanted, replace=False).tolist()
    if form == "noise":
        drawn = tuple(names[code] for code in rng.integers(0, len(names), wanted))
        noise = _noise(examples, wanted, rng)
        return LabelledCanaries(tuple(places), drawn, noise, spares(count))
    steps = rng.integers(1, len(names), wanted).tolist()
    wrong = tuple(
        names[(names.index(classes[place]) + step) % len(names)]
        for place, step in zip(places, steps, strict=True)
    )
    return LabelledCanaries(tuple(places), wrong, None, spares(count))


def _most(room: int) -> int:
    """The largest count that leaves room for its spare ones."""
    return max((count for count in range(room) if count + spares(count) <= room), default=0)


def _lone(examples: Examples) -> np.ndarray:
    """Where inputs stand that no other example has."""
    codes = examples.digests.copy().view("V16")[:, 0]
    _, first, times = np.unique(codes, return_index=True, return_counts=True)
    return np.sort(first[times == 1])


def _noise(examples: Examples, count: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform between the extremes of each feature, of the inputs' own type."""
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray):
        raise DataError("canaries: there is no noise in the range of texts; use mislabelled")
    low, high = inputs.min(axis=0).astype(float), inputs.max(axis=0).astype(float)
    whole = inputs.dtype.kind != "f"
    drawn = low + rng.random((count, *inputs.shape[1:])) * (high - low + whole)
    found = (np.floor(drawn).clip(low, high) if whole else drawn).astype(inputs.dtype)
    if (
        len(np.unique(np.concatenate([inputs, found]), axis=0))
        < len(np.unique(inputs, axis=0)) + count
    ):
        raise DataError(
            "canaries: inputs of so few values leave no room for distinct noise; use mislabelled"
        )
    return found
