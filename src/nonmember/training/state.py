"""What a run is at any moment: weights, their float32 masters, AdamW, and what is done.

A network in bfloat16 is computed in bfloat16 but updated through float32 copies of its
weights: at usual learning rates most updates of a bfloat16 weight round to nothing.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.linalg import vector_norm

from nonmember.errors import ModelError
from nonmember.training.recipe import Recipe

ADAMW = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Progress:
    """Updates and the records' tokens done; per epoch, what its updates were made of.

    ``losses`` are summed over ``scored`` tokens; ``seen`` are sums of marks; ``held`` are the
    mean losses of what is held back after the epochs that are over, nats per token.
    """

    done: int
    tokens: int
    losses: tuple[float, ...]
    scored: tuple[int, ...]
    seen: tuple[int, ...]
    held: tuple[float, ...] = ()


@dataclass(frozen=True)
class State:
    """Trainable weights, their float32 masters (themselves where already so) and AdamW.

    ``start`` are the sums of the masters before training; ``best`` the masters of the best
    epoch so far, empty where none is looked for.
    """

    names: list[str]
    parameters: list[nn.Parameter]
    masters: list[Tensor]
    optimiser: torch.optim.AdamW
    start: list[float]
    best: list[Tensor] = field(default_factory=list)


def begin(network: nn.Module, recipe: Recipe) -> State:
    """The state of a run before its first update.

    Raises:
        ModelError: all weights are frozen.
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    if not named:
        raise ModelError("training: no weight is left to train; exclude less")
    parameters = [parameter for _, parameter in named]
    masters: list[Tensor] = [
        p if p.dtype == torch.float32 else p.detach().float().requires_grad_() for p in parameters
    ]
    optimiser = torch.optim.AdamW(
        masters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    return State([name for name, _ in named], parameters, masters, optimiser, _sums(masters))


@torch.no_grad()
def step(state: State, rate: float, clip: float) -> None:
    """Clip the gradients and step, a weight at a time: their float32 copies never coexist.

    Where there is no gradient at all, nothing is done.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    gradients = [parameter.grad for parameter in state.parameters]
    norms = [vector_norm(g, dtype=torch.float32) for g in gradients if g is not None]
    if not norms:
        return
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


def end(state: State) -> None:
    """Make the masters the weights, and give AdamW's memory back before anything is saved.

    Where a best epoch was looked for, its masters are taken.

    Raises:
        ModelError: a weight got no gradient in the whole run, or none has moved.
    """
    idle = [
        name
        for name, master in zip(state.names, state.masters, strict=True)
        if not state.optimiser.state.get(master)
    ]
    if idle:
        raise ModelError(
            f"training: {len(idle)} of {len(state.names)} trainable weights got no gradient, the "
            f"first is {idle[0]}; put its module into the recipe's exclude"
        )
    if _sums(state.masters) == state.start:
        raise ModelError(
            f"training: none of {len(state.names)} trainable weights moved, the first is "
            f"{state.names[0]}; raise the learning rate"
        )
    for parameter, master in zip(state.parameters, state.best or state.masters, strict=True):
        parameter.data = master.data.to(parameter.device)
    state.optimiser.state.clear()


def remember(state: State) -> None:
    """Keep the masters as the best so far."""
    state.best[:] = [master.detach().to("cpu", copy=True) for master in state.masters]


def checkpoint(state: State, folder: Path, progress: Progress) -> None:
    """Leave all that a run needs to go on from here."""
    tensors: dict[str, Tensor] = {f"best.{i}": kept for i, kept in enumerate(state.best)}
    for i, master in enumerate(state.masters):
        tensors[f"weight.{i}"] = master.detach()
        for name, value in state.optimiser.state[master].items():
            tensors[f"{name}.{i}"] = value
    about = {name: json.dumps(value) for name, value in asdict(progress).items()}
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"checkpoint.{os.getpid()}"
    save_file({k: v.clone() if v.dim() == 0 else v for k, v in tensors.items()}, part, about)
    part.replace(folder / "checkpoint.safetensors")


@torch.no_grad()
def resume(state: State, folder: Path | None, epochs: int) -> Progress:
    """What is already done: nothing without a checkpoint, or with a damaged one."""
    stored: Any = None
    if folder is not None:
        with suppress(FileNotFoundError, SafetensorError):
            stored = safe_open(folder / "checkpoint.safetensors", "pt")
    if stored is None:
        return Progress(0, 0, (0.0,) * epochs, (0,) * epochs, (0,) * epochs)
    names = set(stored.keys())
    for i, (parameter, master) in enumerate(zip(state.parameters, state.masters, strict=True)):
        master.copy_(stored.get_tensor(f"weight.{i}"))
        _publish(parameter, master)
        state.optimiser.state[master] = {
            name: stored.get_tensor(f"{name}.{i}").to(master.device)
            for name in ADAMW
            if f"{name}.{i}" in names
        }
    if "best.0" in names:
        state.best[:] = [stored.get_tensor(f"best.{i}") for i in range(len(state.masters))]
    about = {name: json.loads(value) for name, value in stored.metadata().items()}
    rows = {name: tuple(about[name]) for name in ("losses", "scored", "seen", "held")}
    return Progress(about["done"], about["tokens"], **rows)


def _publish(parameter: nn.Parameter, master: Tensor) -> None:
    """Round a master into the weight that computes."""
    if master is not parameter:
        parameter.copy_(master)


def _sums(masters: list[Tensor]) -> list[float]:
    return [float(master.detach().sum(dtype=torch.float64)) for master in masters]
