"""The fit of one stack of classifiers, from its first update, or its checkpoint, to its last."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.seeds import derive
from nonmember.training import criteria, feeding, fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fleet import Criterion, Fleet, Make, State
from nonmember.training.objectives import EntropySoft, Mixup, RelaxLoss

CHECKPOINT_SECONDS = 60.0  # least time between two checkpoints
LOSSES, WATCHED, BELOW = "losses", "watched", "below"


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
    soft: torch.Tensor | None = None


@dataclass(frozen=True)
class Trained:
    """The models of a stack: state dicts, losses of each epoch (m e), and what else is known."""

    states: tuple[dict[str, Tensor], ...]
    losses: np.ndarray
    about: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class _Stack:
    """Models in training: their numbers, what they are fed, and what they are watched on.

    ``history`` are numbers of each epoch that is done (e m), by name; ``best`` the state of each
    model after its best epoch, {} where none is sought. Both are filled in as they train.
    """

    models: Fleet
    group: Sequence[int]
    feeds: Sequence[feeding.Feed]
    wide: tuple[int, ...]
    held: Sequence[np.ndarray]
    history: dict[str, list[list[float]]]
    best: Sequence[dict[str, Tensor]]


def train(job: Job, group: Sequence[int], path: Path | None, *, stacked: bool) -> Trained:
    """Train the models of these numbers from their first update, or their checkpoint, to the last.

    Within this, torch's generators are those of the models that cannot be stacked: seeded anew in
    each epoch, so that a resumed run meets the same dropout.
    """
    stack = _begun(job, group, stacked=stacked)
    run = f"{job.run} {list(group)} {stacked}"
    done, saved = _resume(stack, run, path), time.monotonic()
    if done and job.watch is not None:
        job.watch(done * len(stack.wide) * len(group))
    with fleet.forked():
        for epoch in range(done, job.recipe.epochs):
            fleet.seed_all(derive(job.seeds[group[0]], "layers", epoch))
            _epoch(job, stack, epoch)
            if job.recipe.hold_back:
                _watch(job, stack)
            last = epoch == job.recipe.epochs - 1
            if path is not None and (last or time.monotonic() - saved >= CHECKPOINT_SECONDS):
                about = {"run": run, "history": stack.history}
                fleet.checkpoint(stack.models, stack.feeds, about, path, stack.best)
                saved = time.monotonic()
    return _ended(job, stack)


def _begun(job: Job, group: Sequence[int], *, stacked: bool) -> _Stack:
    """Models before their first update."""
    networks = [fleet.fresh(job.make, job.seeds[i]).to(job.data.device) for i in group]
    for i, network in zip(group, networks, strict=True):
        if job.starts is not None:
            fleet.load(network, job.starts[i], i)
    models = fleet.begin(networks, job.recipe, stacked=stacked)
    feeds, held = [], []
    for i in group:
        rows, seed = np.flatnonzero(job.member[i]), job.seeds[i]
        held.append(feeding.held_back(rows, seed, job.recipe))
        feeds.append(feeding.feed(np.setdiff1d(rows, held[-1], assume_unique=True), seed))
    wide = wide_of(len(feeds[0].rows), job.recipe, stacked=stacked)
    best: list[dict[str, Tensor]] = [{} for _ in group] if job.recipe.hold_back else []
    return _Stack(models, group, feeds, wide, held, {LOSSES: [], WATCHED: [], BELOW: []}, best)


def _resume(stack: _Stack, run: str, path: Path | None) -> int:
    """Go on from a checkpoint, if there is one; how many epochs are done."""
    if path is not None:
        about = fleet.resume(stack.models, stack.feeds, run, path, stack.best)
        stack.history.update(about.get("history", {}))
    return len(stack.history[LOSSES])


def _ended(job: Job, stack: _Stack) -> Trained:
    """What was trained, and what there is to tell of each model."""
    states = tuple(stack.best) or fleet.states(stack.models)
    found: list[dict[str, Any]] = [{} for _ in stack.group]
    watched, below = np.array(stack.history[WATCHED]), np.array(stack.history[BELOW])
    for i, one in enumerate(found):
        if len(watched):
            one["records held back"] = len(stack.held[i])
            one["epoch kept"] = int(watched[:, i].argmin()) + 1
            one["cross-entropy of those held back, nats"] = float(watched[:, i].min())
        if len(below):
            one["share of batches at or below the level"] = float(below[:, i].mean())
    return Trained(states, np.array(stack.history[LOSSES]).T, tuple(found))


def _epoch(job: Job, stack: _Stack, epoch: int) -> None:
    """Train for an epoch; notes the mean loss of each model, nats."""
    recipe, feeds, m = job.recipe, stack.feeds, len(stack.feeds)
    total, below = torch.zeros((2, m), device=job.data.device)
    rates = _rates(recipe, epoch, len(stack.wide))
    for batch, rate in zip(feeding.epoch(feeds, stack.wide, recipe.batch_size), rates, strict=True):
        places, weights = batch.places.to(job.data.device), batch.weights.to(job.data.device)
        inputs = feeding.changed(job.data.index_select(0, places).float(), feeds, recipe)
        inputs, criterion = _aimed(job, stack, inputs, places, batch.weights, epoch)
        stack.models.optimiser.param_groups[0]["lr"] = rate
        found = fleet.step(stack.models, inputs, weights, criterion)
        total += (found * (weights > 0)).view(m, -1).sum(1)
        if isinstance(recipe.objective, RelaxLoss):
            below += criteria.means(found, weights, m) <= recipe.objective.level
        if job.watch is not None:
            job.watch(m)
    losses = zip(total.tolist(), (len(one.rows) for one in feeds), strict=True)
    stack.history[LOSSES].append([value / count for value, count in losses])
    if isinstance(recipe.objective, RelaxLoss):
        stack.history[BELOW].append((below / len(stack.wide)).tolist())
    _check(stack.history[LOSSES][-1], stack.group, epoch)


def _aimed(
    job: Job, stack: _Stack, inputs: Tensor, places: Tensor, weights: Tensor, epoch: int
) -> tuple[Tensor, Criterion]:
    """What a batch is shown, and what each of its records costs."""
    labels, m = job.labels[places], len(stack.feeds)
    match job.recipe.objective:
        case RelaxLoss() as how:
            own = weights.to(inputs.device)
            return inputs, partial(
                criteria.relaxed, labels=labels, weights=own, objective=how, epoch=epoch, m=m
            )
        case EntropySoft() as how:
            return inputs, partial(criteria.entropy_soft, labels=labels, objective=how)
        case Mixup():
            return mixed(inputs, labels, stack.feeds, weights, job.recipe)
        case _:
            return inputs, _plain(job, stack, places, job.recipe.label_smoothing)


def mixed(
    inputs: Tensor,
    labels: Tensor,
    feeds: Sequence[feeding.Feed],
    weights: Tensor,
    recipe: ClassifierRecipe,
) -> tuple[Tensor, Criterion]:
    """Weighted means of two inputs of a batch, (m b) ..., and what each costs by both labels.

    Args:
        inputs: (m b) ....
        labels: their true classes, (m b).
        feeds: of the m models, whose streams draw the pairs and their weights.
        weights: of each record in the mean loss of its model's batch, (m b).
        recipe: of the objective ``Mixup``.
    """
    assert isinstance(recipe.objective, Mixup)
    drawn = feeding.paired(feeds, weights, recipe.objective.alpha)
    other, first = (part.to(inputs.device) for part in drawn)
    share = first.view(-1, *[1] * (inputs.dim() - 1))
    criterion = partial(
        criteria.mixed,
        labels=labels,
        others=labels[other],
        weights=first,
        smoothing=recipe.label_smoothing,
    )
    return inputs * share + inputs[other] * (1 - share), criterion


def _plain(job: Job, stack: _Stack, places: Tensor, smoothing: float) -> Criterion:
    """The cross-entropy to the labels, or to each model's own soft targets."""
    if job.soft is None:
        return partial(criteria.cross_entropy, labels=job.labels[places], smoothing=smoothing)
    numbers = torch.tensor(stack.group, device=places.device)
    own = numbers.repeat_interleave(len(places) // len(numbers))
    return partial(criteria.soft_cross_entropy, targets=job.soft[own, places], smoothing=smoothing)


def _watch(job: Job, stack: _Stack) -> None:
    """Note the mean cross-entropy of each model on what it holds back, and keep its best state."""
    device, size = job.data.device, job.recipe.batch_size
    wide = wide_of(len(stack.held[0]), job.recipe, stacked=stack.models.alone is None)
    total = torch.zeros(len(stack.held), device=device)
    for batch in feeding.batches(stack.held, wide, size):
        places = batch.places.to(device)
        logits = fleet.answers(stack.models, job.data.index_select(0, places).float())
        found, _ = _plain(job, stack, places, 0.0)(logits)
        total += (found * (batch.weights.to(device) > 0)).view(len(stack.held), -1).sum(1)
    counts = [len(rows) for rows in stack.held]
    now = [value / count for value, count in zip(total.tolist(), counts, strict=True)]
    before = np.array(stack.history[WATCHED]).reshape(-1, len(now)).min(0, initial=math.inf)
    stack.history[WATCHED].append(now)
    _check(now, stack.group, len(stack.history[WATCHED]) - 1)
    better = np.flatnonzero(np.array(now) < before).tolist()
    for i, state in zip(better, fleet.states(stack.models, better), strict=True):
        stack.best[i].update(state)


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
