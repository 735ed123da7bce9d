"""m models that are trained as one: their weights and their optimiser's moments in flat tensors.

All weights of all models are one tensor, so that a step of the optimiser is one call, and every
number of it goes through the same instructions wherever it stands.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nonmember.errors import ModelError
from nonmember.models.transfer import settle
from nonmember.seeds import derive
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.criteria import Loss
from nonmember.training.feeding import Feed
from nonmember.training.stacked import Forward, stack

Make = Callable[[], nn.Module]
"""Makes a freshly initialised network of torch's generator, which is seeded before each call."""

State = Mapping[str, Tensor]

Criterion = Callable[[Tensor], Loss]

ALIGNED = 16  # float32 in a cache line: no weight is left over for an optimiser's slow end


@dataclass(frozen=True)
class Fleet:
    """Networks in training: one by itself, or several stacked.

    ``flat`` are their trainable weights and ``weights`` all of them by name, (m ...), views of
    it; ``alone`` is the network itself where it is not stacked.
    """

    forward: Forward
    flat: Tensor
    weights: Mapping[str, Tensor]
    optimiser: torch.optim.Optimizer
    alone: nn.Module | None


def fresh(make: Make, seed: int) -> nn.Module:
    """A network as its seed initialises it; torch's generator is left alone.

    It is in training mode, and what of it is frozen in evaluation mode.
    """
    with forked():
        seed_all(derive(seed, "initialisation"))
        return settle(make())


def forked() -> Any:
    """Within this, torch's generators may be drawn from and seeded."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))


def seed_all(seed: int) -> None:
    """Seed torch's generators; torch.manual_seed writes down the stack where CUDA is missing."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def begin(networks: Sequence[nn.Module], recipe: ClassifierRecipe, *, stacked: bool) -> Fleet:
    """Put networks of one architecture into training; one by itself if they cannot be stacked.

    Raises:
        ModelError: all weights are frozen.
    """
    rows = [dict(one.named_parameters()) for one in networks]
    weights = {name: torch.stack([row[name].detach() for row in rows]) for name in rows[0]}
    names = [name for name, weight in rows[0].items() if weight.requires_grad]
    if not names:
        raise ModelError("training: no weight is left to train; freeze less")
    flat, views = _flat({name: weights[name] for name in names})
    weights |= views
    optimiser = _optimiser(flat, recipe)
    if stacked:
        return Fleet(stack(networks[0], weights), flat, weights, optimiser, None)
    for name in names:
        rows[0][name].data, rows[0][name].grad = weights[name][0].detach(), _grad(weights[name])[0]
    return Fleet(networks[0], flat, weights, optimiser, networks[0])


def step(fleet: Fleet, inputs: Tensor, weights: Tensor, criterion: Criterion) -> Tensor:
    """One update of every model, by the sum of their mean losses; the loss of each record.

    Args:
        fleet: the models.
        inputs: (m b) ....
        weights: of each record in the mean loss of its model's batch, (m b).
        criterion: what each record costs, (m b), and the gradient of that at its logits.
    """
    logits = fleet.forward(inputs)
    losses, gradient = criterion(logits.detach())
    _grad(fleet.flat).zero_()
    torch.autograd.backward(logits, gradient * weights.unsqueeze(1))
    fleet.optimiser.step()
    return losses


def descend(fleet: Fleet, loss: Tensor) -> None:
    """One update of a network by itself, and of nobody else that the loss depends on."""
    assert fleet.alone is not None
    _grad(fleet.flat).zero_()
    own = [one for one in fleet.alone.parameters() if one.requires_grad]
    torch.autograd.backward(loss, inputs=own)
    fleet.optimiser.step()


@torch.no_grad()
def answers(fleet: Fleet, inputs: Tensor) -> Tensor:
    """The logits of every model on its inputs (m b) ..., as they answer after training."""
    if fleet.alone is None:
        return fleet.forward(inputs)
    logits: Tensor = fleet.alone.eval()(inputs)
    settle(fleet.alone)
    return logits


