"""Labelled inputs of a classifier: arrays of images or table rows, or texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np
from jaxtyping import Int, UInt8

from nonmember.errors import DataError
from nonmember.types import Inputs, Labels


@dataclass(frozen=True)
class Examples:
    """n labelled inputs: an array (n ...) or n texts, the class of each, and whose they are.

    ``ids`` name them in findings; ``groups`` say which belong together, None: to no other.

    Raises:
        DataError: the lengths differ, a label is no class, an input is not finite, or a text
            holds half a character.
    """

    inputs: Inputs
    labels: Labels
    ids: tuple[str, ...]
    groups: tuple[str | None, ...]

    def __post_init__(self) -> None:
        sizes = [len(self.inputs), len(self.labels), len(self.ids), len(self.groups)]
        if len(set(sizes)) > 1:
            raise DataError(
                f"examples: {sizes[0]} inputs, {sizes[1]} labels, {sizes[2]} ids and {sizes[3]} "
                "groups; give one of each per example"
            )
        if len(self.labels) and int(self.labels.min()) < 0:
            raise DataError("examples: a label is below 0; number the classes from 0")
        place, amiss = _first_amiss(self.inputs)
        if amiss:
            raise DataError(f"examples: {self.ids[place]} holds {amiss}; mend it or leave it out")

    def __len__(self) -> int:
        return len(self.labels)

    def __add__(self, other: "Examples") -> "Examples":
        mine, theirs = self.inputs, other.inputs
        if isinstance(mine, np.ndarray) and isinstance(theirs, np.ndarray):
            if mine.shape[1:] != theirs.shape[1:] or mine.dtype != theirs.dtype:
                raise DataError(
                    f"examples: inputs of {mine.dtype} {mine.shape[1:]} and of {theirs.dtype} "
                    f"{theirs.shape[1:]}; give both sides in one form"
                )
            inputs: Inputs = np.concatenate([mine, theirs])
        elif isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
            raise DataError("examples: texts and arrays; give both sides in one form")
        else:
            inputs = (*mine, *theirs)
        labels = np.concatenate([self.labels, other.labels])
        return Examples(inputs, labels, self.ids + other.ids, self.groups + other.groups)

    def take(self, places: Int[np.ndarray, "_"]) -> "Examples":
        """Those at these places, in this order."""
        chosen = places.tolist()
        inputs = self.inputs
        return Examples(
            inputs[places] if isinstance(inputs, np.ndarray) else [inputs[i] for i in chosen],
            self.labels[places],
            tuple(self.ids[i] for i in chosen),
            tuple(self.groups[i] for i in chosen),
        )

    @cached_property
    def digests(self) -> UInt8[np.ndarray, "n 16"]:
        """What each input is, by content and whatever its label; equal for equal inputs."""
        rows = [sha256(part).digest()[:16] for part in _contents(self.inputs)]
        return np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), 16)


def _first_amiss(inputs: Inputs) -> tuple[int, str]:
    """The place of the first input that cannot be used, and what it holds; "" if there is none."""
    if isinstance(inputs, np.ndarray):
        if inputs.dtype.kind != "f":
            return 0, ""
        bad = ~np.isfinite(inputs).all(axis=tuple(range(1, inputs.ndim)))
        return (int(bad.argmax()), "a number that is not finite") if bad.any() else (0, "")
    for place, text in enumerate(inputs):
        try:
            text.encode()
        except UnicodeEncodeError:
            return place, "half a character (a lone surrogate)"
    return 0, ""


def _contents(inputs: Inputs) -> Iterable[bytes]:
    if isinstance(inputs, np.ndarray):
        kind = f"{inputs.dtype.str} {inputs.shape[1:]}".encode()
        return (kind + np.ascontiguousarray(row).tobytes() for row in inputs)
    return (text.encode() for text in inputs)


def of(inputs: Inputs, labels: Sequence[int] | np.ndarray, *, name: str = "example") -> Examples:
    """Examples named by their places, each of them a group of its own.

    Raises:
        DataError: as for ``Examples``; or labels that are not whole numbers.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iub":
        raise DataError(
            f"{name}: labels of {given.dtype} in shape {given.shape}; give one whole number each"
        )
    ids = tuple(f"{name} {place}" for place in range(1, len(given) + 1))
    return Examples(inputs, given.astype(np.int64), ids, (None,) * len(given))
