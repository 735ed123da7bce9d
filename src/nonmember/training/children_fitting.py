"""The fit of some children: heads on cached features, all layers stacked, or one after the other.

Where nothing but the head is trained and the recipe leaves inputs as they are, each parent is
asked once for the features of its penultimate layer, and all heads are one stacked linear fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.models import transfer
from nonmember.models.batches import rows_at_once
from nonmember.models.classifiers.network import evaluating
from nonmember.models.transfer import Make, State, Transfer
from nonmember.seeds import derive
from nonmember.training import fleet
from nonmember.training.children_dpsgd import fit_private
from nonmember.training.children_privacy import Budget
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import fit_ensemble
from nonmember.training.private_head import fit_heads
from nonmember.types import Labels, RefMember

CLOSE = 1e-4  # most that a head on cached features may differ, relative to the largest logit


@dataclass(frozen=True)
class Task:
    """What some children are trained on and how; ``make`` makes a child, ``parents`` are states."""

    make: Make
    transfer: Transfer
    recipe: ClassifierRecipe
    budget: Budget | None
    inputs: np.ndarray
    labels: Labels
    member: RefMember
    parents: Sequence[State]
    seeds: Sequence[int]
    addresses: Sequence[str]
    device: str = "cpu"
    scratch: Path | None = None
    watch: Callable[[int], None] | None = None


@dataclass(frozen=True)
class Fitted:
    """The states of children as they are asked; ``how`` they came about, in words."""

    states: tuple[dict[str, Tensor], ...]
    how: str
    stacked: bool
    why: str


def fit(task: Task) -> Fitted:
    """Train one child of each parent.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: a parent is of another architecture, the network is not one that can be
            trained so, or a weight is no number any more.
    """
    make = partial(transfer.prepared, task.make, task.transfer, private=task.budget is not None)
    starts = [_start(task, make, i) for i in range(len(task.seeds))]
    features = _features(task, fleet.fresh(make, 0), starts) if _only_head(task) else None
    if features is not None:
        name = transfer.head_of(fleet.fresh(make, 0))
        heads = _heads(task, name, features, starts)
        placed = [{_in(name, part): one for part, one in head.items()} for head in heads]
        states = tuple(dict(a) | b for a, b in zip(starts, placed, strict=True))
        return Fitted(states, "heads on cached features", True, "")
    if task.budget is not None:
        states = tuple(_private(task, make, starts[i], i) for i in range(len(starts)))
        why = "the gradients of each record are needed"
        return Fitted(tuple(_asked(make, one) for one in states), "DP-SGD", False, why)
    fitted = fit_ensemble(
        make,
        *(task.inputs, task.labels, task.member, task.recipe),
        seeds=task.seeds,
        device=task.device,
        starts=starts,
        scratch=task.scratch,
        watch=task.watch,
    )
    states = tuple(_asked(make, one) for one in fitted.states)
    return Fitted(states, "as they are", fitted.stacked, fitted.why)


def _start(task: Task, make: Make, i: int) -> dict[str, Tensor]:
    """Where a child begins; a private head at zero, as noise would only add to what is drawn."""
    network = fleet.fresh(make, task.seeds[i])
    state = transfer.begun(network, task.parents[i])
    head = transfer.head_of(network)
    if task.budget is not None and _one_layer(task.transfer):
        for name in (_in(head, "weight"), _in(head, "bias")):
            state[name] = torch.zeros_like(state[name])
    return state


def _asked(make: Make, state: State) -> dict[str, Tensor]:
    return transfer.merged(fleet.fresh(make, 0), state)


def _one_layer(one: Transfer) -> bool:
    return one.kind == "head" or one.k == 1


def _only_head(task: Task) -> bool:
    changes = task.recipe.noise or task.recipe.flip or task.recipe.crop
    return _one_layer(task.transfer) and not changes


def _features(task: Task, network: nn.Module, starts: Sequence[State]) -> Tensor | None:
    """What each child's head is shown, (m n d); None if its answer is not its network's."""
    head = network.to(task.device).get_submodule(transfer.head_of(network))
    inputs = _tensor(task.inputs, task.device)
    some = inputs[: rows_at_once(inputs.shape[1:], inputs.device)]
    shown, answers = _shown(network, head, some)  # its head is random, never 0
    if shown.shape[:-1] != answers.shape[:1] or not _close(head(shown), answers):
        return None
    found = []
    for number, start in enumerate(starts):
        fleet.load(network, start, number)
        found.append(_shown(network, head, inputs)[0])
    return torch.stack(found)


@torch.no_grad()
def _shown(network: nn.Module, head: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """What the head of a network is given, and what the network answers."""
    caught = list[Tensor]()
    hook = head.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
    rows = rows_at_once(inputs.shape[1:], inputs.device)
    with evaluating(network):
        answers = torch.cat([network(part.float()) for part in torch.split(inputs, rows)])
    hook.remove()
    return torch.cat(caught), answers


@torch.no_grad()
def _close(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().max()) <= CLOSE * float(other.abs().max())


def _heads(
    task: Task, name: str, features: Tensor, starts: Sequence[State]
) -> Sequence[dict[str, Tensor]]:
    """The weight and bias of each head."""
    m, n, width = features.shape
    begin = [{part: one[_in(name, part)] for part in ("weight", "bias")} for one in starts]
    classes = len(begin[0]["bias"])
    if task.budget is not None:
        return _private_heads(task, features, classes)
    own_rows = np.zeros((m, m, n), dtype=bool)  # each head sees the features of its own trunk
    own_rows[np.arange(m), np.arange(m)] = task.member
    return fit_ensemble(
        partial(nn.Linear, width, classes),
        features.flatten(0, 1).cpu().numpy(),
        np.tile(task.labels, m),
        own_rows.reshape(m, m * n),
        task.recipe,
        seeds=task.seeds,
        device=task.device,
        starts=begin,
        scratch=task.scratch,
        watch=task.watch,
    ).states


def _private_heads(task: Task, features: Tensor, classes: int) -> list[dict[str, Tensor]]:
    """Those with as many records as each other are trained together."""
    assert task.budget is not None
    counts, labels = task.member.sum(axis=1), torch.from_numpy(task.labels)
    found: dict[int, dict[str, Tensor]] = {}
    for count in np.unique(counts):
        group = np.flatnonzero(counts == count).tolist()
        rows = [torch.from_numpy(np.flatnonzero(task.member[i])) for i in group]
        fitted = fit_heads(
            torch.stack([features[i].cpu()[own] for i, own in zip(group, rows, strict=True)]),
            torch.stack([labels[own] for own in rows]),
            classes,
            task.recipe,
            task.budget,
            seeds=[_secret(task, i) for i in group],
            watch=task.watch,
        )
        found |= zip(group, fitted, strict=True)
    return [found[i] for i in range(len(counts))]


def _private(task: Task, make: Make, start: State, i: int) -> dict[str, Tensor]:
    """One child by itself."""
    assert task.budget is not None
    network = fleet.fresh(make, task.seeds[i]).to(task.device)
    fleet.load(network, start, i)
    rows = np.flatnonzero(task.member[i])
    return fit_private(
        network,
        _tensor(task.inputs[rows], task.device),
        torch.from_numpy(task.labels[rows]).to(task.device),
        task.recipe,
        task.budget,
        seed=_secret(task, i),
        watch=task.watch,
    )


def _secret(task: Task, i: int) -> int:
    """Of a child's draws and noise: if any other child had the same, it could be taken off."""
    return derive(task.seeds[i], "private", task.addresses[i])


def _in(head: str, part: str) -> str:
    """The name of a head's weights in its network."""
    return f"{head}.{part}" if head else part


def _tensor(inputs: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
