"""Adversarial regularisation: the rounds in which a classifier meets its attacker.

Nasr, Shokri and Houmansadr 2018, arXiv:1807.05852.
"""

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.seeds import derive, generator
from nonmember.training import feeding, fitting, fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.contest import Contest, answer, attack, checkpoint, resumed
from nonmember.training.defended.task import One, Task

FIRST = 5  # passes of the attacker over both sides, after the classifier's first epoch
ATTACKS = 26  # its batches in a round, and
ANSWERS = 2  # those of the classifier


def updates(recipe: ClassifierRecipe, rows: int) -> int:
    """Of the classifier and of the attacker together, counted alike."""
    return sum(_updates(recipe, rows, epoch) for epoch in range(min(2, recipe.epochs))) + (
        max(0, recipe.epochs - 2) * _updates(recipe, rows, 1)
    )


def _updates(recipe: ClassifierRecipe, rows: int, epoch: int) -> int:
    """In an epoch."""
    batches = -(-rows // recipe.batch_size)
    return batches + (-(-batches // ANSWERS) * ATTACKS if epoch else FIRST * batches)


def fit(task: Task, i: int, run: str) -> One:
    """Train network ``i``: a plain epoch and five passes of the attacker, then rounds of both.

    Raises:
        ModelError: the loss is no number any more.
    """
    folder = None if task.scratch is None else task.scratch / f"{i}"
    contest, losses = resumed(task, i, run, folder)
    saved = time.monotonic()
    if losses and task.watch is not None:
        rows = len(contest.members)
        task.watch(sum(_updates(task.recipe, rows, epoch) for epoch in range(len(losses))))
    with fleet.forked():
        for epoch in range(len(losses), task.recipe.epochs):
            fleet.seed_all(derive(contest.seed, "layers", epoch))
            losses.append(_epoch(contest, epoch))
            if not math.isfinite(losses[-1]):
                raise ModelError(
                    f"training: the loss of reference model {i} became {losses[-1]} in epoch "
                    f"{epoch + 1}; lower the learning rate, or alpha"
                )
            if folder is not None and time.monotonic() - saved >= fitting.CHECKPOINT_SECONDS:
                checkpoint(contest, run, losses, folder)
                saved = time.monotonic()
    about = {"records of the reserve": len(contest.reserve)}
    return One(fleet.states(contest.classifier)[0], tuple(losses), about)


def _epoch(contest: Contest, epoch: int) -> float:
    """Train both for an epoch; the classifier's mean cross-entropy, nats."""
    members, recipe, total = contest.members, contest.recipe, 0.0
    feeds = [feeding.feed(np.arange(len(members)), derive(contest.seed, "epoch", epoch))]
    wide = feeding.widths(len(members), recipe.batch_size, 1)
    attacks, done = _attacks(contest, epoch), epoch * len(wide)
    for number, batch in enumerate(feeding.epoch(feeds, wide, recipe.batch_size)):
        for _ in range(ATTACKS if epoch and number % ANSWERS == 0 else 0):
            attack(contest, *next(attacks))
        labels = members.labels[batch.places]
        inputs = feeding.changed(members.inputs[batch.places].float(), feeds, recipe)
        rate = fitting.learning_rate(recipe, done + number, recipe.epochs * len(wide))
        contest.classifier.optimiser.param_groups[0]["lr"] = rate
        total += answer(contest, inputs, labels, plain=not epoch) * len(labels)
    for _ in range(0 if epoch else FIRST * len(wide)):
        attack(contest, *next(attacks))
    return total / len(members)


def _attacks(contest: Contest, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Places of a batch of members and of one of the reserve, pass after pass in a new order."""
    size, count = contest.recipe.batch_size, len(contest.members)
    rng = generator(contest.seed, "attacks", epoch)
    while True:
        mine, theirs = (torch.from_numpy(rng.permutation(count)) for _ in range(2))
        yield from zip(torch.split(mine, size), torch.split(theirs, size), strict=True)
