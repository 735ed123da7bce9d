"""Classifiers trained for an objective that one stacked fit cannot reach by itself."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.training.checks import check_records
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended import adversarial, distilled, matched, private, self_distilled
from nonmember.training.defended.checks import check, check_network, check_norms
from nonmember.training.defended.singly import one_by_one
from nonmember.training.defended.task import Task
from nonmember.training.ensemble import Ensemble
from nonmember.training.fleet import Make
from nonmember.training.objectives import Adversarial, Distilled, Mixup, Private, SelfDistilled
from nonmember.types import RefMember

__all__ = ["check", "check_norms", "fit", "updates"]


def fit(  # noqa: PLR0913 - a run's settings, and where its state goes
    make: Make,
    examples: Examples,
    member: RefMember,
    recipe: ClassifierRecipe,
    *,
    seeds: Sequence[int],
    reserve: Examples | None = None,
    device: str = "cpu",
    scratch: Path | None = None,
    watch: Callable[[int], None] | None = None,
) -> Ensemble:
    """Train one network per row of ``member`` for the recipe's objective, from scratch.

    Args:
        make: makes one, freshly initialised from torch's generator, which is seeded before.
        examples: the n candidates, inputs as numbers that the network takes.
        member: the training rows of each model, (m n).
        recipe: the settings; its objective is none that ``fit_ensemble`` reaches by itself.
        seeds: one per model, of all that is drawn for it.
        reserve: records that are no candidates, where the objective needs them.
        device: where to train.
        scratch: where finished parts and checkpoints of this run go; a run that finds its own
            there goes on from them to the numbers that it would have had without interruption.
        watch: told the updates done; ``updates`` says how many there are in all.

    Raises:
        SpecError: as for ``check``; seeds are not one for each model; or a budget cannot be met.
        DataError: as for ``check``, or a model has too few records.
        ModelError: the network does not fit the data or the objective, or learns nothing.
    """
    check_records(np.asarray(examples.inputs), examples.labels, member, recipe)
    check(examples, member, recipe, reserve)
    if not len(set(seeds)) == len(seeds) == len(member):
        raise SpecError(
            f"training: {len(set(seeds))} different seeds for {len(member)} models; give each its "
            "own"
        )
    task = Task(make, examples, member, recipe, tuple(seeds), reserve, device, scratch, watch)
    check_network(task)
    match recipe.objective:
        case SelfDistilled():
            return self_distilled.fit(task)
        case Distilled():
            return distilled.fit(task)
        case Private():
            private.check(task)
            how, why = private.fit, "the gradients of each record are needed"
        case Adversarial():
            how, why = adversarial.fit, "each has an attacker of its own"
        case _:
            how, why = matched.fit, "each is matched with the reserve by itself"
    return one_by_one(task, how, partial(updates, recipe), why)


def updates(recipe: ClassifierRecipe, rows: int, reserve: int = 0) -> int:
    """What ``fit`` tells its watch in all for a model of so many rows.

    Every update of any network counts as one, also those of attackers, teachers and submodels.
    """
    match recipe.objective:
        case SelfDistilled():
            return self_distilled.updates(recipe, rows)
        case Distilled():
            return distilled.updates(recipe, rows, reserve)
        case Adversarial():
            return adversarial.updates(recipe, rows)
        case Mixup(mmd=mmd) if mmd:
            return matched.updates(recipe, rows)
        case Private():
            return private.updates(recipe, rows)
        case _:
            return recipe.epochs * -(-recipe.trained(rows) // recipe.batch_size)
