"""SELENA: a student of what models that did not see a record say of it."""

from typing import Annotated

from annotated_types import Ge

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import SelfDistilled
from nonmember.types import Count


@defense(family="classifier", stage="training", paper="Tang et al. 2022, arXiv:2110.08324")
def selena(
    recipe: ClassifierRecipe,
    *,
    k: Annotated[int, Ge(2)] = 25,
    l: Count = 10,  # noqa: E741 - as the paper has it
) -> ClassifierRecipe:
    """Train on the mean answer to each record of models that were not trained on it.

    Each record is kept from ``l`` of ``k`` submodels, drawn for it; records of one group and those
    with equal inputs share their draw. The student is trained from scratch, by the cross-entropy
    to the mean of those models' probabilities, and is never shown a true class. All submodels
    have the recipe's settings, and none is chosen by its accuracy.

    Args:
        recipe: how the model would be trained; its submodels and the student are.
        k: submodels.
        l: those of them that never see a record; fewer than ``k``. Each is trained on the share
            (k - l) / k of the records.

    Raises:
        SpecError: the recipe has another objective, or ``l`` is not less than ``k``.
    """
    return recipe.aimed(SelfDistilled(k, l))
