"""What is done to a trained network to make another one of it: its child, for another task.

A child is its parent with a new linear head. What is trained is the head alone, the last layers,
all of them, or the head and low-rank factors of the others (LoRA; Hu et al. 2021,
arXiv:2106.09685), which are multiplied into the weights before the child is asked. So children
of every kind are networks of one architecture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from nonmember.errors import ModelError, SpecError
from nonmember.models.architecture import Architecture
from nonmember.models.source import digest

Make = Callable[[], nn.Module]
State = Mapping[str, Tensor]
Plain = nn.Linear | nn.Conv2d


@dataclass(frozen=True)
class Transfer:
    """What a child trains besides its new head.

    ``head``: nothing. ``last_k``: the last ``k`` layers that have weights, in the order in which
    the network names its parts, the head one of them. ``full``: all. ``lora``: factors of
    ``rank`` for each linear layer and each convolution without groups. What is not trained stays
    as it is to the last bit, running statistics too.

    Raises:
        SpecError: ``k`` or ``rank`` is missing or below 1, or given where it means nothing.
    """

    kind: Literal["head", "last_k", "full", "lora"] = "head"
    k: int | None = None
    rank: int | None = None

    def __post_init__(self) -> None:
        for name, kind in (("k", "last_k"), ("rank", "lora")):
            value = getattr(self, name)
            if (self.kind == kind) == (value is None) or (value is not None and value < 1):
                remedy = f"give {name} of at least 1" if self.kind == kind else f"leave {name} out"
                raise SpecError(f"transfer: {self.kind} with {name} = {value}; {remedy}")


class LowRank(nn.Module):
    """A frozen layer and a product of low rank beside it: ``up`` is 0 when training begins."""

    def __init__(self, base: Plain, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down, self.up = _factors(base, rank)
        nn.init.normal_(self.down.weight, std=self.down.weight[0].numel() ** -0.5)
        nn.init.zeros_(self.up.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """As the layer maps its inputs, and what its low-rank product adds."""
        found: Tensor = self.base(inputs) + self.up(self.down(inputs))
        return found

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The layer with the product in its weights."""
        change = self.up.weight.flatten(1) @ self.down.weight.flatten(1)
        self.base.weight += change.view_as(self.base.weight)
        return self.base


def child_of(parent: Architecture, classes: int) -> Architecture:
    """What all children of networks of an architecture are: its layers under a new head.

    Raises:
        SpecError: the parents are estimators, or there are fewer than two classes.
        ModelError: their last layer with weights is not linear.
    """
    if parent.kind == "estimator":
        raise SpecError(f"{parent.name}: an estimator cannot be fine-tuned; give a network")
    if classes < 2:
        raise SpecError(f"{parent.name}: a task of {classes} classes; give at least 2")
    with torch.random.fork_rng(devices=[]):
        network = headed(parent.make, classes)
    size = sum(weight.numel() for weight in network.parameters())
    name, own = f"{parent.name} with a new head", digest("child", parent.digest, str(classes))
    return Architecture(name, partial(headed, parent.make, classes), own, "network", classes, size)


def headed(make: Make, classes: int) -> nn.Module:
    """A network that ``make`` makes, with a new linear head: N(0, 2 / inputs), biases 0."""
    network = make()
    name = head_of(network)
    head = nn.Linear(network.get_submodule(name).in_features, classes)  # type: ignore[arg-type]
    nn.init.kaiming_normal_(head.weight, nonlinearity="relu")
    nn.init.zeros_(head.bias)
    if not name:
        return head
    network.set_submodule(name, head)
    return network


def head_of(network: nn.Module) -> str:
    """The name of its head; "" if the network is nothing else.

    Raises:
        ModelError: its last layer with weights is not linear.
    """
    names = weighted(network)
    last = network.get_submodule(names[-1]) if names else network
    if not isinstance(last, nn.Linear):
        raise ModelError(
            f"{type(network).__name__}: its last layer with weights is {type(last).__name__}, and "
            "a child gets a new linear head; give a network that ends in a linear layer"
        )
    return names[-1]


def weighted(network: nn.Module) -> list[str]:
    """Names of the layers that have weights of their own, from the first to the last."""
    return [name for name, one in network.named_modules() if [*one.parameters(recurse=False)]]


