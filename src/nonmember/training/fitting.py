"""The fit of one stack of classifiers, from its first update, or its checkpoint, to its last."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from nonmember.errors import ModelError
from nonmember.seeds import derive
from nonmember.training import feeding, fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fleet import Fleet, Make, State

CHECKPOINT_SECONDS = 60.0  # least time between two checkpoints


@dataclass(frozen=True)
class Job:
    """What all stacks of a fit have in common; ``run`` names it in checkpoints."""

    make: Make
    data: torch.Tensor
    labels: torch.Tensor
    member: np.ndarray
    recipe: ClassifierRecipe
    seeds: tuple[int, ...]
    starts: Sequence[State] | None
    watch: Callable[[int], None] | None
    run: str


Trained = tuple[tuple[dict[str, torch.Tensor], ...], np.ndarray]
"""State dicts and losses (m e) of the models of a stack."""


def train(job: Job, group: Sequence[int], path: Path | None, *, stacked: bool) -> Trained:
    """Train the models of these numbers from their first update, or their checkpoint, to the last.

    Within this, torch's generators are those of the models that cannot be stacked: seeded anew in
    each epoch, so that a resumed run meets the same dropout.
    """
    networks = [fleet.fresh(job.make, job.seeds[i]).to(job.data.device) for i in group]
    for i, network in zip(group, networks, strict=True):
        if job.starts is not None:
            fleet.load(network, job.starts[i], i)
    models = fleet.begin(networks, job.recipe, stacked=stacked)
    feeds = [feeding.feed(np.flatnonzero(job.member[i]), job.seeds[i]) for i in group]
    wide = wide_of(len(feeds[0].rows), job.recipe, stacked=stacked)
    run = f"{job.run} {list(group)} {stacked}"
    losses, saved = _resumed(models, feeds, run, path), time.monotonic()
    if losses and job.watch is not None:
        job.watch(len(losses) * len(wide) * len(group))
    with fleet.forked():
        for epoch in range(len(losses), job.recipe.epochs):
            fleet.seed_all(derive(job.seeds[group[0]], "layers", epoch))
            losses.append(_epoch(job, models, feeds, wide, epoch))
            _check(losses[-1], group, epoch)
            last = epoch == job.recipe.epochs - 1
            if path is not None and (last or time.monotonic() - saved >= CHECKPOINT_SECONDS):
                fleet.checkpoint(models, feeds, {"run": run, "losses": losses}, path)
                saved = time.monotonic()
    return fleet.states(models), np.array(losses).T


def _resumed(
    models: Fleet, feeds: Sequence[feeding.Feed], run: str, path: Path | None
) -> list[list[float]]:
    """The losses of the epochs that are done."""
    about = {} if path is None else fleet.resume(models, feeds, run, path)
    return list(about.get("losses", []))


def _epoch(
    job: Job, models: Fleet, feeds: Sequence[feeding.Feed], wide: Sequence[int], epoch: int
) -> list[float]:
    """Train for an epoch; the mean loss of each model, nats."""
    recipe, total = job.recipe, torch.zeros(len(feeds), device=job.data.device)
    rates = _rates(recipe, epoch, len(wide))
    for batch, rate in zip(feeding.epoch(feeds, wide, recipe.batch_size), rates, strict=True):
        places, weights = batch.places.to(job.data.device), batch.weights.to(job.data.device)
        inputs = feeding.changed(job.data.index_select(0, places).float(), feeds, recipe)
        models.optimiser.param_groups[0]["lr"] = rate
        found = fleet.step(models, inputs, job.labels[places], weights, recipe.label_smoothing)
        total += (found * (weights > 0)).view(len(feeds), -1).sum(1)
        if job.watch is not None:
            job.watch(len(feeds))
    counts = [len(one.rows) for one in feeds]
    return [value / count for value, count in zip(total.tolist(), counts, strict=True)]


def _rates(recipe: ClassifierRecipe, epoch: int, steps: int) -> Iterator[float]:
    """The learning rate of each update of an epoch."""
    for done in range(epoch * steps, (epoch + 1) * steps):
        yield learning_rate(recipe, done, recipe.epochs * steps)


def learning_rate(recipe: ClassifierRecipe, done: int, updates: int) -> float:
    """That of the next update after so many of all the updates of a run."""
    turn = math.pi * done / updates
    return recipe.learning_rate * ((1 + math.cos(turn)) / 2 if recipe.schedule == "cosine" else 1.0)


def wide_of(rows: int, recipe: ClassifierRecipe, *, stacked: bool) -> tuple[int, ...]:
    """Rows of each batch of an epoch; a network by itself sees no row that only fills up."""
    return feeding.widths(rows, recipe.batch_size, feeding.PADDED_TO if stacked else 1)


def _check(losses: Sequence[float], group: Sequence[int], epoch: int) -> None:
    for i, loss in zip(group, losses, strict=True):
        if not math.isfinite(loss):
            raise ModelError(
                f"training: the loss of reference model {i} became {loss} in epoch {epoch + 1}; "
                "lower the learning rate"
            )
