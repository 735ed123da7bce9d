"""A small network that tells members by the sorted probabilities they are given, and its slopes.

Written out in NumPy: of so few numbers a framework takes longer to record than to compute.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import expit

from nonmember.errors import ModelError
from nonmember.seeds import generator

WIDTHS = (256, 128, 64, 1)
BATCH = 128

Layer: TypeAlias = tuple[Float64[np.ndarray, "_ _"], Float64[np.ndarray, "_"]]
"""Weights (inputs outputs) and biases (outputs)."""

Net: TypeAlias = tuple[Layer, ...]
Ranked = Float64[np.ndarray, "n c"]
"""Probabilities of each row, largest first."""

Told = Float64[np.ndarray, "n"]
"""Log odds that a row is a member's, nats."""


def forward(net: Net, ranked: Ranked) -> tuple[Told, list[np.ndarray]]:
    """What it says, and what each layer was given."""
    given = [ranked]
    for weight, bias in net[:-1]:
        given.append(np.maximum(given[-1] @ weight + bias, 0))
    weight, bias = net[-1]
    return (given[-1] @ weight + bias)[:, 0], given


def slopes(net: Net, given: Sequence[np.ndarray], slope: Told) -> Iterator[np.ndarray]:
    """Those of what each layer gives, the last layer first; then those of the input."""
    found = slope[:, None]
    for place in range(len(net) - 1, -1, -1):
        yield found
        found = found @ net[place][0].T
        if place:
            found = found * (given[place] > 0)
    yield found


def train(
    ranked: Ranked,
    member: Bool[np.ndarray, "n"],
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
) -> Net:
    """Stochastic gradient descent on the cross-entropy, either side weighing half of it.

    Weights are uniform with variance 2 / (inputs + outputs of the layer) at first (Glorot and
    Bengio 2010), biases zero.

    Raises:
        ModelError: it came apart.
    """
    rng = generator(seed, "membership net")
    net = tuple(_layer(rng, *sizes) for sizes in pairwise([ranked.shape[1], *WIDTHS]))
    weights = np.where(member, 0.5 / member.mean(), 0.5 / (~member).mean())
    for _ in range(epochs):
        order = rng.permutation(len(ranked))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            with np.errstate(over="ignore", invalid="ignore"):  # it is told below
                _update(net, ranked[rows], member[rows], weights[rows] * learning_rate / len(rows))
    if not all(np.isfinite(part).all() for layer in net for part in layer):
        raise ModelError("memguard: its network came apart in training; lower learning_rate")
    return net


def _update(
    net: Net, ranked: Ranked, member: Bool[np.ndarray, "n"], rates: Float64[np.ndarray, "n"]
) -> None:
    """A step down the weighted sum over these rows, in place."""
    told, given = forward(net, ranked)
    away = slopes(net, given, rates * (expit(told) - member))
    steps = [(inputs.T @ one, one.sum(0)) for inputs, one in zip(given[::-1], away, strict=False)]
    for layer, step in zip(net[::-1], steps, strict=True):
        for part, change in zip(layer, step, strict=True):
            np.subtract(part, change, out=part)


def _layer(rng: np.random.Generator, inputs: int, outputs: int) -> Layer:
    reach = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-reach, reach, (inputs, outputs)), np.zeros(outputs)
