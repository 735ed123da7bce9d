"""Copies of inputs by a diffusion model, kept: they depend on no classifier, and serve them all."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from jaxtyping import UInt8

from nonmember.errors import RunError
from nonmember.models.diffusion import Copies
from nonmember.models.diffusion.codes import decode, encode
from nonmember.models.source import digest
from nonmember.signals.store import Store

VERSION = 2
BLOCK = 64  # inputs whose copies are kept together: what is lost if a run is interrupted

Codes = UInt8[np.ndarray, "n v ..."]
Key = bytes


@dataclass
class _Shelf:
    """Blocks of copies of inputs of one form: numbered in a store, and never changed.

    ``places`` says in which block an input is, and where there. Another process may put blocks
    beside: whoever lacks an input looks again.
    """

    store: Store
    told: str
    blocks: list[str] = field(default_factory=list)
    places: dict[Key, tuple[int, int]] = field(default_factory=dict)

    def look(self) -> None:
        """Note the blocks that have come since."""
        while self.store.has(address := self._next()):
            keys = self.store.array(address, "inputs")
            for row, key in enumerate(keys):
                self.places.setdefault(key.tobytes(), (len(self.blocks), row))
            self.blocks.append(address)

    def lacking(self, keys: Sequence[Key]) -> list[int]:
        """The first place of each input that is not there, nor has come since."""
        first = {key: place for place, key in reversed([*enumerate(keys)])}
        if first.keys() - self.places.keys():
            self.look()
        return sorted(first[key] for key in first.keys() - self.places.keys())

    def add(self, keys: Sequence[Key], codes: Codes, about: dict[str, object]) -> None:
        """Keep a block under the next number, or where another has come before, the one after."""
        inputs = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1)
        while self.lacking(keys):
            self.store.put(self._next(), {"codes": codes, "inputs": inputs}, about)

    def codes(self, keys: Sequence[Key]) -> Codes:
        """The copies of inputs that are all there."""
        places = np.array([self.places[key] for key in keys])
        found = None
        for block in np.unique(places[:, 0]):
            rows = np.flatnonzero(places[:, 0] == block)
            held = self.store.array(self.blocks[block], "codes")
            if found is None:
                found = np.empty((len(keys), *held.shape[1:]), dtype=np.uint8)
            found[rows] = held[places[rows, 1]]
        assert found is not None
        return found

    def _next(self) -> str:
        return digest("copies", self.told, str(len(self.blocks)))


@dataclass(frozen=True)
class Remembered:
    """``Copies`` that are looked up, and computed and kept where they are not there yet."""

    copies: Copies
    store: Store
    low: float
    high: float
    block: int
    shelves: dict[str, _Shelf] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Copies (n v ...) of n inputs (n ...); raises as whoever computes them does.

        Raises:
            RunError: what is kept is damaged, or copies are not of 256 steps of the range.
        """
        if not len(inputs):
            return self.copies(inputs)
        keys = [sha256(row.tobytes()).digest() for row in inputs]
        shelf = self._shelf(inputs)
        lacking = shelf.lacking(keys)
        for start in range(0, len(lacking), self.block):
            some = lacking[start : start + self.block]
            rest = shelf.lacking([keys[place] for place in some])  # others work meanwhile
            self._add(shelf, keys, inputs, [some[place] for place in rest])
        return decode(shelf.codes(keys), self.low, self.high, inputs.dtype)

    @property
    def digest(self) -> str:
        """That of whoever computes them: they are the same."""
        return self.copies.digest

    def _shelf(self, inputs: np.ndarray) -> _Shelf:
        """That for inputs of this form."""
        form = f"{inputs.dtype.str} {inputs.shape[1:]}"
        told = f"{VERSION} {self.digest} {self.low!r} {self.high!r} {form}"
        return self.shelves.setdefault(form, _Shelf(self.store, told))

    def _add(
        self, shelf: _Shelf, keys: Sequence[Key], inputs: np.ndarray, places: list[int]
    ) -> None:
        """Compute and keep the copies of the inputs at these places."""
        if places:
            made, count = self._made(inputs[places]), len(places)
            about = {"copies": self.digest, "inputs": count, "low": self.low, "high": self.high}
            shelf.add([keys[place] for place in places], made, about)

    def _made(self, part: np.ndarray) -> Codes:
        made = self.copies(part)
        found = encode(made, self.low, self.high)
        amiss = decode(found, self.low, self.high, made.dtype) != made
        if amiss.any():
            raise RunError(
                f"copies: {int(amiss.sum())} of {made.size} values are none of the 256 steps from "
                f"{self.low:g} to {self.high:g}; give the range of the model that makes them"
            )
        return found


def remembered(
    copies: Copies, store: Store, *, low: float, high: float, block: int = BLOCK
) -> Remembered:
    """Copies that are computed once for each input, and found in the store from then on.

    What is kept of a value is its byte, from which the same bits are made again. An input is
    found by its content, whatever it is asked with and in which order; what is computed is kept
    some inputs at a time, whole or not at all.

    Args:
        copies: who computes them.
        store: where they are kept.
        low: least value of an input, as its diffusion model has it.
        high: largest value of an input.
        block: inputs that are computed and kept at a time.
    """
    return Remembered(copies, store, float(low), float(high), block)
