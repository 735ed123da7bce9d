"""Which records go into which update: all that the seed decides before training begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nonmember.seeds import generator
from nonmember.training.accounting import sample_rate
from nonmember.training.recipe import Recipe


@dataclass(frozen=True)
class Batch:
    """Positions of the records of one update, and where in the run it stands.

    ``left`` is the share of the run that remains when it begins; ``ends`` marks the last
    update of its epoch.
    """

    epoch: int
    records: tuple[int, ...]
    left: float
    ends: bool


def batches(sizes: Sequence[int], recipe: Recipe, *, seed: int, done: int = 0) -> Iterator[Batch]:
    """The updates of a run in order, the first ``done`` of them left out.

    Each epoch visits each of its records once, shuffled anew, but for those held back. With
    an ``epsilon`` each update draws each record on its own instead (Poisson sampling), so
    that its batch may have any size.

    Args:
        sizes: records of each epoch that is trained; the recipe may have more epochs.
        recipe: the settings.
        seed: of the order, of the draws and of who is held back.
        done: updates to leave out.
    """
    before = 0
    for epoch, records in enumerate(sizes):
        kept = np.setdiff1d(np.arange(records), held_back(records, recipe, seed=seed))
        count = updates(len(kept), recipe)
        if done < before + count:
            order = generator(seed, "order", epoch).permutation(kept)
        for place in range(max(0, done - before), count):
            if recipe.epsilon is None:
                start = place * recipe.batch_size
                chosen = order[start : start + recipe.batch_size]
            else:
                chosen = _drawn(records, recipe, seed, before + place)
            left = 1 - (epoch + place / count) / recipe.epochs
            yield Batch(epoch, tuple(chosen.tolist()), left, place == count - 1)
        before += count


def updates(records: int, recipe: Recipe) -> int:
    """How many updates an epoch of so many records has."""
    return -(-records // recipe.batch_size)


def held_back(records: int, recipe: Recipe, *, seed: int) -> tuple[int, ...]:
    """Positions of the records that are only watched, in ascending order."""
    if not recipe.hold_back:
        return ()
    count = max(1, round(recipe.hold_back * records))
    drawn = generator(seed, "held back").permutation(records)[:count]
    return tuple(np.sort(drawn).tolist())


def times(sizes: Sequence[int], recipe: Recipe, *, seed: int) -> list[np.ndarray]:
    """How often each record goes into an update, per epoch (n,)."""
    counts = [np.zeros(records, dtype=np.int64) for records in sizes]
    for batch in batches(sizes, recipe, seed=seed):
        counts[batch.epoch][list(batch.records)] += 1
    return counts


def _drawn(records: int, recipe: Recipe, seed: int, step: int) -> np.ndarray:
    chances = generator(seed, "draw", step).random(records)
    return np.flatnonzero(chances < sample_rate(records, recipe.batch_size))
