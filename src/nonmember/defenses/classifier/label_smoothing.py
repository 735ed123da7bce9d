"""Label smoothing: a share of each label is spread over all classes; a baseline."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Gt, Lt

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe


@defense(family="classifier", stage="training", paper="Szegedy et al. 2016, arXiv:1512.00567")
def label_smoothing(
    recipe: ClassifierRecipe, *, amount: Annotated[float, Gt(0), Lt(1)] = 0.1
) -> ClassifierRecipe:
    """Learn (1 - amount) of each label, and amount / c of each of the c classes.

    It was made for accuracy, not for privacy, and is here to be compared with: it need not lower
    what attacks find. No deviation from the paper.

    Args:
        recipe: how the model would be trained.
        amount: the share that is spread, above 0 and below 1; .05 to .2 are usual.

    Raises:
        SpecError: the recipe's objective has soft labels or a level of its own.
    """
    return replace(recipe, label_smoothing=amount)
