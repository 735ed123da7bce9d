"""Weight decay: the classical regulariser, as the baseline that costs nothing."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Ge

from nonmember.defenses.registry import defense
from nonmember.training.recipe import Recipe


@defense(family="language", stage="training", paper="Shokri et al. 2017, arXiv:1610.05820")
def weight_decay(recipe: Recipe, *, weight_decay: Annotated[float, Ge(0)] = 0.1) -> Recipe:
    """Pull every trained weight towards 0.

    Deviation: the paper adds the squared weights to the loss; here AdamW shrinks them beside
    it. Full fine-tuning shrinks the base's own weights, LoRA only what it adds to them.

    Args:
        recipe: how the model would be trained.
        weight_decay: what an update takes off a weight, as a share of it per unit of
            learning rate; 0 is none.

    Raises:
        SpecError: ``weight_decay`` is negative.
    """
    return replace(recipe, weight_decay=weight_decay)
