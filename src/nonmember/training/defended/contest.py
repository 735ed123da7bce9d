"""A classifier and the attacker that it is trained against, and how both are kept and gone on with.

Nasr, Shokri and Houmansadr 2018, arXiv:1807.05852.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonmember.models.classifiers.network import evaluating
from nonmember.seeds import derive, generator
from nonmember.training import fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.attacker import Attacker, told
from nonmember.training.defended.task import Records, Task, Watch, records, rows
from nonmember.training.fleet import Fleet
from nonmember.training.objectives import Adversarial

ITS_OWN = ClassifierRecipe(optimizer="adam", learning_rate=1e-4, schedule="constant")


@dataclass(frozen=True)
class Contest:
    """Both in training; the members, and as many records of the reserve."""

    classifier: Fleet
    attacker: Fleet
    members: Records
    reserve: Records
    objective: Adversarial
    recipe: ClassifierRecipe
    seed: int
    watch: Watch | None


def begin(task: Task, i: int) -> Contest:
    """Both as the seed of network ``i`` initialises them, and the reserve that it draws."""
    objective, seed = task.recipe.objective, task.seeds[i]
    assert isinstance(objective, Adversarial)
    assert task.reserve is not None
    network = fleet.fresh(task.make, seed).to(task.device)
    members = records(task.examples.take(rows(task, i)), task.device)
    with evaluating(network), torch.no_grad():
        classes = network(members.inputs[:1].float()).shape[1]
    attacker = fleet.fresh(lambda: Attacker(classes), derive(seed, "attacker")).to(task.device)
    drawn = generator(seed, "reserve").permutation(len(task.reserve))[: len(members)]
    return Contest(
        fleet.begin([network], task.recipe, stacked=False),
        fleet.begin([attacker], ITS_OWN, stacked=False),
        members,
        records(task.reserve.take(drawn), task.device),
        objective,
        task.recipe,
        seed,
        task.watch,
    )


def attack(contest: Contest, members: Tensor, others: Tensor) -> None:
    """One update of the attacker: squared error to 1 on members and 0 on the reserve.

    It is shown answers as numbers, which carry no gradient to the classifier.

    Args:
        contest: of whom.
        members: places of the batch among the members.
        others: places among the records of the reserve.
    """
    mine, theirs = contest.members, contest.reserve
    inputs = torch.cat([mine.inputs[members], theirs.inputs[others]]).float()
    labels = torch.cat([mine.labels[members], theirs.labels[others]])
    network = alone(contest.classifier)
    with evaluating(network), torch.no_grad():
        shown = told(network(inputs), labels)
    truth = (torch.arange(len(labels), device=inputs.device) < len(members)).float()
    found = contest.attacker.forward(shown).sigmoid()
    _step(contest.attacker, functional.mse_loss(found, truth), contest.watch)


def answer(contest: Contest, inputs: Tensor, labels: Tensor, *, plain: bool) -> float:
    """One update of the classifier, unless ``plain`` against the attacker; its loss, nats."""
    logits = contest.classifier.forward(inputs)
    smoothing = contest.recipe.label_smoothing
    loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    against = loss if plain else loss + contest.objective.alpha * gain(contest, logits, labels)
    _step(contest.classifier, against, contest.watch)
    return float(loss.detach())


def gain(contest: Contest, logits: Tensor, labels: Tensor) -> Tensor:
    """How surely the attacker takes these for members; mean over them."""
    found = contest.attacker.forward(told(logits, labels))
    if contest.objective.gain == "log":
        return functional.logsigmoid(found).mean()
    mean: Tensor = found.sigmoid().mean() - 0.5
    return mean


def alone(models: Fleet) -> nn.Module:
    """The one network of a fleet that is not stacked."""
    assert models.alone is not None
    return models.alone


def _step(models: Fleet, loss: Tensor, watch: Watch | None) -> None:
    fleet.descend(models, loss)
    if watch is not None:
        watch(1)


def checkpoint(contest: Contest, run: str, losses: Sequence[float], folder: Path) -> None:
    """Leave both as they are after so many epochs.

    The attacker's file is named by the epoch and written first, so that whichever state of the
    classifier is found later, that of the attacker beside it is of the same epoch.
    """
    beside = _beside(folder, len(losses))
    fleet.checkpoint(contest.attacker, [], {"run": run}, beside)
    about = {"run": run, "losses": list(losses)}
    fleet.checkpoint(contest.classifier, [], about, folder / "classifier.safetensors")
    for old in {*folder.glob("attacker-*.safetensors")} - {beside}:
        old.unlink()


def resumed(task: Task, i: int, run: str, folder: Path | None) -> tuple[Contest, list[float]]:
    """Both as they were left, and the losses of the epochs done; new without a whole checkpoint."""
    contest = begin(task, i)
    if folder is None:
        return contest, []
    about = fleet.resume(contest.classifier, [], run, folder / "classifier.safetensors")
    losses = list(about.get("losses", []))
    if losses and fleet.resume(contest.attacker, [], run, _beside(folder, len(losses))):
        return contest, losses
    return begin(task, i), []


def _beside(folder: Path, epochs: int) -> Path:
    return folder / f"attacker-{epochs}.safetensors"
