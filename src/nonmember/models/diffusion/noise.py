"""Noise that a key and an input decide: the same for the same input, alone or in a batch.

Fresh noise for each question would hand out new draws to whoever asks again, and no audit could
be repeated.
"""

import hmac
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, UInt8, UInt64

from nonmember.models.diffusion.form import Sampler

VERSION = 2
"""Of how noise is drawn; part of what decides it."""

Keys = UInt64[np.ndarray, "n 2"]
"""128 bits for each input, the lower half first."""


def keys(codes: UInt8[np.ndarray, "n *shape"], index: int, sampler: Sampler, secret: bytes) -> Keys:
    """The key of each input: the first half of an HMAC-SHA256 of its codes and what is done to it.

    Without the secret nobody can tell one from another drawn at random.
    """
    told = f"{VERSION} {codes.shape[1:]} {index} {sampler}\n".encode()
    digests = [hmac.digest(secret, told + row.tobytes(), "sha256")[:16] for row in codes]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64).reshape(-1, 2)


def batches(
    keys: Keys, copies: int, shape: tuple[int, ...], size: int
) -> Iterator[Float32[np.ndarray, "b ..."]]:
    """Standard normal noise for so many copies of each input, ``size`` copies (b ...) at a time.

    An input has a Philox generator of its own (Salmon et al. 2011), from which its copies are
    drawn one after the other: 10 are the first 10 of 30, and no other input changes any.
    """
    bits = np.random.Philox(key=0)
    stream, state, end = np.random.Generator(bits), bits.state, len(keys) * copies
    for start in range(0, end, size):
        found = np.empty((min(size, end - start), *shape), dtype=np.float32)
        row = start
        while row < start + len(found):
            place, copy = divmod(row, copies)
            if not copy:  # an input may have begun in the batch before
                state["state"]["key"] = keys[place]
                bits.state = state
            rest = found[row - start :][: copies - copy]
            stream.standard_normal(out=rest, dtype=np.float32)
            row += len(rest)
        yield found
