"""Many LoRA adapters trained in one pass over one frozen base: reference models by the dozen.

Each has records, an order of them, a mean loss and a clipped norm of its own, so that it is what
``fine_tune`` makes of its records and seed alone, up to rounding: all that those trained beside
it share is the base's passes.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models import adapters, causal
from nonmember.models.adapters import Adapter
from nonmember.models.source import Source
from nonmember.models.text import Encoded
from nonmember.seeds import derive
from nonmember.training import exclude, order, seen
from nonmember.training.adapters_gradients import gradients
from nonmember.training.loop import Fitted
from nonmember.training.lora import add_adapter
from nonmember.training.order import Batch
from nonmember.training.recipe import Recipe
from nonmember.training.state import Progress, State, begin, checkpoint, end, resume, step
from nonmember.training.update import Made
from nonmember.types import RefMember

CHECKPOINT_SECONDS = 120.0  # least time between two checkpoints
SINGLY = ("hold_back", "epsilon")  # settings of one adapter at a time only

Watch = Callable[[int], None]


def fit_adapters(  # noqa: PLR0913 - a run's settings, and where its state goes
    base: Source,
    where: causal.Placement,
    material: Sequence[Encoded],
    member: RefMember,
    recipe: Recipe,
    folders: Sequence[Path],
    *,
    seeds: Sequence[int],
    scratch: Path | None = None,
    watch: Watch | None = None,
) -> tuple[Fitted, ...]:
    """Train m adapters, each on its part of the material, and save each as peft does.

    They are on the layers that ``fine_tune`` puts them on. Each makes an update of
    ``recipe.batch_size`` of its records; ``recipe.micro_batch`` records, of whichever adapters,
    are computed at a time. The base keeps its number format, adapters are float32. With dropout,
    of the recipe or in the base's own configuration, what is dropped depends on who is trained
    beside it, as it does on the micro-batch.

    Args:
        base: what all adapters are of.
        where: the device, and the number format of the base.
        material: the n records.
        member: whom each adapter is trained on, (m n).
        recipe: the settings; of the method "lora".
        folders: where each adapter goes: a model like any other from then on.
        seeds: one for each, of its beginning and of the order of its records.
        scratch: where the checkpoints of this run, and of no other, go.
        watch: told the records' tokens done after each update, and first of all those of
            checkpoints.

    Raises:
        DataError: ``member`` is of other records or adapters, or gives one nothing to learn.
        ModelError: the base cannot be loaded, is itself an adapter, has no layer that the
            recipe excludes, or one whose input is not a row for each record; a loss is no
            number any more, or a weight did not learn.
        SpecError: the recipe asks for what one adapter at a time can have only.
    """
    _check(base, material, member, recipe, folders, seeds)
    model = causal.load(base, where)
    network, tokenizer = model.network.requires_grad_(False), model.tokenizer
    del model  # and the float32 copy of the head that scoring keeps
    runs = _begun(network, base, member, recipe, seeds, scratch)
    runs = _trained(network, material, runs, recipe, watch)
    for run in runs:
        end(run.state)
    _save(network, tokenizer, base, recipe, runs, folders)
    return tuple(_fitted(run.progress) for run in runs)


@dataclass(frozen=True)
class _Run:
    """One adapter, its records' positions in the material, and how far it is."""

    records: Int[np.ndarray, "n"]
    seed: int
    adapter: Adapter
    state: State
    progress: Progress
    scratch: Path | None


def _check(
    base: Source,
    material: Sequence[Encoded],
    member: RefMember,
    recipe: Recipe,
    folders: Sequence[Path],
    seeds: Sequence[int],
) -> None:
    if base.base is not None:
        raise ModelError(
            f"{base.name}: an adapter cannot be trained further; merge it into a folder first"
        )
    exclude.check(base, recipe)
    asked = [name for name in SINGLY if getattr(recipe, name)]
    if recipe.method != "lora" or asked:
        amiss = f"{asked[0]} = {getattr(recipe, asked[0])}" if asked else 'method = "full"'
        raise SpecError(f"adapters: recipe: {amiss}; train such models one by one, or leave it out")
    rows = len(member) == len(folders) == len(seeds) > 0
    if not rows or member.shape[1] != len(material):
        raise DataError(
            f"adapters: member is {member.shape}, of {len(folders)} folders, {len(seeds)} seeds "
            f"and {len(material)} records; give a row for each folder, a column for each record"
        )
    learnt = np.array([bool(one.scored.any()) for one in material], dtype=bool)
    for folder, saw in zip(folders, member, strict=True):
        if not (saw & learnt).any():
            raise DataError(f"adapters: {folder.name} gets no token to train on; give it records")


