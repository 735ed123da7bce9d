"""RelaxLoss: the training loss is held where that of unseen records would be."""

from typing import Annotated

from annotated_types import Ge

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import RelaxLoss
from nonmember.types import Share


@defense(family="classifier", stage="training", paper="Chen et al. 2022, arXiv:2207.05801")
def relaxloss(
    recipe: ClassifierRecipe,
    *,
    level: Annotated[float, Ge(0)] = 0.1,
    upper: Share = 1.0,
    detach: bool = False,
) -> ClassifierRecipe:
    """Climb where a batch's mean cross-entropy is below a level, or flatten its outputs.

    Epochs are counted from 0. In even ones what is minimised is the distance of the loss from
    the level. In odd ones it is the loss where that is above the level, and else the
    cross-entropy of wrongly classified records to a flattened target, less that of all records
    to their labels. Each batch is decided upon by its own loss, and the share of those at or
    below the level is told of each model. A level is not to be chosen by accuracy on records of
    an evaluation. No deviation from the authors' code, where gradients flow through the
    flattened target too; ``detach`` and ``upper`` are further options.

    Args:
        recipe: how the model would be trained.
        level: the mean cross-entropy to hold, nats; about that of unseen records hides most.
            The paper takes 1e-5 to 1, more for more classes; 0 is plain training, but for
            batches without any loss.
        upper: the most that a flattened target has on the true class, above 0.
        detach: whether flattened targets are plain numbers, with no gradient of their own.

    Raises:
        SpecError: the recipe has another objective, or smooths its labels.
    """
    return recipe.aimed(RelaxLoss(level, upper, detach))
