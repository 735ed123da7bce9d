"""A classifier, copies and calibration examples that answer exactly and at once."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from nonmember.data.examples import Examples, of
from nonmember.models.fence.calibration import Calibration

SECRET = bytes(range(32))
CLASSES = 4
WEIGHTS = np.random.default_rng(7).integers(-4, 5, size=(6, CLASSES)) / 4.0


@dataclass(frozen=True)
class Linear:
    """Logits that are sums of quarters, so that no order of adding changes a bit."""

    classes: int = CLASSES
    scale: float = 1.0

    def logits(self, inputs):
        found = inputs.reshape(len(inputs), 6).astype(np.float64) @ WEIGHTS[:, : self.classes]
        return (self.scale * found).astype(np.float32)


@dataclass(frozen=True)
class Shaken:
    """Copies with whole steps of noise that the input itself decides."""

    count: int = 5
    width: int = 3
    key: str = ""

    def __call__(self, inputs):
        shape = (self.count, *inputs.shape[1:])
        found = np.empty((len(inputs), *shape), dtype=inputs.dtype)
        for place, row in enumerate(inputs):
            seed = int.from_bytes(sha256(self.key.encode() + row.tobytes()).digest()[:8], "big")
            steps = np.random.default_rng(seed).integers(-self.width, self.width + 1, size=shape)
            found[place] = row + (steps / 4).astype(inputs.dtype)
        return found

    @property
    def digest(self) -> str:
        return f"shaken {self}"


def examples(count: int, seed: int = 0, classes: int = CLASSES) -> Examples:
    rng = np.random.default_rng(seed)
    inputs = (rng.integers(-8, 9, size=(count, 6)) / 4).astype(np.float32)
    return of(inputs, rng.integers(0, classes, count), name=f"seed {seed} example")


def calibration(members: int = 60, non_members: int = 50, public: int = 400) -> Calibration:
    return Calibration(examples(members, 1), examples(non_members, 2), examples(public, 3), SECRET)


def answers(count: int = 40, copies: int = 7, classes: int = 3, seed: int = 0):
    """Logits with many ties, of inputs and of their copies."""
    rng = np.random.default_rng(seed)
    own = rng.integers(-2, 3, size=(count, classes)).astype(np.float32)
    return own.argmax(axis=1), rng.integers(-2, 3, size=(count, copies, classes)).astype(np.float32)


def moved(made, inputs):
    """Which copies (n v ...) are other inputs than their own (n ...)."""
    return (made != inputs[:, None]).reshape(*made.shape[:2], -1).any(axis=2)
