"""The one plain training loop: batches in a fixed order, float32 updates, resumable.

A network in bfloat16 is computed in bfloat16 but updated through float32 copies of its
weights: at usual learning rates most updates of a bfloat16 weight round to nothing.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import DataError, ModelError
from nonmember.models.text import Encoded
from nonmember.seeds import derive, generator
from nonmember.training.recipe import Recipe

Loss = Callable[[Sequence[Encoded]], tuple[Tensor, int]]
"""Summed loss of some records, in nats, and the number of tokens it sums over."""


@dataclass(frozen=True)
class Batch:
    """Positions of the records of one update, and the epoch it belongs to."""

    epoch: int
    records: tuple[int, ...]


def batches(records: int, recipe: Recipe, *, seed: int) -> tuple[Batch, ...]:
    """Every update of a run in order: each epoch visits each record once, shuffled anew."""
    planned = []
    for epoch in range(recipe.epochs):
        order = generator(seed, "order", epoch).permutation(records).tolist()
        planned += [
            Batch(epoch, tuple(order[start : start + recipe.batch_size]))
            for start in range(0, records, recipe.batch_size)
        ]
    return tuple(planned)


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
        encoded: the training records.
        recipe: the settings.
        seed: of the order of records and of dropout.
        scratch: where the checkpoints of this run, and of no other, go; a run that finds one
            there goes on from it, and ends with the numbers it would have had without the
            interruption. A damaged one is passed over: the run starts anew.
        checkpoint_seconds: least time between two checkpoints.
        watch: told the tokens done after each update, and first of all those of a checkpoint.

    Returns:
        The mean training loss of each epoch, nats per token.

    Raises:
        DataError: no record has a token to train on.
        ModelError: the loss is no number any more.
    """
    if not any(one.scored.any() for one in encoded):
        raise DataError("training: no record has a token to train on; give longer texts")
    plan = batches(len(encoded), recipe, seed=seed)
    tokens = [sum(len(encoded[i].ids) for i in batch.records) for batch in plan]
    state = _begin(network, recipe)
    done, sums = _resume(state, scratch, recipe.epochs)
    if watch is not None and done:
        watch(sum(tokens[:done]))
    saved = time.monotonic()
    network.train()
    for step, batch in enumerate(plan[done:], start=done):
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "dropout", step))
            chosen = [encoded[i] for i in batch.records]
            sums[batch.epoch] += _update(state, loss, chosen, recipe, 1 - step / len(plan))
        if watch is not None:
            watch(tokens[step])
        if scratch is not None and time.monotonic() - saved >= checkpoint_seconds:
            _checkpoint(state, scratch, step + 1, sums)
            saved = time.monotonic()
    _end(state)
    network.eval()
    return tuple((sums[:, 0] / np.maximum(sums[:, 1], 1)).tolist())


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
    tokens = sum(int(one.scored.sum()) for one in chosen)
    if not tokens:
        return np.zeros(2)
    total = 0.0
    for start in range(0, len(chosen), recipe.micro_batch):
        part, count = loss(chosen[start : start + recipe.micro_batch])
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


def _checkpoint(state: _State, scratch: Path, done: int, sums: np.ndarray) -> None:
    tensors: dict[str, Tensor] = {}
    for i, master in enumerate(state.masters):
        tensors[f"weight.{i}"] = master.detach()
        for name, value in state.optimiser.state[master].items():
            tensors[f"{name}.{i}"] = value
    about = {"done": str(done), "sums": json.dumps(sums.tolist())}
    scratch.mkdir(parents=True, exist_ok=True)
    part = scratch / f"checkpoint.{os.getpid()}"
    save_file({k: v.clone() if v.dim() == 0 else v for k, v in tensors.items()}, part, about)
    part.replace(scratch / "checkpoint.safetensors")


@torch.no_grad()
def _resume(state: _State, scratch: Path | None, epochs: int) -> tuple[int, np.ndarray]:
    """Updates already done and their losses per epoch; (0, zeros) without a checkpoint."""
    stored: Any = None
    if scratch is not None:
        with suppress(FileNotFoundError, SafetensorError):
            stored = safe_open(scratch / "checkpoint.safetensors", "pt")
    if stored is None:
        return 0, np.zeros((epochs, 2))
    names = set(stored.keys())
    for i, (parameter, master) in enumerate(zip(state.parameters, state.masters, strict=True)):
        master.copy_(stored.get_tensor(f"weight.{i}"))
        _publish(parameter, master)
        state.optimiser.state[master] = {
            name: stored.get_tensor(f"{name}.{i}").to(master.device)
            for name in ("step", "exp_avg", "exp_avg_sq")
            if f"{name}.{i}" in names
        }
    about = stored.metadata()
    return int(about["done"]), np.array(json.loads(about["sums"]))
