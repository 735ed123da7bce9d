"""Dropout in the adapter: no path through it can rely on single records."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Ge, Lt

from nonmember.defenses.registry import defense
from nonmember.training.recipe import Recipe


@defense(family="language", stage="training", paper="Ran et al. 2025, arXiv:2507.18302")
def lora_dropout(recipe: Recipe, *, dropout: Annotated[float, Ge(0), Lt(1)] = 0.5) -> Recipe:
    """Train an adapter, with dropout on what goes into it.

    A recipe of full fine-tuning becomes one of LoRA. The paper finds dropout to be one of
    the two out of four defenses that work at little cost; the default rate is ours.

    Args:
        recipe: how the model would be trained.
        dropout: the share of the adapter's inputs that each update leaves out, 0 to below 1.

    Raises:
        SpecError: ``dropout`` is no such share.
    """
    return replace(recipe, method="lora", dropout=dropout)
