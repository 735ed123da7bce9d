"""The one plain training loop: batches in a fixed order, float32 updates, resumable."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.text import Encoded
from nonmember.seeds import derive
from nonmember.training import dpsgd, early, order, seen, update
from nonmember.training.order import Batch
from nonmember.training.recipe import Recipe
from nonmember.training.state import Progress, State, begin, checkpoint, end, remember, resume, step
from nonmember.training.update import Backward, Loss

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Material:
    """What is trained on: one entry for every epoch, or a single one used in all.

    Epochs may have different numbers of records.
    """

    epochs: tuple[Sequence[Encoded], ...]

    def of(self, epoch: int) -> Sequence[Encoded]:
        """The records of an epoch."""
        return self.epochs[epoch if len(self.epochs) > 1 else 0]


@dataclass(frozen=True)
class Stretch:
    """Which part of a run is trained now, and where its state is left.

    Args:
        stop: end after so many epochs of the recipe's schedule; None: after all.
        scratch: where the checkpoints of this run, and of no other, go; a run that finds one
            there goes on from it, and ends with the numbers it would have had without the
            interruption. A damaged one is passed over: the run starts anew.
        hand_to: the scratch folder of the run that goes on from here: one with the same base,
            recipe and seed, and the same material in the epochs that are done.
        checkpoint_seconds: least time between two checkpoints.
    """

    stop: int | None = None
    scratch: Path | None = None
    hand_to: Path | None = None
    checkpoint_seconds: float = 120.0


@dataclass(frozen=True)
class Fitted:
    """What was trained, per epoch.

    Args:
        losses: mean training loss, nats per token. Under an ``epsilon`` it is not covered by
            the guarantee.
        tokens: how many tokens were trained on.
        seen: ``digest_of`` what updates were made of, each record as often as it was.
        held_back: positions in the material of the records that no update was made of: held
            back for early stopping or, under an ``epsilon``, never drawn.
        held_losses: mean loss of what was held back for early stopping, nats per token.
        privacy: the guarantee, if there is one: epsilon, delta, noise_multiplier, sample_rate,
            steps, clip.
    """

    losses: tuple[float, ...]
    tokens: tuple[int, ...]
    seen: tuple[str, ...]
    held_back: tuple[int, ...] = ()
    held_losses: tuple[float, ...] = ()
    privacy: Mapping[str, float] | None = None


def fit(
    network: nn.Module,
    loss: Loss,
    material: Material,
    recipe: Recipe,
    *,
    seed: int,
    stretch: Stretch = Stretch(),
    watch: Callable[[int], None] | None = None,
) -> Fitted:
    """Fine-tune the trainable weights of ``network`` in place, leaving them float32.

    Args:
        network: what is trained; frozen weights stay as they are.
        loss: its loss on some records.
        material: the training records; each is asked for when its turn comes, and one over the
            limit of a forward pass is trained on in its ``windows``.
        recipe: the settings.
        seed: of the order of records, of dropout, of who is held back, of DP-SGD's draws and
            noise: whoever knows it can take that noise off.
        stretch: the part of the run, and its checkpoints.
        watch: told the records' tokens done after each update, and first of all those of a
            checkpoint.

    Raises:
        DataError: an epoch without a token to train on, or whose records are not those of the
            others where it matters.
        ModelError: the loss is no number any more, a trainable weight got no gradient in the
            whole run, or none has moved.
    """
    sizes = _sizes(material, recipe, stretch.stop, seed)
    state = begin(network, recipe)
    progress = resume(state, stretch.scratch, recipe.epochs)
    if watch is not None and progress.done:
        watch(progress.tokens)
    saved = time.monotonic()
    network.train()
    with _backward(network, loss, recipe, sizes[0], seed) as backward:
        run = _Run(network, loss, backward, state, material, recipe, seed)
        for batch in order.batches(sizes, recipe, seed=seed, done=progress.done):
            if early.over(progress.held):
                break
            before, progress = progress.tokens, _updated(run, batch, progress)
            if watch is not None:
                watch(progress.tokens - before)
            if stretch.scratch and time.monotonic() - saved >= stretch.checkpoint_seconds:
                checkpoint(state, stretch.scratch, progress)
                saved = time.monotonic()
    if stretch.hand_to is not None:
        checkpoint(state, stretch.hand_to, progress)
    end(state)
    network.eval()
    return _fitted(progress, sizes, recipe, seed)


def expected(material: Material, recipe: Recipe, *, seed: int, epochs: int) -> tuple[str, ...]:
    """What ``Fitted.seen`` of so many epochs has to be, from the material and the seed alone."""
    sizes = [len(material.of(epoch)) for epoch in range(epochs)]
    marks = [[seen.mark_of(one) for one in records] for records in material.epochs[:epochs]]
    return tuple(
        seen.told(
            sum(m * int(k) for m, k in zip(marks[min(e, len(marks) - 1)], often, strict=True))
        )
        for e, often in enumerate(order.times(sizes, recipe, seed=seed))
    )


@dataclass(frozen=True)
class _Run:
    """What stays the same through all updates of a run."""

    network: nn.Module
    loss: Loss
    backward: Backward
    state: State
    material: Material
    recipe: Recipe
    seed: int


@contextmanager
def _backward(
    network: nn.Module, loss: Loss, recipe: Recipe, records: int, seed: int
) -> Iterator[Backward]:
    if recipe.epsilon is None:
        yield lambda chosen, _: update.backward(loss, chosen, recipe.micro_batch)
        return
    with dpsgd.private(network, loss, recipe, records, seed=seed) as backward:
        yield backward


def _updated(run: _Run, batch: Batch, progress: Progress) -> Progress:
    """One update, and after the last one of an epoch a look at what is held back."""
    records, recipe, e = run.material.of(batch.epoch), run.recipe, batch.epoch
    chosen = [records[i] for i in batch.records]
    with torch.random.fork_rng():
        torch.manual_seed(derive(run.seed, "dropout", progress.done))
        made = run.backward(chosen, progress.done)
    if not np.isfinite(made.loss):
        raise ModelError(f"training: the loss became {made.loss}; lower the learning rate")
    rate = recipe.learning_rate * (batch.left if recipe.schedule == "linear" else 1.0)
    step(run.state, rate, recipe.clip if recipe.epsilon is None else float("inf"))
    progress = replace(
        progress,
        done=progress.done + 1,
        tokens=progress.tokens + sum(len(one.ids) for one in chosen),
        losses=_plus(progress.losses, e, made.loss),
        scored=_plus(progress.scored, e, made.tokens),
        seen=_plus(progress.seen, e, made.marks),
    )
    return _watched(run, progress, records) if batch.ends and recipe.hold_back else progress


def _plus(row: tuple[Number, ...], place: int, more: Number) -> tuple[Number, ...]:
    return tuple(value + more if at == place else value for at, value in enumerate(row))


def _watched(run: _Run, progress: Progress, records: Sequence[Encoded]) -> Progress:
    """With the loss of what is held back; the weights are remembered if it is the lowest."""
    places = order.held_back(len(records), run.recipe, seed=run.seed)
    watched = [records[i] for i in places]
    found = early.mean_loss(run.network, run.loss, watched, run.recipe.micro_batch)
    progress = replace(progress, held=(*progress.held, found))
    if not early.over(progress.held):
        remember(run.state)
    return progress


def _fitted(progress: Progress, sizes: Sequence[int], recipe: Recipe, seed: int) -> Fitted:
    epochs = len(progress.held) or len(sizes)
    pairs = zip(progress.losses[:epochs], progress.scored[:epochs], strict=True)
    never: tuple[int, ...] = ()
    if recipe.hold_back or recipe.epsilon is not None:
        never = tuple(np.flatnonzero(sum(order.times(sizes, recipe, seed=seed)) == 0).tolist())
    return Fitted(
        losses=tuple(loss / max(1, tokens) for loss, tokens in pairs),
        tokens=progress.scored[:epochs],
        seen=tuple(seen.told(total) for total in progress.seen[:epochs]),
        held_back=never,
        held_losses=progress.held,
        privacy=None if recipe.epsilon is None else dpsgd.spent(sizes[0], recipe, progress.done),
    )


def _sizes(material: Material, recipe: Recipe, stop: int | None, seed: int) -> list[int]:
    """Records of each epoch that is trained."""
    epochs = recipe.epochs if stop is None else stop
    if not 1 <= epochs <= recipe.epochs:
        raise SpecError(f"training: stop = {epochs}; give 1 to {recipe.epochs} epochs")
    if len(material.epochs) != 1 and not epochs <= len(material.epochs) <= recipe.epochs:
        raise DataError(
            f"training: material of {len(material.epochs)} epochs for {epochs}; give one for each, "
            "or a single one for all"
        )
    sizes = [len(material.of(epoch)) for epoch in range(epochs)]
    if len(set(sizes)) > 1 and (recipe.hold_back or recipe.epsilon is not None):
        raise DataError(
            "training: hold_back and epsilon follow records through all epochs, and these have "
            f"{', '.join(map(str, sizes))} of them; give each epoch the same records"
        )
    for records in material.epochs[:epochs]:
        held = set(order.held_back(len(records), recipe, seed=seed))
        if not any(one.scored.any() for i, one in enumerate(records) if i not in held):
            raise DataError("training: no record has a token to train on; give longer texts")
    return sizes
