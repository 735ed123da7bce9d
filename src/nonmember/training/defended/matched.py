"""Mixup, and outputs on members matched to those on a reserve: a network in epochs of two passes.

Li, Li and Ribeiro 2021, arXiv:2002.12062; mixup is Zhang et al. 2018, arXiv:1710.09412.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.errors import ModelError
from nonmember.models.batches import rows_at_once
from nonmember.models.classifiers.network import evaluating
from nonmember.seeds import derive, generator
from nonmember.training import feeding, fitting, fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.task import One, Records, Task, Watch, records, rows
from nonmember.training.fleet import Fleet
from nonmember.training.objectives import Mixup


@dataclass(frozen=True)
class _Matching:
    """A network in training, its members and the whole reserve."""

    models: Fleet
    network: nn.Module
    members: Records
    reserve: Records
    objective: Mixup
    recipe: ClassifierRecipe
    seed: int
    watch: Watch | None

    @property
    def batches(self) -> int:
        """Of a pass over the members."""
        return -(-len(self.members) // self.recipe.batch_size)


def updates(recipe: ClassifierRecipe, rows: int) -> int:
    """Of both passes; a pass that is not needed is told as if it had been."""
    return (2 * recipe.epochs - 1) * -(-rows // recipe.batch_size)


def squared_discrepancy(ours: Tensor, theirs: Tensor, sigma: float) -> Tensor:
    """The biased estimate of the squared maximum mean discrepancy of outputs (a c) and (b c).

    The kernel is exp(-||p - q||^2 / (2 sigma^2)); pairs of a record with itself count.
    """

    def mean(left: Tensor, right: Tensor) -> Tensor:
        apart = (left.unsqueeze(1) - right.unsqueeze(0)).square().sum(2)
        return (apart / (-2 * sigma**2)).exp().mean()

    return mean(ours, ours) + mean(theirs, theirs) - 2 * mean(ours, theirs)


def fit(task: Task, i: int, run: str) -> One:
    """Train network ``i``.

    Raises:
        ModelError: the loss is no number any more.
    """
    one = _begin(task, i)
    path = None if task.scratch is None else task.scratch / f"{i}.safetensors"
    about = {} if path is None else fleet.resume(one.models, [], run, path)
    losses, matched = list(about.get("losses", [])), int(about.get("matched", 0))
    saved, last = time.monotonic(), task.recipe.epochs - 1
    if losses:
        _tell(one, one.batches * (2 * len(losses) - (len(losses) > last)))
    with fleet.forked():
        for epoch in range(len(losses), task.recipe.epochs):
            fleet.seed_all(derive(one.seed, "layers", epoch))
            losses.append(_mixed(one, epoch))
            matched += epoch < last and _match(one, epoch)
            _check(losses[-1], i, epoch)
            if path is not None and time.monotonic() - saved >= fitting.CHECKPOINT_SECONDS:
                told = {"run": run, "losses": losses, "matched": matched}
                fleet.checkpoint(one.models, [], told, path)
                saved = time.monotonic()
    told = {"records of the reserve": len(one.reserve), "epochs with a matching pass": matched}
    return One(fleet.states(one.models)[0], tuple(losses), told)


def _begin(task: Task, i: int) -> _Matching:
    objective = task.recipe.objective
    assert isinstance(objective, Mixup)
    assert task.reserve is not None
    models = fleet.begin(
        [fleet.fresh(task.make, task.seeds[i]).to(task.device)], task.recipe, stacked=False
    )
    assert models.alone is not None
    return _Matching(
        models,
        models.alone,
        records(task.examples.take(rows(task, i)), task.device),
        records(task.reserve, task.device),
        objective,
        task.recipe,
        task.seeds[i],
        task.watch,
    )


def _mixed(one: _Matching, epoch: int) -> float:
    """The first pass of an epoch, on weighted means of two records; its mean loss, nats."""
    feeds = [feeding.feed(np.arange(len(one.members)), derive(one.seed, "mixed", epoch))]
    wide = feeding.widths(len(one.members), one.recipe.batch_size, 1)
    device, total = one.members.labels.device, 0.0
    batches = feeding.epoch(feeds, wide, one.recipe.batch_size)
    for number, batch in enumerate(batches, epoch * one.batches):
        places = batch.places.to(device)
        inputs = feeding.changed(one.members.inputs[places].float(), feeds, one.recipe)
        labels, weights = one.members.labels[places], batch.weights
        shown, criterion = fitting.mixed(inputs, labels, feeds, weights, one.recipe)
        _set_rate(one, number)
        total += float(fleet.step(one.models, shown, weights.to(device), criterion).sum())
        _tell(one, 1)
    return total / len(one.members)


def _match(one: _Matching, epoch: int) -> bool:
    """The second pass of an epoch, if accuracies are far enough apart; whether they were."""
    ahead = accuracy(one.network, one.members) - accuracy(one.network, one.reserve)
    if ahead < one.objective.gap:
        _tell(one, one.batches)
        return False
    rng = generator(one.seed, "matching", epoch)
    order = torch.from_numpy(rng.permutation(len(one.members)))
    for number, places in enumerate(torch.split(order, one.recipe.batch_size), epoch * one.batches):
        partners = of_the_same_class(one.members.labels[places], one.reserve.labels, rng)
        _set_rate(one, number)
        _draw_together(one, places, partners)
        _tell(one, 1)
    return True


def _draw_together(one: _Matching, places: Tensor, partners: Tensor) -> None:
    """One update of the outputs on these members towards those on these of the reserve."""
    with torch.no_grad():
        theirs = one.network(one.reserve.inputs[partners].float()).softmax(1)
    ours = one.network(one.members.inputs[places].float()).softmax(1)
    apart = squared_discrepancy(ours, theirs, one.objective.sigma)
    fleet.descend(one.models, one.objective.mmd * apart)


def of_the_same_class(labels: Tensor, reserve: Tensor, rng: np.random.Generator) -> Tensor:
    """The place of a random record of the reserve of each of these classes, (b,)."""
    classes = reserve.cpu().numpy()
    by_class, counts = np.argsort(classes, kind="stable"), np.bincount(classes)
    wanted = labels.cpu().numpy()
    within = (rng.random(len(wanted)) * counts[wanted]).astype(np.int64)
    return torch.from_numpy(by_class[np.cumsum(counts)[wanted] - counts[wanted] + within])


def accuracy(network: nn.Module, some: Records) -> float:
    """Share of records whose likeliest class is the true one."""
    rows = rows_at_once(some.inputs.shape[1:], some.inputs.device)
    with evaluating(network), torch.no_grad():
        likeliest = [network(p.float()).argmax(1) for p in torch.split(some.inputs, rows)]
    return float((torch.cat(likeliest) == some.labels).double().mean())


def _set_rate(one: _Matching, number: int) -> None:
    """The learning rate of the batch of this number, counted over all first passes."""
    steps = one.recipe.epochs * one.batches
    rate = fitting.learning_rate(one.recipe, number, steps)
    one.models.optimiser.param_groups[0]["lr"] = rate


def _tell(one: _Matching, done: int) -> None:
    if one.watch is not None:
        one.watch(done)


def _check(loss: float, i: int, epoch: int) -> None:
    if not math.isfinite(loss):
        raise ModelError(
            f"training: the loss of reference model {i} became {loss} in epoch {epoch + 1}; lower "
            "the learning rate, or the weight of the discrepancy"
        )
