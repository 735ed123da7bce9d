"""Numbers that an input and a secret decide, and that nobody without the secret can tell."""

import hmac
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped

from nonmember.models.fence.select import Draws

Batch = Shaped[np.ndarray, "n ..."]

VERSION = "nonmember fence 1"
BITS = 53  # of the fraction of a float64


def draws(secret: bytes, purpose: str, inputs: Batch) -> Draws:
    """A uniform number for each of n inputs, at least 0 and below 1.

    It depends on the input, as float32, the purpose and the secret alone: the same question is
    answered alike whatever is asked beside it, and in whatever type.
    """
    found = [
        int.from_bytes(hmac.digest(secret, about, "sha256")[:8], "big") >> (64 - BITS)
        for about in _contents(purpose, inputs)
    ]
    return np.array(found, dtype=np.float64) / 2.0**BITS


def name(secret: bytes) -> str:
    """What tells one secret from another without telling the secret."""
    return hmac.digest(secret, f"{VERSION} name".encode(), "sha256").hex()


def _contents(purpose: str, inputs: Batch) -> Iterator[bytes]:
    head = f"{VERSION} {purpose} {inputs.shape[1:]} ".encode()
    plain = inputs.astype(np.float32) + np.float32(0)  # which makes zeros of negative ones
    return (head + row.tobytes() for row in plain)
