"""Classifiers small enough to know everything of, and inputs for them."""

from dataclasses import dataclass, field

import numpy as np

from nonmember.data import examples


@dataclass
class Linear:
    """Logits are linear in the input, row by row; every call is written down."""

    weights: np.ndarray
    bias: np.ndarray
    calls: list[np.ndarray] = field(default_factory=list)

    @property
    def classes(self):
        return len(self.bias)

    @property
    def asked(self):
        """How many inputs it was shown."""
        return sum(map(len, self.calls))

    def logits(self, inputs):
        self.calls.append(inputs.copy())
        flat = inputs.reshape(len(inputs), len(self.weights)).astype(float)
        # an einsum rounds a row alike in any company, which a matrix product need not
        return (np.einsum("nd,dc->nc", flat, self.weights) + self.bias).astype(np.float32)


def linear(width, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(width, classes))
    return Linear(weights, -0.5 * weights.sum(axis=0))


def images(n=12, shape=(6, 6), classes=3, seed=1):
    """Inputs between 0 and 1, most of whose labels are what ``linear`` of this seed says."""
    rng = np.random.default_rng(seed)
    inputs = rng.random((n, *shape)).astype(np.float32)
    said = linear(int(np.prod(shape)), classes).logits(inputs).argmax(axis=1)
    labels = np.where(rng.random(n) < 0.8, said, rng.integers(0, classes, n))
    return examples.of(inputs, labels)
