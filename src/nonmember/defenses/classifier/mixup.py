"""mixup: no record is ever shown as it is, only in a weighted mean with another one."""

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import Mixup
from nonmember.types import Positive


@defense(family="classifier", stage="training", paper="Zhang et al. 2018, arXiv:1710.09412")
def mixup(recipe: ClassifierRecipe, *, alpha: Positive = 1.0) -> ClassifierRecipe:
    """Train on means of two records of a batch, with the same mean of their two losses.

    The weight is drawn from Beta(alpha, alpha), one per batch, and the other record of each is
    one of the same batch, which the recipe's noise, flips and shifts have changed as well. No
    deviation from the authors' code; their text draws a weight for each pair.

    Args:
        recipe: how the model would be trained.
        alpha: above 0; the larger, the more alike the two weights. 1 draws them uniformly.

    Raises:
        SpecError: the recipe has another objective.
    """
    return recipe.aimed(Mixup(alpha))
