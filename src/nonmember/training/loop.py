"""The one plain training loop: batches in a fixed order, float32 updates, resumable.

A network in bfloat16 is computed in bfloat16 but updated through float32 copies of its
weights: at usual learning rates most updates of a bfloat16 weight round to nothing.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import DataError, ModelError
from nonmember.models.text import Encoded, windows
from nonmember.seeds import derive, generator
from nonmember.training.recipe import Recipe

Loss = Callable[[Sequence[Encoded]], tuple[Tensor, int]]
"""Summed loss of some records, in nats, and the number of tokens it sums over."""


@dataclass(frozen=True)
class Batch:
    """Positions of the records of one update, and the epoch it belongs to."""

    epoch: int
    records: tuple[int, ...]


def batches(records: int, recipe: Recipe, *, seed: int, done: int = 0) -> Iterator[Batch]:
    """The updates of a run in order: each epoch visits each record once, shuffled anew.

    ``done`` of them are left out.
    """
    for step in range(done, updates(records, recipe)):
        epoch, place = divmod(step, updates(records, recipe) // recipe.epochs)
        if step == done or place == 0:
            order = generator(seed, "order", epoch).permutation(records)
        start = place * recipe.batch_size
        yield Batch(epoch, tuple(order[start : start + recipe.batch_size].tolist()))


def updates(records: int, recipe: Recipe) -> int:
    """How many updates a run has."""
    return recipe.epochs * -(-records // recipe.batch_size)


def fit(
    network: nn.Module,
    loss: Loss,
    encoded: Sequence[Encoded],
    recipe: Recipe,
    *,
    seed: int,
    scratch: Path | None = None,
    checkpoint_seconds: float = 120.0,
    watch: Callable[[int], None] | None = None,
) -> tuple[float, ...]:
    """Fine-tune the trainable weights of ``network`` in place, leaving them float32.

    Args:
        network: what is trained; frozen weights stay as they are.
        loss: its loss on some records.
        encoded: the training records; each is asked for when its turn comes, and one over the
            limit of a forward pass is trained on in its ``windows``.
        recipe: the settings.
        seed: of the order of records and of dropout.
        scratch: where the checkpoints of this run, and of no other, go; a run that finds one
            there goes on from it, and ends with the numbers it would have had without the
            interruption. A damaged one is passed over: the run starts anew.
        checkpoint_seconds: least time between two checkpoints.
        watch: told the records' tokens done after each update, and first of all those of a
            checkpoint.

    Returns:
        The mean training loss of each epoch, nats per token.

    Raises:
        DataError: no record has a token to train on.
        ModelError: the loss is no number any more.
    """
    if not any(one.scored.any() for one in encoded):
        raise DataError("training: no record has a token to train on; give longer texts")
    state = _begin(network, recipe)
    progress = _resume(state, scratch, recipe.epochs)
    if watch is not None and progress.done:
        watch(progress.tokens)
    saved, last = time.monotonic(), updates(len(encoded), recipe)
    network.train()
    for batch in batches(len(encoded), recipe, seed=seed, done=progress.done):
        chosen = [encoded[i] for i in batch.records]
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "dropout", progress.done))
            left = 1 - progress.done / last
            progress.sums[batch.epoch] += _update(state, loss, chosen, recipe, left)
        tokens = sum(len(one.ids) for one in chosen)
        progress = replace(progress, done=progress.done + 1, tokens=progress.tokens + tokens)
        if watch is not None:
            watch(tokens)
        if scratch is not None and time.monotonic() - saved >= checkpoint_seconds:
            _checkpoint(state, scratch, progress)
            saved = time.monotonic()
    _end(state)
    network.eval()
    sums = progress.sums
    return tuple((sums[:, 0] / np.maximum(sums[:, 1], 1)).tolist())


@dataclass(frozen=True)
class _Progress:
    """Updates and tokens done, and per epoch the summed loss and the tokens it sums over."""

    done: int
    tokens: int
    sums: np.ndarray


@dataclass(frozen=True)
class _State:
    """Trainable weights, their float32 masters (themselves where already so) and AdamW."""

    parameters: list[nn.Parameter]
    masters: list[Tensor]
    optimiser: torch.optim.AdamW


def _begin(network: nn.Module, recipe: Recipe) -> _State:
    parameters = [p for p in network.parameters() if p.requires_grad]
    masters: list[Tensor] = [
        p if p.dtype == torch.float32 else p.detach().float().requires_grad_() for p in parameters
    ]
    optimiser = torch.optim.AdamW(
        masters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    return _State(parameters, masters, optimiser)


def _update(
    state: _State, loss: Loss, chosen: Sequence[Encoded], recipe: Recipe, left: float
) -> np.ndarray:
    """One step of AdamW on the mean loss per token; returns (summed loss, tokens)."""
    pieces = [piece for one in chosen for piece in windows(one) if piece.scored.any()]
    tokens = sum(int(piece.scored.sum()) for piece in pieces)
    if not tokens:
        return np.zeros(2)
    total = 0.0
    for start in range(0, len(pieces), recipe.micro_batch):
        part, count = loss(pieces[start : start + recipe.micro_batch])
        if count:
            torch.autograd.backward(part / tokens)
            total += float(part.detach())
    if not np.isfinite(total):
        raise ModelError(f"training: the loss became {total}; lower the learning rate")
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate * (left if recipe.schedule == "linear" else 1.0)
    _step(state, recipe.clip)
    return np.array([total, tokens])


@torch.no_grad()
def _step(state: _State, clip: float) -> None:
    """Clip the gradients and step, a weight at a time: their float32 copies never coexist."""
    gradients = [parameter.grad for parameter in state.parameters]
    norms = [vector_norm(g, dtype=torch.float32) for g in gradients if g is not None]
    scale = (clip / (vector_norm(torch.stack(norms)) + 1e-6)).clamp(max=1.0)
    for parameter in state.parameters:
        parameter.grad = None
    for i, (parameter, master) in enumerate(zip(state.parameters, state.masters, strict=True)):
        gradient, gradients[i] = gradients[i], None
        if gradient is not None:
            master.grad = gradient.float().mul_(scale)
            state.optimiser.step()
            master.grad = None
            _publish(parameter, master)


def _publish(parameter: nn.Parameter, master: Tensor) -> None:
    """Round a master into the weight that computes."""
    if master is not parameter:
        parameter.copy_(master)


def _end(state: _State) -> None:
    """Make the masters the weights, and give AdamW's memory back before anything is saved."""
    for parameter, master in zip(state.parameters, state.masters, strict=True):
        parameter.data = master.data
    state.optimiser.state.clear()


