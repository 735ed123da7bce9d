"""Which children of reference parents there are to be, each with its address."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import DataError, SpecError
from nonmember.models.architecture import Architecture, try_out
from nonmember.models.source import digest
from nonmember.models.transfer import Transfer, child_of, prepared
from nonmember.seeds import derive, generator
from nonmember.training import children_dpsgd, children_privacy, fleet
from nonmember.training.addresses import described
from nonmember.training.checks import check_moves, check_rests
from nonmember.training.children_privacy import Budget
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.reference import Model
from nonmember.types import Member, RefMember

VERSION = 2
SHARE = 0.85  # of the downstream examples for each child, as in the authors' code


@dataclass(frozen=True)
class Tuning:
    """How a parent becomes a child: what is trained, how, and within which budget, if any."""

    transfer: Transfer
    recipe: ClassifierRecipe
    budget: Budget | None = None


def draws(n: int, m: int, *, share: float = SHARE, seed: int = 0) -> RefMember:
    """A random share of n downstream examples for each of m children, (m n).

    A row depends on its number and the seed only, so that children can be added.

    Raises:
        SpecError: the share leaves a child nothing.
    """
    size = round(share * n)
    if not 1 <= size <= n:
        raise SpecError(f"children: a share of {share} of {n} examples; give one of at least 1")
    found = np.zeros((m, n), dtype=bool)
    for number, row in enumerate(found):
        row[generator(seed, "downstream", number).permutation(n)[:size]] = True
    return found


def models(
    architecture: Architecture,
    examples: Examples,
    member: RefMember,
    tuning: Tuning,
    parents: Sequence[str],
    *,
    seed: int = 0,
) -> tuple[Model, ...]:
    """One child of each parent, with its address; none is trained or looked for.

    An address covers the parent's, the downstream inputs and labels that the child is trained
    on, in their order, the tuning, its seed and torch's version; not who else is planned, nor
    the device.

    Args:
        architecture: what the parents are made of.
        examples: the n downstream ones, of classes 0 to c - 1.
        member: whom of them each child is trained on, (m n).
        tuning: how.
        parents: addresses of m reference models.
        seed: of heads, adapters, orders, draws and noise; each child's is derived from it.

    Raises:
        SpecError: not a parent for each row, parents that are estimators, fewer layers than
            are to be trained, settings that do not go with the examples, or a budget that cannot
            be met.
        DataError: ``member`` has another shape or an empty row; a task of one class; a class
            that a child would not be shown.
        ModelError: the network has no linear head or no layer for ``lora``, or there is a budget
            and it refuses the examples, mixes them, or has layers that Opacus does not know.
    """
    _check(examples, member, parents)
    _refuse_defended(tuning)
    made = child_of(architecture, classes_of(examples))
    _try_out(made, examples, member, tuning)
    found = []
    for number, (rows, parent) in enumerate(zip(member, parents, strict=True)):
        own = derive(seed, "child", number)
        found.append(
            Model(address_of(made, examples, tuning, rows, own, parent), own, rows, parent)
        )
    return tuple(found)


def address_of(
    made: Architecture,
    examples: Examples,
    tuning: Tuning,
    rows: Member,
    seed: int,
    parent: str,
) -> str:
    """A child's, of all that decides its weights."""
    return digest(
        f"child {VERSION} {made.digest} of {parent}",
        f"{seed} {torch.__version__} {_described(tuning)}",
        examples.digests[rows].tobytes(),
        examples.labels[rows].astype(np.int64).tobytes(),
    )


def _described(tuning: Tuning) -> dict[str, Any]:
    """All its settings; those of the recipe that came later only where they change anything."""
    return {**asdict(tuning), "recipe": described(tuning.recipe)}


def classes_of(examples: Examples) -> int:
    """Of the downstream task.

    Raises:
        DataError: there are fewer than two.
    """
    found = np.unique(examples.labels)
    if len(found) < 2:
        raise DataError(
            f"children: the {len(examples)} downstream examples have {len(found)} class, and "
            "nothing can be learnt from it; give a task of at least 2"
        )
    return int(found[-1]) + 1


def _try_out(made: Architecture, examples: Examples, member: RefMember, tuning: Tuning) -> None:
    """Refuse, before any parent is trained, what could not be fine-tuned, or not privately."""
    private = tuning.budget is not None
    network = fleet.fresh(partial(prepared, made.make, tuning.transfer, private=private), 0)
    check_moves(np.asarray(examples.inputs), tuning.recipe)
    if tuning.budget is None:
        check_rests(member.sum(axis=1).tolist(), tuning.recipe, network)
        return
    for count in np.unique(member.sum(axis=1)).tolist():
        children_privacy.noise(count, tuning.recipe, tuning.budget)
    try_out(made, examples.inputs)
    few = slice(children_dpsgd.TRIED)
    inputs, labels = np.array(examples.inputs[few]), examples.labels[few].astype(np.int64)
    children_dpsgd.try_out(network, torch.from_numpy(inputs), torch.from_numpy(labels))


def _refuse_defended(tuning: Tuning) -> None:
    """Refuse a defense that children would be trained without."""
    recipe = tuning.recipe
    if recipe.hold_back or recipe.objective is not None:
        raise SpecError(
            "children: are fine-tuned on the cross-entropy alone; give a recipe without hold_back "
            "and without another objective"
        )


def _check(examples: Examples, member: RefMember, parents: Sequence[str]) -> None:
    """Refuse, before any is trained, what children cannot be made of."""
    classes = classes_of(examples)
    if len(parents) != len(member):
        raise SpecError(
            f"children: {len(parents)} parents for {len(member)} children; give each its own"
        )
    if member.shape[1:] != (len(examples),) or not len(member):
        raise DataError(
            f"children: a membership in shape {member.shape} for {len(examples)} downstream "
            f"examples; give (children {len(examples)})"
        )
    for label in range(classes):
        without = ~member[:, examples.labels == label].any(axis=1)
        if without.any():
            raise DataError(
                f"children: class {label} has {int((examples.labels == label).sum())} of "
                f"{len(examples)} downstream examples, and child {int(without.argmax()) + 1} is "
                "shown none of them; give more examples of it, or leave the class out"
            )
