"""Early stopping: the weights of the epoch after which unseen records are told best."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Gt, Lt

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe


@defense(family="classifier", stage="training", paper="Song and Mittal 2021, arXiv:2003.10595")
def early_stopping(
    recipe: ClassifierRecipe, *, hold_back: Annotated[float, Gt(0), Lt(1)] = 0.1
) -> ClassifierRecipe:
    """Keep the weights after the epoch of the lowest cross-entropy on records held back.

    Held back is a share of the model's own training records, drawn by its seed: they are no
    gradient, but decide what the result is, and so stay members to whoever attacks it. All
    epochs are trained, under the schedule of the whole run. Deviation: the paper attacks the
    weights of every epoch, and finds the curve hard to beat; here one is chosen.

    Args:
        recipe: how the model would be trained; its epochs are the most there can be.
        hold_back: the share of records that is watched instead of trained on, between 0 and 1.

    Raises:
        SpecError: ``hold_back`` is no such share.
    """
    return replace(recipe, hold_back=hold_back)
