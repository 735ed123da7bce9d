"""A whole network under DP-SGD, from its first weight (Abadi et al. 2016, arXiv:1607.00133)."""

from typing import Any

import torch
from torch import Tensor, nn

from nonmember.errors import ModelError, SpecError
from nonmember.models.batches import rows_at_once
from nonmember.models.classifiers.network import evaluating
from nonmember.seeds import derive
from nonmember.training import children_privacy, fleet
from nonmember.training.children_dpsgd import fit_private, try_out
from nonmember.training.children_privacy import Budget
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.task import One, Records, Task, records, rows
from nonmember.training.fleet import Make
from nonmember.training.objectives import Private

VACUOUS = 50.0  # epsilon above which the guarantee excludes nothing that anybody would do


def updates(recipe: ClassifierRecipe, rows: int) -> int:
    """Of a network with so many rows."""
    return children_privacy.updates(rows, recipe)


def budget_of(recipe: ClassifierRecipe, records: int) -> Budget:
    """What a model of so many records keeps.

    Raises:
        SpecError: delta is one over the records or more: one may be given away whole.
    """
    objective = recipe.objective
    assert isinstance(objective, Private)
    delta = 1 / (records + 1) if objective.delta is None else objective.delta
    if delta >= 1 / records:
        raise SpecError(
            f"objective Private: delta = {delta} with {records} records may give one away whole; "
            f"give less than {1 / records:.2g}, or none"
        )
    return Budget(objective.epsilon, delta, objective.clip)


def check(task: Task) -> None:
    """Refuse what no budget can be kept with, before any network is trained.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: the network mixes the records of a batch, or has layers unknown to Opacus.
    """
    for count in {*task.member.sum(axis=1).tolist()}:
        children_privacy.noise(count, task.recipe, budget_of(task.recipe, count))
    some = records(task.examples.take(rows(task, 0)[:8]), task.device)
    try_out(fleet.fresh(task.make, 0).to(task.device), some.inputs, some.labels)


def fit(task: Task, i: int, run: str) -> One:
    """Train network ``i``; its draws and noise follow from its seed and all that it is made of.

    Raises:
        SpecError: the budget cannot be met.
        ModelError: as for ``fit_private``, or a weight stayed as it was.
    """
    own = records(task.examples.take(rows(task, i)), task.device)
    budget = budget_of(task.recipe, len(own))
    state = fit_private(
        fleet.fresh(task.make, task.seeds[i]).to(task.device),
        own.inputs,
        own.labels,
        task.recipe,
        budget,
        seed=derive(task.seeds[i], "private", run),
        watch=task.watch,
    )
    _check_moved(task.make, task.seeds[i], state)
    privacy: dict[str, Any] = dict(children_privacy.spent(len(own), task.recipe, budget))
    privacy["vacuous"] = privacy["epsilon"] > VACUOUS
    return One(state, (_loss(task, own, state),), {"privacy": privacy})


def _check_moved(make: Make, seed: int, state: dict[str, Tensor]) -> None:
    """Every trained weight: one without gradients per record stays, and the accountant is wrong."""
    for name, weight in fleet.fresh(make, seed).named_parameters():
        if weight.requires_grad and torch.equal(weight.detach(), state[name]):
            raise ModelError(
                f"training: {name} stayed as it was initialised, noise and all; freeze it, or give "
                "a network of layers that Opacus knows"
            )


def _loss(task: Task, own: Records, state: dict[str, Tensor]) -> float:
    """The finished network's mean cross-entropy on its own records, nats."""
    network = fleet.fresh(task.make, 0).to(task.device)
    fleet.load(network, state, 0)
    total, rows = 0.0, rows_at_once(own.inputs.shape[1:], own.inputs.device)
    with evaluating(network), torch.no_grad():
        for inputs, labels in zip(
            torch.split(own.inputs, rows), torch.split(own.labels, rows), strict=True
        ):
            logits = network(inputs.float())
            total += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    return total / len(own)
