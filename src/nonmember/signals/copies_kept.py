"""Copies of inputs by a diffusion model, kept: they depend on no classifier, and serve them all."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from jaxtyping import UInt8

from nonmember.errors import RunError
from nonmember.models.diffusion import Copies
from nonmember.models.diffusion.codes import decode, encode
from nonmember.models.source import digest
from nonmember.signals.store import Store

VERSION = 1
BLOCK = 64  # inputs whose copies are kept together: what is lost if a run is interrupted


@dataclass(frozen=True)
class Remembered:
    """``Copies`` that are looked up, and computed and kept where they are not there yet."""

    copies: Copies
    store: Store
    low: float
    high: float
    block: int

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Copies (n v ...) of n inputs (n ...); raises as whoever computes them does.

        Raises:
            RunError: what is kept is damaged, or copies are not of 256 steps of the range.
        """
        parts = [inputs[i : i + self.block] for i in range(0, max(1, len(inputs)), self.block)]
        kept = [self._codes(part) for part in parts]
        found = kept[0] if len(kept) == 1 else np.concatenate(kept)
        return decode(found, self.low, self.high, inputs.dtype)

    @property
    def digest(self) -> str:
        """That of whoever computes them: they are the same."""
        return self.copies.digest

    def _codes(self, part: np.ndarray) -> UInt8[np.ndarray, "n v ..."]:
        address = self._address(part)
        if not self.store.has(address):
            made = self.copies(part)
            found = encode(made, self.low, self.high)
            self._check(made, found)
            about = {"copies": self.digest, "inputs": len(part), "low": self.low, "high": self.high}
            self.store.put(address, {"codes": found}, about)
        return self.store.array(address, "codes")

    def _address(self, part: np.ndarray) -> str:
        """By what each input holds and who makes the copies."""
        inputs = b"".join(sha256(row.tobytes()).digest() for row in part)
        told = f"{VERSION} {self.low!r} {self.high!r} {part.dtype.str} {part.shape[1:]}"
        return digest("copies", told, self.digest, inputs)

    def _check(self, made: np.ndarray, found: UInt8[np.ndarray, "n v ..."]) -> None:
        amiss = decode(found, self.low, self.high, made.dtype) != made
        if amiss.any():
            raise RunError(
                f"copies: {int(amiss.sum())} of {made.size} values are none of the 256 steps from "
                f"{self.low:g} to {self.high:g}; give the range of the model that makes them"
            )


def remembered(
    copies: Copies, store: Store, *, low: float, high: float, block: int = BLOCK
) -> Remembered:
    """Copies that are computed once for each block of inputs, and found in the store from then on.

    What is kept of a value is its byte, from which the same bits are made again. A block is
    found by its content: the same inputs, cut into blocks at the same places.

    Args:
        copies: who computes them.
        store: where they are kept.
        low: least value of an input, as its diffusion model has it.
        high: largest value of an input.
        block: inputs of a block.
    """
    return Remembered(copies, store, float(low), float(high), block)
