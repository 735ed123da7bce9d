"""A recipe refuses what nothing can be trained with."""

import math

import pytest

from nonmember.errors import SpecError
from nonmember.training.classifier_recipe import ClassifierRecipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("learning_rate", math.inf),
        ("momentum", 1.0),
        ("weight_decay", -1.0),
        ("noise", -0.1),
        ("noise", math.nan),
        ("label_smoothing", 1.0),
        ("crop", -1),
    ],
)
def test_nonsense_is_refused_with_what_to_give(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=rf"recipe: {name} = .*; give "):
        ClassifierRecipe(**{name: value})


def test_recipes_of_the_same_values_are_the_same() -> None:
    assert ClassifierRecipe(epochs=3) == ClassifierRecipe(epochs=3) != ClassifierRecipe(epochs=4)