def states(fleet: Fleet, chosen: Iterable[int] | None = None) -> tuple[dict[str, Tensor], ...]:
    """The state dict of each model, or of those chosen, on the CPU."""
    if fleet.alone is not None:
        whole, numbers = fleet.alone.state_dict(), [0] if chosen is None else chosen
        return tuple({name: _kept(t) for name, t in whole.items()} for _ in numbers)
    found = {name: weight.detach().cpu() for name, weight in fleet.weights.items()}
    count = len(next(iter(found.values())))
    numbers = range(count) if chosen is None else chosen
    return tuple({name: _kept(w[i]) for name, w in found.items()} for i in numbers)


def checkpoint(
    fleet: Fleet,
    feeds: Sequence[Feed],
    about: Mapping[str, Any],
    path: Path,
    beside: Sequence[State] = (),
) -> None:
    """Leave all that these models need to go on from here, and what is told ``about`` them.

    ``beside`` are further states of theirs to be kept with them, one per model.
    """
    tensors = {"weights": fleet.flat.detach()}
    for i, state in enumerate(beside):
        tensors |= {f"beside.{i}.{name}": value for name, value in state.items()}
    moments = fleet.optimiser.state[fleet.flat].items()
    tensors |= {f"optimiser.{k}": v for k, v in moments if isinstance(v, Tensor)}
    if fleet.alone is not None:
        tensors |= {f"buffer.{name}": value for name, value in fleet.alone.named_buffers()}
    told = {"about": json.dumps(about), "feeds": json.dumps([one.state for one in feeds])}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    save_file({name: _kept(value) for name, value in tensors.items()}, part, told)
    part.replace(path)


@torch.no_grad()
def resume(
    fleet: Fleet,
    feeds: Sequence[Feed],
    run: str,
    path: Path,
    beside: Sequence[dict[str, Tensor]] = (),
) -> dict[str, Any]:
    """Go on from a checkpoint of this ``run``: what it is about; fills in what is ``beside``.

    {} without one, with one of another run, or with a damaged one.
    """
    stored: Any = None
    with suppress(FileNotFoundError, SafetensorError):
        stored = safe_open(path, "pt", device=str(fleet.flat.device))
    told = {} if stored is None else {k: json.loads(v) for k, v in stored.metadata().items()}
    if told.get("about", {}).get("run") != run:
        return {}
    tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    fleet.flat.copy_(tensors["weights"])
    fleet.optimiser.state[fleet.flat] = _below("optimiser.", tensors)
    if fleet.alone is not None:
        for name, value in _below("buffer.", tensors).items():
            fleet.alone.get_buffer(name).copy_(value)
    for i, state in enumerate(beside):
        state.update({name: t.cpu() for name, t in _below(f"beside.{i}.", tensors).items()})
    for one, stood in zip(feeds, told["feeds"], strict=True):
        one.go_to(stood)
    about: dict[str, Any] = told["about"]
    return about


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def load(network: nn.Module, state: State, number: int) -> None:
    """Put the state of the reference model of this number into a network of its architecture.

    Raises:
        ModelError: it is of another architecture.
    """
    try:
        network.load_state_dict(dict(state))
    except RuntimeError:
        raise ModelError(
            f"reference model {number}: its weights are not those of this network; give the "
            "architecture that it was trained with"
        ) from None


def _flat(weights: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """All of these in one tensor, and views of it that collect their gradients in its own."""
    sizes = [-(-weight.numel() // ALIGNED) * ALIGNED for weight in weights.values()]
    flat = next(iter(weights.values())).new_zeros(sum(sizes))
    flat.grad = torch.zeros_like(flat)
    views: dict[str, Tensor] = {}
    pairs = zip(torch.split(flat, sizes), torch.split(flat.grad, sizes), strict=True)
    for (name, weight), (values, gradients) in zip(weights.items(), pairs, strict=True):
        values[: weight.numel()] = weight.flatten()
        views[name] = values[: weight.numel()].view(weight.shape).requires_grad_()
        views[name].grad = gradients[: weight.numel()].view(weight.shape)
    return flat, views


def _optimiser(flat: Tensor, recipe: ClassifierRecipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "sgd":
        momentum = recipe.momentum
        return torch.optim.SGD([flat], rate, momentum, weight_decay=decay, fused=True)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    return kind([flat], rate, weight_decay=decay, fused=True)


def _grad(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _kept(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