def _begun(
    network: Any,
    base: Source,
    member: RefMember,
    recipe: Recipe,
    seeds: Sequence[int],
    scratch: Path | None,
) -> list[_Run]:
    """Fresh adapters as ``fine_tune`` begins with, or as far as they were."""
    from peft import get_peft_model_state_dict

    runs = []
    for place, seed in enumerate(seeds):
        adapted = add_adapter(network, base, recipe, seed=seed)
        fresh = get_peft_model_state_dict(adapted, save_embedding_layers=False)
        own = {name: nn.Parameter(weight.detach().clone()) for name, weight in fresh.items()}
        adapted.unload()
        state = begin(nn.ParameterDict({k.replace(".", "/"): p for k, p in own.items()}), recipe)
        folder = None if scratch is None else scratch / str(place)
        progress = resume(state, folder, recipe.epochs)
        records = np.flatnonzero(member[place])
        runs.append(_Run(records, seed, adapters.named(own), state, progress, folder))
    return runs


def _trained(
    network: Any,
    material: Sequence[Encoded],
    runs: list[_Run],
    recipe: Recipe,
    watch: Watch | None,
) -> list[_Run]:
    """All updates of all adapters, the next ones of each together."""
    if watch is not None and any(run.progress.done for run in runs):
        watch(sum(run.progress.tokens for run in runs))
    runs, saved = list(runs), time.monotonic()
    every, scale = [run.adapter for run in runs], recipe.alpha / recipe.rank
    with adapters.beside(network.train(), every, scale, dropped=recipe.dropout) as rows:
        for due in _updates(runs, recipe):
            before = sum(run.progress.tokens for run in runs)
            _update(network, material, runs, due, rows, recipe)
            if watch is not None:
                watch(sum(run.progress.tokens for run in runs) - before)
            if time.monotonic() - saved >= CHECKPOINT_SECONDS:
                saved = _checkpointed(runs)
    network.eval()
    return runs


def _update(
    network: Any,
    material: Sequence[Encoded],
    runs: list[_Run],
    due: Mapping[int, Batch],
    rows: list[int],
    recipe: Recipe,
) -> None:
    """The next update of those adapters that are due, whose runs are put in the old ones' place."""
    chosen = {
        place: [material[runs[place].records[i]] for i in batch.records]
        for place, batch in due.items()
    }
    first = runs[min(due)]
    with torch.random.fork_rng():
        torch.manual_seed(derive(first.seed, "dropout", first.progress.done))
        made = gradients(network, chosen, rows, recipe.micro_batch)
    for place, batch in due.items():
        runs[place] = _stepped(runs[place], batch, chosen[place], made[place], recipe)


def _updates(runs: Sequence[_Run], recipe: Recipe) -> Iterator[dict[int, Batch]]:
    """The next update of each adapter that has one left, by its place, time and again."""
    ways = [
        order.batches(
            [len(run.records)] * recipe.epochs, recipe, seed=run.seed, done=run.progress.done
        )
        for run in runs
    ]
    for batches in zip_longest(*ways):
        yield {place: batch for place, batch in enumerate(batches) if batch is not None}


def _stepped(
    run: _Run, batch: Batch, chosen: Sequence[Encoded], made: Made, recipe: Recipe
) -> _Run:
    """After an update, as the plain loop makes it."""
    if not np.isfinite(made.loss):
        raise ModelError(f"training: the loss became {made.loss}; lower the learning rate")
    rate = recipe.learning_rate * (batch.left if recipe.schedule == "linear" else 1.0)
    step(run.state, rate, recipe.clip)
    before = run.progress
    rows = {"losses": made.loss, "scored": made.tokens, "seen": made.marks}
    grown = {
        name: tuple(
            value + more * (epoch == batch.epoch)
            for epoch, value in enumerate(getattr(before, name))
        )
        for name, more in rows.items()
    }
    tokens = before.tokens + sum(len(one.ids) for one in chosen)
    return replace(run, progress=replace(before, done=before.done + 1, tokens=tokens, **grown))


def _checkpointed(runs: Sequence[_Run]) -> float:
    """Leave what each needs to go on from here, and say when."""
    for run in runs:
        if run.scratch is not None:
            checkpoint(run.state, run.scratch, run.progress)
    return time.monotonic()


def _save(
    network: Any,
    tokenizer: Any,
    base: Source,
    recipe: Recipe,
    runs: Sequence[_Run],
    folders: Sequence[Path],
) -> None:
    from peft import set_peft_model_state_dict

    adapted = add_adapter(network, base, recipe, seed=0)
    for run, folder in zip(runs, folders, strict=True):
        set_peft_model_state_dict(adapted, adapters.weights_of(run.adapter))
        causal.save(adapted, tokenizer, folder)


def _fitted(progress: Progress) -> Fitted:
    pairs = zip(progress.losses, progress.scored, strict=True)
    return Fitted(
        losses=tuple(loss / max(1, tokens) for loss, tokens in pairs),
        tokens=progress.scored,
        seen=tuple(seen.told(total) for total in progress.seen),
    )
