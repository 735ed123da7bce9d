"""One root seed, and a generator of its own for everything that draws."""

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed that depends on the root seed and every name, and on nothing else."""
    path = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The named stream of a root seed; streams of different names are independent."""
    return np.random.default_rng(derive(seed, *names))
