"""Early stopping: leave off before the loss of training records parts from that of others."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Gt, Lt

from nonmember.defenses.registry import defense
from nonmember.training.recipe import Recipe


@defense(family="language", stage="training", paper="Song and Mittal 2021, arXiv:2003.10595")
def early_stopping(recipe: Recipe, *, hold_back: Annotated[float, Gt(0), Lt(1)] = 0.1) -> Recipe:
    """Stop after the first epoch that does not lower the loss of records held back.

    The weights are those of the best epoch. The paper holds early stopping against defenses
    made for the purpose, and finds it hard to beat.

    Args:
        recipe: how the model would be trained; its epochs are the most there can be.
        hold_back: the share of records that is not trained on but watched, between 0 and 1.

    Raises:
        SpecError: ``hold_back`` is no such share.
    """
    return replace(recipe, hold_back=hold_back)
