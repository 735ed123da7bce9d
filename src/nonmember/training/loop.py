"""The one plain training loop: batches in a fixed order, float32 updates, resumable.

A network in bfloat16 is computed in bfloat16 but updated through float32 copies of its
weights: at usual learning rates most updates of a bfloat16 weight round to nothing.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nonmember.errors import DataError
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
        scratch: where checkpoints go; a run that finds one there goes on from it, and ends
            with the numbers it would have had without the interruption.
        checkpoint_seconds: least time between two checkpoints.
        watch: told the tokens done after each update.

    Returns:
        The mean training loss of each epoch, nats per token.

    Raises:
        DataError: no record has a token to train on.
    """
    if not any(one.scored.any() for one in encoded):
        raise DataError("training: no record has a token to train on; give longer texts")
    plan = batches(len(encoded), recipe, seed=seed)
    state = _begin(network, recipe)
    with torch.random.fork_rng():
        torch.manual_seed(derive(seed, "dropout"))
        done, sums = _resume(state, scratch, recipe.epochs)
        saved = time.monotonic()
        network.train()
        for step, batch in enumerate(plan[done:], start=done):
            chosen = [encoded[i] for i in batch.records]
            sums[batch.epoch] += _update(state, loss, chosen, recipe, 1 - step / len(plan))
            if watch is not None:
                watch(sum(len(one.ids) for one in chosen))
            if scratch is not None and time.monotonic() - saved >= checkpoint_seconds:
                _checkpoint(state, scratch, step + 1, sums)
                saved = time.monotonic()
    for parameter, master in zip(state.parameters, state.masters, strict=True):
        parameter.data = master.data
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
    for parameter, master in zip(state.parameters, state.masters, strict=True):
        if master is not parameter and parameter.grad is not None:
            master.grad, parameter.grad = parameter.grad.float(), None
    torch.nn.utils.clip_grad_norm_(state.masters, recipe.clip)
    rate = recipe.learning_rate * (left if recipe.schedule == "linear" else 1.0)
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    state.optimiser.step()
    state.optimiser.zero_grad(set_to_none=True)
    _publish(state)
    return np.array([total, tokens])


@torch.no_grad()
def _publish(state: _State) -> None:
    """Round the masters into the weights that compute."""
    for parameter, master in zip(state.parameters, state.masters, strict=True):
        if master is not parameter:
            parameter.copy_(master)


def _checkpoint(state: _State, scratch: Path, done: int, sums: np.ndarray) -> None:
    tensors = {"random": torch.get_rng_state()}
    for i, master in enumerate(state.masters):
        tensors[f"weight.{i}"] = master.detach()
        for name, value in state.optimiser.state[master].items():
            tensors[f"{name}.{i}"] = value
    about = {"done": str(done), "sums": json.dumps(sums.tolist())}
    part = scratch / "checkpoint.part"
    save_file({k: v.clone() if v.dim() == 0 else v for k, v in tensors.items()}, part, about)
    part.replace(scratch / "checkpoint.safetensors")


def _resume(state: _State, scratch: Path | None, epochs: int) -> tuple[int, np.ndarray]:
    """Updates already done and their losses per epoch; (0, zeros) without a checkpoint."""
    path = scratch / "checkpoint.safetensors" if scratch is not None else None
    if path is None or not path.is_file():
        return 0, np.zeros((epochs, 2))
    with safe_open(path, framework="pt") as stored:
        about: dict[str, Any] = stored.metadata()
        names = list(stored.keys())
        for i, master in enumerate(state.masters):
            with torch.no_grad():
                master.copy_(stored.get_tensor(f"weight.{i}"))
            state.optimiser.state[master] = {
                name: stored.get_tensor(f"{name}.{i}")
                for name in ("step", "exp_avg", "exp_avg_sq")
                if f"{name}.{i}" in names
            }
        torch.set_rng_state(stored.get_tensor("random"))
    _publish(state)
    return int(about["done"]), np.array(json.loads(about["sums"]))
