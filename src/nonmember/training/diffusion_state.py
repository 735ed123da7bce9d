"""What the training of a diffusion model is at any moment: weights, their averages, and Adam."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nonmember.training.diffusion_recipe import DiffusionRecipe

ADAM = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class State:
    """Weights, their exponential averages, and the optimiser."""

    weights: list[nn.Parameter]
    averages: list[Tensor]
    optimiser: torch.optim.Adam


def begin(network: nn.Module, recipe: DiffusionRecipe) -> State:
    """The state before the first update."""
    weights = list(network.parameters())
    optimiser = torch.optim.Adam(weights, recipe.learning_rate, fused=True)
    return State(weights, [one.detach().clone() for one in weights], optimiser)


def step(state: State, recipe: DiffusionRecipe, number: int) -> None:
    """Update the weights by their gradients, which are forgotten then, and the averages."""
    nn.utils.clip_grad_norm_(state.weights, recipe.clip)
    rising = min(1.0, (number + 1) / max(1, recipe.warm_up))
    state.optimiser.param_groups[0]["lr"] = recipe.learning_rate * rising
    state.optimiser.step()
    state.optimiser.zero_grad()
    kept = share(recipe.ema, number)
    with torch.no_grad():
        for average, weight in zip(state.averages, state.weights, strict=True):
            average.lerp_(weight, 1 - kept)


def share(ema: float, number: int) -> float:
    """Share of an average that stays in the update of this number, from 0."""
    return min(ema, (1 + number) / (10 + number))


def checkpoint(state: State, run: str, done: int, path: Path) -> None:
    """Leave all that this run needs to go on from here."""
    tensors: dict[str, Tensor] = {}
    for i, (weight, average) in enumerate(zip(state.weights, state.averages, strict=True)):
        tensors |= {f"weight.{i}": weight.detach(), f"average.{i}": average}
        tensors |= {f"{name}.{i}": state.optimiser.state[weight][name] for name in ADAM}
    kept = {name: value.to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    save_file(kept, part, {"run": run, "done": json.dumps(done)})
    part.replace(path)


@torch.no_grad()
def resume(state: State, run: str, path: Path) -> int:
    """Go on from a checkpoint of this run: the updates done.

    0 without one, with one of another run, or with a damaged one.
    """
    stored: Any = None
    with suppress(FileNotFoundError, SafetensorError):
        stored = safe_open(path, "pt")
    if stored is None or stored.metadata().get("run") != run:
        return 0
    for i, (weight, average) in enumerate(zip(state.weights, state.averages, strict=True)):
        weight.copy_(stored.get_tensor(f"weight.{i}"))
        average.copy_(stored.get_tensor(f"average.{i}"))
        state.optimiser.state[weight] = {
            name: stored.get_tensor(f"{name}.{i}").to(weight.device) for name in ADAM
        }
    done: int = json.loads(stored.metadata()["done"])
    return done
