"""DP-SGD: a classifier trained so that no record can have mattered much, provably."""

from typing import Annotated

from annotated_types import Gt, Lt

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import Private
from nonmember.types import Positive


@defense(family="classifier", stage="training", paper="Abadi et al. 2016, arXiv:1607.00133")
def dp_sgd(
    recipe: ClassifierRecipe,
    *,
    epsilon: Positive = 8.0,
    delta: Annotated[float, Gt(0), Lt(1)] | None = None,
    clip: Positive = 1.0,
) -> ClassifierRecipe:
    """Train under (epsilon, delta)-differential privacy of single records.

    Each record's gradient is clipped and noise is added to their sum; batches are drawn record by
    record, and the noise is the least that keeps the budget over all updates by Renyi accounting.
    Neighbours differ by one record more. The recipe's optimiser, learning rate and epochs are
    kept: larger batches, fewer epochs and a higher rate are worth trying, and whatever is chosen
    by looking at the records is not accounted for. Above epsilon 50 the record of a model calls
    its guarantee vacuous. The noise follows from the seed of the training, so that it can be
    repeated: the guarantee is towards whoever does not know that seed.

    Args:
        recipe: how the model would be trained, by a network without BatchNorm; no ``hold_back``
            and no smoothed labels.
        epsilon: the bound, in nats; smaller is more private.
        delta: the probability with which the bound may not hold, less than 1 / n; None: just
            that, 1 / (n + 1).
        clip: the largest norm of a record's gradient.

    Raises:
        SpecError: the recipe has another objective.
    """
    return recipe.aimed(Private(epsilon, delta, clip))
