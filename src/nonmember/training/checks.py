"""What is refused before a classifier is trained, whatever its training minimises."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.classifiers.network import evaluating
from nonmember.models.functions import first_line
from nonmember.training import fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.types import Labels, RefMember

TRIED = 8  # records that show whether a network takes them


def check_records(
    inputs: np.ndarray, labels: Labels, member: RefMember, recipe: ClassifierRecipe
) -> None:
    """Refuse records that do not fit their labels, their membership or the recipe.

    Raises:
        DataError: the arrays do not fit each other, or a model has no record.
        SpecError: images are to be moved and there are none.
    """
    if not len(inputs) == len(labels) == member.shape[1]:
        raise DataError(
            f"training: {len(inputs)} inputs, {len(labels)} labels and {member.shape[1]} columns "
            "of membership; give one of each per record"
        )
    empty = np.flatnonzero(~member.any(axis=1))
    if len(empty):
        raise DataError(f"training: reference model {empty[0]} has no record; give it some")
    check_moves(inputs, recipe)


def check_moves(inputs: np.ndarray, recipe: ClassifierRecipe) -> None:
    """Refuse to mirror or shift what is no image.

    Raises:
        SpecError: the recipe does, and these are none.
    """
    if (recipe.flip or recipe.crop) and inputs.ndim != 4:
        raise SpecError(
            f"recipe: flip and crop move images, and the inputs have the shape {inputs.shape[1:]}; "
            "give (channels, height, width), or neither of the two"
        )


def check_network(network: nn.Module, inputs: Tensor, classes: int, *, more: bool = True) -> None:
    """Refuse a network that does not take these inputs, or answers for other classes.

    Args:
        network: on the device of the inputs; its modes are put back afterwards.
        inputs: (n ...), the first of which are tried.
        classes: how many the targets have.
        more: whether the network may know further ones.

    Raises:
        ModelError: it does not fit.
    """
    some = inputs[:TRIED].float()
    try:
        with fleet.forked(), torch.no_grad(), evaluating(network):
            found = network(some)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"training: the network does not take inputs of the shape {tuple(some.shape[1:])} "
            f"({first_line(error)}); give it those, or another architecture"
        ) from None
    wide = found.shape[-1] >= classes if more else found.shape[-1] == classes
    if found.dim() != 2 or not wide:
        raise ModelError(
            f"training: the network answers {tuple(found.shape)} to {len(found)} inputs, and the "
            f"targets need {classes} classes; give it one output per class"
        )


def check_rests(counts: Sequence[int], recipe: ClassifierRecipe, network: nn.Module) -> None:
    """Refuse what BatchNorm cannot normalise: a batch of one record.

    Args:
        counts: records of each training set, with those that are held back.
        recipe: how they are trained on.
        network: a settled one; what is frozen normalises by what it has learnt before.

    Raises:
        SpecError: a last batch of one record.
    """
    if not any(one.training for one in network.modules() if isinstance(one, _BatchNorm)):
        return
    for count in counts:
        if (recipe.trained(count) - 1) % recipe.batch_size == 0:
            raise SpecError(
                f"recipe: batch_size = {recipe.batch_size} leaves a last batch of one record, of "
                f"{recipe.trained(count)}, which BatchNorm cannot normalise; give another "
                "batch_size"
            )
