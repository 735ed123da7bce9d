"""What each model of a stacked fit is fed: its rows in its own order, changed by its own draws."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor
from torch.nn import functional

from nonmember.seeds import derive, generator
from nonmember.training.classifier_recipe import ClassifierRecipe

PADDED_TO = 16  # rows that a last batch is filled up to a multiple of: few shapes, fast ones
LEVELS = 2**16  # of noise


@dataclass(frozen=True)
class Feed:
    """A model's rows of the data, and its two streams: of their order, and of what changes them."""

    rows: np.ndarray
    order: np.random.Generator
    changes: np.random.PCG64

    @property
    def state(self) -> list[Any]:
        """Where its streams stand, as values."""
        return [self.order.bit_generator.state, self.changes.state]

    def go_to(self, state: list[Any]) -> None:
        """Put its streams where they stood."""
        self.order.bit_generator.state, self.changes.state = state


@dataclass(frozen=True)
class Batch:
    """One update of m models, (m b) in the first axis: places in the data, and their weights.

    ``weights`` are one over the model's batch, and 0 of what only fills it up.
    """

    places: Tensor
    weights: Tensor


def feed(rows: np.ndarray, seed: int) -> Feed:
    """Of a model with this seed; it depends on nothing else."""
    order = np.random.Generator(np.random.PCG64(derive(seed, "order")))
    return Feed(rows, order, np.random.PCG64(derive(seed, "changes")))


def held_back(rows: np.ndarray, seed: int, recipe: ClassifierRecipe) -> np.ndarray:
    """Which of a model's rows it is not trained but watched on, ascending; its seed draws them.

    They count as its training records: they decide which of its epochs is the result.
    """
    drawn = generator(seed, "held back").permutation(rows)
    return np.sort(drawn[recipe.trained(len(rows)) :])


def widths(rows: int, size: int, padded_to: int) -> tuple[int, ...]:
    """Rows of each batch of an epoch, the last one filled up."""
    full, rest = divmod(rows, size)
    last = min(size, -(-rest // padded_to) * padded_to)
    return (size,) * full + ((last,) if rest else ())


def epoch(feeds: Sequence[Feed], wide: Sequence[int], size: int) -> Iterator[Batch]:
    """The batches of an epoch, each row once, in an order of its own."""
    return batches([one.order.permutation(one.rows) for one in feeds], wide, size)


def batches(rows: Sequence[np.ndarray], wide: Sequence[int], size: int) -> Iterator[Batch]:
    """The rows of each model in batches; one is filled up with the model's lowest row."""
    order = np.zeros((len(rows), sum(wide)), dtype=np.int64)
    weights = np.zeros(order.shape, dtype=np.float32)
    for i, own in enumerate(rows):
        count = len(own)
        order[i, :count], order[i, count:] = own, own.min()
        weights[i, :count] = 1 / size
        weights[i, count - (count - 1) % size - 1 : count] = 1 / ((count - 1) % size + 1)
    ends = np.cumsum(wide)
    for start, end in zip(ends - wide, ends, strict=True):
        parts = (np.ascontiguousarray(part[:, start:end]).ravel() for part in (order, weights))
        yield Batch(*map(torch.from_numpy, parts))


def changed(inputs: Tensor, feeds: Sequence[Feed], recipe: ClassifierRecipe) -> Tensor:
    """The inputs (m b) ... as the recipe has them changed, each model's by its own stream."""
    if recipe.flip or recipe.crop:
        drawn = _drawn(feeds, len(inputs) // len(feeds)).ravel()
        inputs = _moved(inputs, drawn, recipe)
    if recipe.noise:
        count = inputs[0].numel() * (len(inputs) // len(feeds))
        levels = _drawn(feeds, -(-count // 4)).view(np.uint16)[:, :count]
        noise = torch.from_numpy(np.take(_quantiles(recipe.noise), levels))
        inputs = inputs + noise.view(inputs.shape).to(inputs.device)
    return inputs


def paired(feeds: Sequence[Feed], weights: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """For mixup: the other record of each one of a batch, and the weight of the first, (m b).

    A model's weight is drawn from Beta(alpha, alpha), one for its batch, and each record of that
    is the other one of one record, by the model's own stream. What only fills up is left alone.
    """
    apart = weights.view(len(feeds), -1)
    other = np.arange(weights.numel()).reshape(apart.shape)
    first = np.ones(apart.shape, dtype=np.float32)
    counts = (apart > 0).sum(1).tolist()
    for i, (one, count) in enumerate(zip(feeds, counts, strict=True)):
        drawn = np.random.Generator(one.changes)
        first[i, :count] = drawn.beta(alpha, alpha)
        other[i, :count] = drawn.permutation(other[i, :count])
    return torch.from_numpy(other.ravel()), torch.from_numpy(first.ravel())


def _drawn(feeds: Sequence[Feed], count: int) -> np.ndarray:
    """64 random bits, so many times for each model."""
    found = np.empty((len(feeds), count), dtype=np.uint64)
    for row, one in zip(found, feeds, strict=True):
        row[:] = one.changes.random_raw(count)
    return found


@cache
def _quantiles(scale: float) -> np.ndarray:
    """Equally likely values of a Gaussian with this standard deviation.

    Looking one up by 16 random bits costs a tenth of drawing it exactly, and nothing that is
    trained with noise can tell.
    """
    values = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    found: np.ndarray = (scale * values / values.std()).astype(np.float32)
    return found


def _moved(images: Tensor, drawn: np.ndarray, recipe: ClassifierRecipe) -> Tensor:
    """Images (b channels height width), each mirrored and shifted by the bits drawn for it."""
    _, _, height, width = images.shape
    most, bits = recipe.crop, drawn.astype(np.int64) & (2**62 - 1)
    across = np.arange(width) + ((bits >> 1) % (2**20) % (2 * most + 1))[:, None]
    if recipe.flip:
        across = np.where((bits & 1)[:, None] == 1, across[:, ::-1], across)
    down = np.arange(height) + ((bits >> 21) % (2 * most + 1))[:, None]
    padded = functional.pad(images, (most,) * 4)
    each = torch.arange(len(images), device=images.device)[:, None, None]
    rows = torch.from_numpy(down).to(images.device)[:, :, None]
    columns = torch.from_numpy(np.ascontiguousarray(across)).to(images.device)[:, None, :]
    return padded.permute(0, 2, 3, 1)[each, rows, columns].permute(0, 3, 1, 2)
