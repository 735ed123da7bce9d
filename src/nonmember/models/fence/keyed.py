"""Numbers that an input and a secret decide, and that nobody without the secret can tell."""

import hmac
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from nonmember.models.fence.select import Draws

Batch = Shaped[np.ndarray, "n ..."]

VERSION = "nonmember fence 2"
BITS = 53  # of the fraction of a float64
STEPS = 255  # of a range: inputs that differ by less are as good as one


class Span(NamedTuple):
    """The range of inputs: of all their numbers, or of each."""

    low: float | Shaped[np.ndarray, "*d"]
    high: float | Shaped[np.ndarray, "*d"]


def draws(secret: bytes, purpose: str, inputs: Batch, span: Span | None) -> Draws:
    """A uniform number for each of n inputs, at least 0 and below 1.

    It depends on the ``steps`` of the input, the purpose and the secret alone: the same question
    is answered alike whatever is asked beside it, and in whatever type, and nobody is given
    another draw for an input that is moved by next to nothing.
    """
    found = [
        int.from_bytes(hmac.digest(secret, about, "sha256")[:8], "big") >> (64 - BITS)
        for about in _contents(purpose, steps(inputs, span))
    ]
    return np.array(found, dtype=np.float64) / 2.0**BITS


def steps(inputs: Batch, span: Span | None) -> Float[np.ndarray, "n ..."]:
    """In which of 256 steps of the range each number of an input lies; outside they go on.

    Without a range the numbers themselves, as float32. Where a range is a point, it counts as 1.
    """
    if span is None:
        return inputs.astype(np.float32) + np.float32(0)  # which makes zeros of negative ones
    low, high = (np.asarray(end, dtype=np.float64) for end in span)
    whole = np.where(high > low, high - low, 1.0)
    return np.rint((inputs.astype(np.float64) - low) * (STEPS / whole)) + 0.0


def ranging(sides: Sequence[np.ndarray]) -> Span:
    """What inputs of one shape range over: each column of tables, or all numbers of others."""
    axis = 0 if sides[0].ndim == 2 else None
    low, high = (
        np.asarray(end([end(side, axis) for side in sides], 0), dtype=np.float64)
        for end in (np.min, np.max)
    )
    return Span(low, high)


def name(secret: bytes) -> str:
    """What tells one secret from another without telling the secret."""
    return hmac.digest(secret, f"{VERSION} name".encode(), "sha256").hex()


def _contents(purpose: str, numbers: Float[np.ndarray, "n ..."]) -> Iterator[bytes]:
    head = f"{VERSION} {purpose} {numbers.shape[1:]} ".encode()
    return (head + row.tobytes() for row in numbers)
