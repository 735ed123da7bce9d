"""Leave some of the model as it was: what is not trained cannot remember."""

from collections.abc import Sequence
from dataclasses import replace

from nonmember.defenses.registry import defense
from nonmember.training.recipe import Recipe


@defense(family="language", stage="training", paper="Ran et al. 2025, arXiv:2507.18302")
def exclude_layers(recipe: Recipe, *, exclude: Sequence[str] = ("mlp",)) -> Recipe:
    """Train all but some modules, which keep the weights of the base.

    The paper finds this one of the two out of four defenses that work at little cost; which
    modules to leave out depends on the model. The default, ours, is the feed-forward half of
    every block, as most architectures call it. What the recipe already excludes stays so.

    Args:
        recipe: how the model would be trained; method and other settings stay.
        exclude: names of modules or blocks that are not trained, as the recipe takes them.

    Raises:
        SpecError: the recipe cannot exclude these.
    """
    return replace(recipe, exclude=tuple(dict.fromkeys((*recipe.exclude, *exclude))))
