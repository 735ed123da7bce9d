"""DP-LoRA: an adapter trained so that no record can have mattered much, provably."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Gt, Lt

from nonmember.defenses.registry import defense
from nonmember.training.recipe import Recipe
from nonmember.types import Count, Positive


@defense(family="language", stage="training", paper="Yu et al. 2022, arXiv:2110.06500")
def dp_lora(
    recipe: Recipe,
    *,
    epsilon: Positive = 8.0,
    delta: Annotated[float, Gt(0), Lt(1)] | None = None,
    clip: Positive = 0.1,
    rank: Count = 16,
) -> Recipe:
    """Train an adapter under (epsilon, delta)-differential privacy of single records.

    Each record's gradient is clipped and noise is added to their sum. A recipe of full
    fine-tuning becomes one of LoRA: fewer trained weights take less noise. Deviation: AdamW
    with the recipe's own learning rate and batches; privacy is cheaper with larger batches.
    The noise follows from the seed of the training, so that it can be repeated: the guarantee is
    towards whoever does not know that seed.

    Args:
        recipe: how the model would be trained.
        epsilon: the bound, in nats; smaller is more private.
        delta: the probability with which the bound may not hold; None: 1 / n.
        clip: the largest norm of a record's gradient.
        rank: of the adapter.

    Raises:
        SpecError: a setting with which nothing can be trained.
    """
    return replace(recipe, method="lora", epsilon=epsilon, delta=delta, record_clip=clip, rank=rank)
