"""Mixup with MMD: answers to members are drawn towards answers to records of a reserve."""

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import Mixup
from nonmember.types import Positive


@defense(family="classifier", stage="training", paper="Li et al. 2021, arXiv:2002.12062")
def mixup_mmd(
    recipe: ClassifierRecipe,
    *,
    alpha: Positive = 1.0,
    weight: Positive = 3.0,
    sigma: Positive = 1.0,
) -> ClassifierRecipe:
    """Train on weighted means of two records, and match the outputs on both sides.

    An epoch of mixup (Zhang et al. 2018, arXiv:1710.09412) is followed, where accuracy on members
    lies three points or more above that on the reserve, by a pass that lowers the squared
    maximum mean discrepancy of the probabilities of each batch and of a batch of the reserve of
    the same classes; not after the last epoch, and never where accuracy on the reserve is the
    higher one, however far apart they are. The reserve counts as trained on from then on.
    The estimate is the biased one, under a Gaussian kernel, and moves the members' side only.

    Args:
        recipe: how the model would be trained; no ``hold_back``.
        alpha: of Beta(alpha, alpha), which the weight of the first record is drawn from.
        weight: of the discrepancy in the second pass.
        sigma: the width of the kernel exp(-d^2 / (2 sigma^2)), d between probability vectors.

    Raises:
        SpecError: the recipe has another objective.
    """
    return recipe.aimed(Mixup(alpha, mmd=weight, sigma=sigma))