def prepared(make: Make, transfer: Transfer, *, private: bool = False) -> nn.Module:
    """A fresh child as it is trained: adapters in their places, and frozen what stays.

    Args:
        make: makes a child.
        transfer: what is trained.
        private: for DP-SGD, under which BatchNorm stays frozen: its statistics mix records.

    Raises:
        SpecError: it has fewer than ``k`` layers.
        ModelError: it has no layer for ``lora``, its last one is not linear, or nothing of it is
            trained.
    """
    network = make()
    names = weighted(network)
    if transfer.kind == "lora":
        head = head_of(network)
        network.requires_grad_(False)
        _adapt(network, [name for name in names if name != head], transfer.rank or 1)
        network.get_submodule(head).requires_grad_(True)
    else:
        for name in names[: len(names) - _trained(names, transfer)]:
            for weight in network.get_submodule(name).parameters(recurse=False):
                weight.requires_grad_(False)  # a part's own, and not those of parts within it
    for layer in network.modules() if private else ():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.requires_grad_(False)
    if not any(weight.requires_grad for weight in network.parameters()):
        raise ModelError(
            f"{type(network).__name__}: every weight is frozen, and {transfer.kind} would train "
            "nothing; let the last layer's require a gradient"
        )
    return network


def begun(network: nn.Module, parent: State) -> dict[str, Tensor]:
    """The state of a prepared child with its parent's weights below the head.

    Raises:
        ModelError: the parent is of another architecture.
    """
    own, head = dict(network.state_dict()), head_of(network)
    adapters = {name for name, layer in network.named_modules() if isinstance(layer, LowRank)}
    new = {head, *(f"{name}.{part}" for name in adapters for part in ("down", "up"))}
    for name, value in own.items():
        layer, _, part = name.rpartition(".")
        if layer not in new:
            plain = layer.removesuffix(".base")
            place = plain if plain in adapters else layer
            own[name] = _of_parent(parent, f"{place}.{part}".lstrip("."), value)
    return own


def merged(network: nn.Module, state: State) -> dict[str, Tensor]:
    """The state of a child as it is asked, of that of one as it was prepared."""
    network.load_state_dict(dict(state))
    for name, layer in [*network.named_modules()]:
        if isinstance(layer, LowRank):
            network.set_submodule(name, layer.merged())
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def settle(network: nn.Module) -> nn.Module:
    """Put a network into training mode, and into evaluation mode what of it is frozen.

    Frozen are parts with weights of which none is trained, and, if there are any, parts without
    weights that come before the first trained one: dropout, and statistics without a scale.
    Beside low-rank factors, which are spread over all layers, all parts without weights are.
    """
    network.train()
    if all(weight.requires_grad for weight in network.parameters()):
        return network
    reached, adapted = False, any(isinstance(layer, LowRank) for layer in network.modules())
    for layer in network.modules():
        weights = [*layer.parameters()]
        trained = any(weight.requires_grad for weight in weights)
        reached |= any(weight.requires_grad for weight in layer.parameters(recurse=False))
        if not trained and (weights or adapted or not reached):
            layer.training = False
    return network


def _of_parent(parent: State, name: str, like: Tensor) -> Tensor:
    found = parent.get(name)
    if found is None or found.shape != like.shape:
        raise ModelError(
            f"transfer: the parent has no {name} of shape {tuple(like.shape)}; give one of the "
            "architecture that its children are planned for"
        )
    return found


def _trained(names: list[str], transfer: Transfer) -> int:
    """How many of the layers are trained."""
    count = {"head": 1, "full": len(names)}.get(transfer.kind, transfer.k or 1)
    if count > len(names):
        raise SpecError(
            f"transfer: last_k with k = {count}, and the network has {len(names)} layers with "
            "weights; give a smaller k, or full"
        )
    return count


def _adapt(network: nn.Module, names: list[str], rank: int) -> None:
    found = [name for name in names if _suited(network.get_submodule(name))]
    if not found:
        raise ModelError(
            f"{type(network).__name__}: below its head is no linear layer and no convolution "
            "without groups for lora; train the head, or all layers"
        )
    for name in found:
        network.set_submodule(name, LowRank(network.get_submodule(name), rank))  # type: ignore[arg-type]


def _suited(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.groups == 1)


def _factors(base: Plain, rank: int) -> tuple[Plain, Plain]:
    if isinstance(base, nn.Linear):
        return (
            nn.Linear(base.in_features, rank, bias=False),
            nn.Linear(rank, base.out_features, bias=False),
        )
    down = nn.Conv2d(
        base.in_channels,
        rank,
        *(base.kernel_size, base.stride, base.padding, base.dilation),  # type: ignore[arg-type]
        bias=False,
        padding_mode=base.padding_mode,
    )
    return down, nn.Conv2d(rank, base.out_channels, 1, bias=False)