def _checkpoint(state: _State, scratch: Path, progress: _Progress) -> None:
    tensors: dict[str, Tensor] = {}
    for i, master in enumerate(state.masters):
        tensors[f"weight.{i}"] = master.detach()
        for name, value in state.optimiser.state[master].items():
            tensors[f"{name}.{i}"] = value
    facts = {"done": progress.done, "tokens": progress.tokens, "sums": progress.sums.tolist()}
    about = {name: json.dumps(value) for name, value in facts.items()}
    scratch.mkdir(parents=True, exist_ok=True)
    part = scratch / f"checkpoint.{os.getpid()}"
    save_file({k: v.clone() if v.dim() == 0 else v for k, v in tensors.items()}, part, about)
    part.replace(scratch / "checkpoint.safetensors")


@torch.no_grad()
def _resume(state: _State, scratch: Path | None, epochs: int) -> _Progress:
    """What is already done: nothing without a checkpoint."""
    stored: Any = None
    if scratch is not None:
        with suppress(FileNotFoundError, SafetensorError):
            stored = safe_open(scratch / "checkpoint.safetensors", "pt")
    if stored is None:
        return _Progress(0, 0, np.zeros((epochs, 2)))
    names = set(stored.keys())
    for i, (parameter, master) in enumerate(zip(state.parameters, state.masters, strict=True)):
        master.copy_(stored.get_tensor(f"weight.{i}"))
        _publish(parameter, master)
        state.optimiser.state[master] = {
            name: stored.get_tensor(f"{name}.{i}").to(master.device)
            for name in ("step", "exp_avg", "exp_avg_sq")
            if f"{name}.{i}" in names
        }
    about = {name: json.loads(value) for name, value in stored.metadata().items()}
    return _Progress(about["done"], about["tokens"], np.array(about["sums"]))
