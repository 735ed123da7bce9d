"""What is refused before a defended classifier is trained."""

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nonmember.data.examples import Examples
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.training import checks, fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.distilled import chosen_of
from nonmember.training.defended.private import budget_of
from nonmember.training.defended.task import Task, records
from nonmember.training.objectives import (
    Adversarial,
    Distilled,
    Mixup,
    Private,
    needs_reserve,
    stackable,
)
from nonmember.types import RefMember


def check(
    examples: Examples, member: RefMember, recipe: ClassifierRecipe, reserve: Examples | None
) -> None:
    """Refuse settings that do not go together, and a reserve that the objective cannot do with.

    Args:
        examples: all candidates.
        member: whom each model is trained on, (m n).
        recipe: how.
        reserve: further records, of which none is a candidate.

    Raises:
        SpecError: a setting that the objective has no use for, a budget that gives records away,
            or no reserve where the objective needs one.
        DataError: the reserve holds candidates or records of their groups, is of another form or
            too small, or its classes are others.
    """
    if stackable(recipe):
        return
    _check_settings(recipe)
    if isinstance(recipe.objective, Private):
        for count in member.sum(axis=1).tolist():
            budget_of(recipe, count)
    if not needs_reserve(recipe):
        return
    kind = type(recipe.objective).__name__
    if reserve is None or not len(reserve):
        raise SpecError(
            f"objective {kind}: trains with records that are nobody's, and there are none; give a "
            "reserve"
        )
    _check_form(examples, reserve, kind)
    _check_apart(examples, reserve, kind)
    _check_size(int(member.sum(axis=1).max()), recipe, reserve)
    if isinstance(recipe.objective, Mixup):
        _check_classes(examples, member, reserve)


def check_network(task: Task) -> None:
    """Refuse a network that does not fit the records, or how it is trained.

    Raises:
        ModelError: it takes other inputs, answers for fewer classes; or as for ``check_norms``.
        SpecError: as for ``check_norms``.
    """
    examples, network = task.examples, fleet.fresh(task.make, 0).to(task.device)
    few = records(examples.take(np.arange(min(checks.TRIED, len(examples)))), task.device)
    checks.check_network(network, few.inputs, int(examples.labels.max()) + 1)
    check_norms(network, task.member, task.recipe, task.reserve)


def check_norms(
    network: nn.Module, member: RefMember, recipe: ClassifierRecipe, reserve: Examples | None
) -> None:
    """Refuse BatchNorm where it would meet a record by itself, or a budget forbids it.

    Args:
        network: a settled one.
        member: whom each model is trained on, (m n).
        recipe: how.
        reserve: as for ``check``.

    Raises:
        ModelError: there is a budget, and the network mixes the records of a batch.
        SpecError: a last batch of one record, of a model or of its student.
    """
    objective, counts = recipe.objective, member.sum(axis=1).tolist()
    if isinstance(objective, Private):
        _refuse_norms(network)
        return
    if isinstance(objective, Distilled) and reserve is not None:
        counts.append(chosen_of(len(reserve), objective))
    checks.check_rests(counts, recipe, network)


def _refuse_norms(network: nn.Module) -> None:
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm):
            raise ModelError(
                f"training: {name} ({type(layer).__name__}) mixes the records of a batch, and a "
                "budget is kept record by record; give GroupNorm in its place"
            )


def _check_settings(recipe: ClassifierRecipe) -> None:
    objective, kind = recipe.objective, type(recipe.objective).__name__
    amiss = {
        "hold_back": recipe.hold_back and isinstance(objective, Adversarial | Mixup | Private),
        "label_smoothing": recipe.label_smoothing and isinstance(objective, Private),
    }
    for name, wrong in amiss.items():
        if wrong:
            raise SpecError(f"recipe: {name} = {getattr(recipe, name)}; give 0 with {kind}")
    if isinstance(objective, Adversarial) and recipe.epochs < 2:
        raise SpecError(
            "recipe: epochs = 1; give at least 2 with Adversarial, whose first epoch is plain"
        )


def _check_form(examples: Examples, reserve: Examples, kind: str) -> None:
    mine, theirs = np.asarray(examples.inputs), np.asarray(reserve.inputs)
    if (mine.dtype, mine.shape[1:]) != (theirs.dtype, theirs.shape[1:]):
        raise DataError(
            f"objective {kind}: a reserve of {theirs.dtype} {theirs.shape[1:]}, and candidates of "
            f"{mine.dtype} {mine.shape[1:]}; give both in one form"
        )
    if int(reserve.labels.max()) > int(examples.labels.max()):
        raise DataError(
            f"objective {kind}: a record of the reserve is of class {int(reserve.labels.max())}, "
            f"and candidates are of 0 to {int(examples.labels.max())}; leave it out"
        )


def _check_apart(examples: Examples, reserve: Examples, kind: str) -> None:
    """What a model is trained with cannot be told from what it is not, if it is in both."""
    known = {row.tobytes() for row in examples.digests}
    both = [i for i, row in enumerate(reserve.digests) if row.tobytes() in known]
    if both:
        raise DataError(
            f"objective {kind}: {reserve.ids[both[0]]} of the reserve is a candidate too, as are "
            f"{len(both) - 1} others; leave them out of the one or the other"
        )
    groups = {*examples.groups} - {None}
    shared = [i for i, group in enumerate(reserve.groups) if group in groups]
    if shared:
        raise DataError(
            f"objective {kind}: {reserve.ids[shared[0]]} of the reserve is of the group "
            f"{reserve.groups[shared[0]]}, which has candidates too, and {len(shared) - 1} others "
            "are of such groups; leave them out of the one or the other"
        )


def _check_size(most: int, recipe: ClassifierRecipe, reserve: Examples) -> None:
    if isinstance(recipe.objective, Adversarial) and len(reserve) < most:
        raise DataError(
            f"objective Adversarial: a reserve of {len(reserve)} records, and one as large as the "
            f"training set is set against it; give at least {most}"
        )


def _check_classes(examples: Examples, member: RefMember, reserve: Examples) -> None:
    """Each record is matched with one of its class."""
    missing = {*examples.labels[member.any(axis=0)].tolist()} - {*reserve.labels.tolist()}
    if missing:
        raise DataError(
            f"objective Mixup: the reserve has no record of class {min(missing)}, and each is "
            "matched with one of its own class; give some of it"
        )
