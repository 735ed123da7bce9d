"""HAMP, its training part: labels that are unsure, and a reward for unsure answers."""

from typing import Annotated

from annotated_types import Ge, Lt

from nonmember.defenses.registry import defense
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import EntropySoft


@defense(
    family="classifier", stage="training", paper="Chen and Pattabiraman 2024, arXiv:2307.01610"
)
def hamp(
    recipe: ClassifierRecipe,
    *,
    gamma: Annotated[float, Ge(0), Lt(1)] = 0.8,
    alpha: Annotated[float, Ge(0)] = 0.01,
) -> ClassifierRecipe:
    """Learn soft labels of high entropy, and answer with more of it still.

    The true class gets p, the c - 1 others equal parts of the rest, with p > 1/c such that the
    label's entropy is gamma ln c; what is minimised is the mean over a batch of
    KL(label || output) - alpha H(output), nats. The part that steps in at inference is
    ``hamp_output``. Deviations: p is solved for (.4766 for 10 classes and gamma .8), where the
    authors' code goes in steps of .01 (.47); and the divergence is averaged over the records of
    a batch, where their code averages over records and classes. So alpha here is c times theirs:
    1e-3 there for 10 classes is .01 here, 5e-4 for 100 is .05.

    Args:
        recipe: how the model would be trained.
        gamma: entropy of a soft label, as a share of the largest, ln c; below 1, and 0 leaves
            labels as they are. The paper tries .5 to .99.
        alpha: weight of the outputs' entropy; 0 is smoothed labels alone.

    Raises:
        SpecError: the recipe has another objective, or smooths its labels.
    """
    return recipe.aimed(EntropySoft(gamma, alpha))
