"""Noise that a key and an input decide: the same for the same input, alone or in a batch.

Fresh noise for each question would hand out new draws to whoever asks again, and no audit could
be repeated.
"""

import hmac
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int, UInt8

from nonmember.models.diffusion.form import Sampler

VERSION = 1
"""Of how noise is drawn; part of what decides it."""


def keys(
    codes: UInt8[np.ndarray, "n *shape"], index: int, sampler: Sampler, secret: bytes
) -> list[int]:
    """A key of 128 bits for each input: HMAC-SHA256 of its codes and of what is done to it."""
    told = f"{VERSION} {codes.shape[1:]} {index} {sampler}\n".encode()
    digests = (hmac.digest(secret, told + row.tobytes(), "sha256") for row in codes)
    return [int.from_bytes(one[:16], "little") for one in digests]


def blocks(
    keys: Sequence[int],
    inputs: Int[np.ndarray, "b"],
    numbers: Int[np.ndarray, "b"],
    shape: tuple[int, ...],
) -> Float32[np.ndarray, "b ..."]:
    """Standard normal noise for copies of these numbers of these inputs, (b ...).

    A copy's noise is a block of the counter of its input's Philox generator (Salmon et al. 2011)
    and depends on no other copy, so that 10 copies are the first 10 of 30.
    """
    found = np.empty((len(inputs), *shape), dtype=np.float32)
    bits, before = np.random.Philox(key=0), -1
    stream, state = np.random.Generator(bits), bits.state
    for row, i, j in zip(found, inputs.tolist(), numbers.tolist(), strict=True):
        if i != before:
            state, before = np.random.Philox(key=keys[i]).state, i
        state["state"]["counter"] = np.array([0, 0, j, 0], dtype=np.uint64)
        bits.state = state
        stream.standard_normal(out=row, dtype=np.float32)
    return found
