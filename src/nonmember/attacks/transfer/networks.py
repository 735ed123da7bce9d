"""Small networks with one hidden layer, all fitted in one stack: NumPy, float32, Adam by hand.

Networks of a stack share their beginning, the order of their records and the hidden units
that are dropped, so that one is fitted alone as among others.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit

from nonmember.seeds import generator

MOMENTUM, SQUARES, LEAST = 0.9, 0.999, 1e-8  # of Adam

Rows = Float[np.ndarray, "p r d"]
"""What p networks see of r records each, standardised."""

RowSides = Bool[np.ndarray, "p r"]
Logits = Float[np.ndarray, "p r"]
Hidden = Float[np.ndarray, "b h"]
Flat: TypeAlias = Float[np.ndarray, "p w"]
"""All numbers of each network: those of the hidden units with their biases, then the outputs'."""


@dataclass(frozen=True)
class Recipe:
    """How networks are built and fitted.

    Two ``outputs`` are a class each, one is the log-odds. The rate is multiplied by ``fall``
    after ``every`` epochs; ``decay`` is the weight of squared numbers in the loss.
    """

    hidden: int
    outputs: int
    rate: float
    batch: int
    epochs: int
    dropout: float = 0.0
    decay: float = 0.0
    fall: float = 1.0
    every: int = 1

    @property
    def sign(self) -> Float[np.ndarray, "o"]:
        """How outputs enter the log-odds."""
        return np.array([-1, 1] if self.outputs == 2 else [1], dtype=np.float32)


@dataclass(frozen=True)
class Networks:
    """p fitted networks that look at d numbers."""

    flat: Flat
    recipe: Recipe

    def parts(self, flat: Flat) -> tuple[Float[np.ndarray, "p d1 h"], Float[np.ndarray, "p h1 o"]]:
        """Views of both layers; the last row of either is the bias."""
        hidden, outputs = self.recipe.hidden, self.recipe.outputs
        last = (hidden + 1) * outputs
        return (
            flat[:, :-last].reshape(len(flat), -1, hidden),
            flat[:, -last:].reshape(len(flat), hidden + 1, outputs),
        )

    def log_odds(self, rows: Rows) -> Logits:
        """Log-odds that each record is a member, in nats."""
        first, second = self.parts(self.flat)
        hidden = np.maximum(np.matmul(_with_ones(rows), first), 0)
        weights = second @ self.recipe.sign
        return np.matmul(hidden, weights[:, :-1, None])[:, :, 0] + weights[:, -1:]


def fitted(rows: Rows, member: RowSides, recipe: Recipe, seed: int) -> Networks:
    """Networks that tell members from others: cross-entropy, both sides with equal weight.

    Args:
        rows: what each network is fitted to, (p r d).
        member: which records are members, of each network both kinds, (p r).
        recipe: of all networks.
        seed: of the beginning, the order of records, and what is dropped.
    """
    drawn, count = generator(seed, "metaclassifier"), rows.shape[1]
    beginning = _beginning(rows.shape[2], recipe, drawn)
    found = Networks(np.repeat(beginning[None], len(rows), axis=0), recipe)
    adam = _Adam(found.flat, np.zeros_like(found.flat), np.zeros_like(found.flat))
    seen, side = _with_ones(rows), member.astype(np.float32)
    share = side.mean(axis=1, keepdims=True)
    weight = np.where(member, 0.5 / share, 0.5 / (1 - share))
    steps = 0
    for epoch in range(recipe.epochs):
        order = drawn.permutation(count)
        given = seen[:, order], side[:, order], weight[:, order]
        rate = recipe.rate * recipe.fall ** (epoch // recipe.every)
        for start in range(0, count, recipe.batch):
            batch = [one[:, start : start + recipe.batch] for one in given]
            kept = _kept(batch[0].shape[1], recipe, drawn)
            slope = _slope(found, batch[0], batch[1], batch[2], kept)
            steps += 1
            adam.step(slope, rate, recipe.decay, steps)
    return found


def _with_ones(rows: Rows) -> Float[np.ndarray, "p r d1"]:
    ones = np.ones((*rows.shape[:2], 1), dtype=np.float32)
    return np.concatenate([rows.astype(np.float32, copy=False), ones], axis=2)


def _beginning(inputs: int, recipe: Recipe, drawn: np.random.Generator) -> Float[np.ndarray, "w"]:
    """Uniform numbers up to one over the root of a layer's inputs, its biases too."""
    sizes = ((inputs, recipe.hidden), (recipe.hidden, recipe.outputs))
    layers = [drawn.uniform(-1, 1, (into + 1) * out) / np.sqrt(into) for into, out in sizes]
    return np.concatenate(layers).astype(np.float32)


def _kept(batch: int, recipe: Recipe, drawn: np.random.Generator) -> Hidden | None:
    """What each record's hidden units are multiplied by, if some are dropped."""
    if not recipe.dropout:
        return None
    stays = drawn.random((batch, recipe.hidden), dtype=np.float32) >= recipe.dropout
    return stays * np.float32(1 / (1 - recipe.dropout))


def _slope(
    networks: Networks, rows: Rows, side: Logits, weight: Logits, kept: Hidden | None
) -> Flat:
    """Gradient of the mean loss of a batch by every number of each network."""
    first, second = networks.parts(networks.flat)
    hidden = np.matmul(rows, first)
    np.maximum(hidden, 0, out=hidden)
    if kept is not None:
        hidden *= kept
    weights = second @ networks.recipe.sign
    odds = np.matmul(hidden, weights[:, :-1, None])[:, :, 0] + weights[:, -1:]
    each = (expit(odds) - side) * weight / np.float32(rows.shape[1])
    found = np.empty_like(networks.flat)
    to_first, to_second = networks.parts(found)
    by_output = np.matmul(each[:, None], hidden)[:, 0]
    to_second[:, :-1] = by_output[:, :, None] * networks.recipe.sign
    to_second[:, -1] = each.sum(axis=1, keepdims=True) * networks.recipe.sign
    active = np.sign(hidden, out=hidden)  # 1 where a unit passes its slope on, else 0
    np.matmul((rows * each[:, :, None]).swapaxes(1, 2), active, out=to_first)
    scale = np.float32(1 / (1 - networks.recipe.dropout))
    to_first *= weights[:, None, :-1] * scale
    return found


@dataclass(frozen=True)
class _Adam:
    """Numbers that move, and the running means of their slopes and of the squares of these."""

    flat: Flat
    mean: Flat
    square: Flat

    def step(self, slope: Flat, rate: float, decay: float, steps: int) -> None:
        """Move all numbers against their slopes."""
        if decay:
            slope += np.float32(decay) * self.flat
        running = ((self.mean, MOMENTUM, slope), (self.square, SQUARES, np.square(slope)))
        for mean, kept, new in running:
            np.multiply(mean, np.float32(kept), out=mean)
            np.add(mean, np.float32(1 - kept) * new, out=mean)
        root = np.sqrt(self.square)
        root *= np.float32(1 / np.sqrt(1 - SQUARES**steps))
        root += np.float32(LEAST)
        np.divide(self.mean, root, out=root)
        root *= np.float32(rate / (1 - MOMENTUM**steps))
        np.subtract(self.flat, root, out=self.flat)
