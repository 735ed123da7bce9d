"""A recipe refuses what nothing can be trained with."""

import math

import pytest

from nonmember.errors import SpecError
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import EntropySoft, Mixup, RelaxLoss


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
        ("hold_back", 1.0),
        ("hold_back", -0.1),
    ],
)
def test_nonsense_is_refused_with_what_to_give(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=rf"recipe: {name} = .*; give "):
        ClassifierRecipe(**{name: value})


def test_recipes_of_the_same_values_are_the_same() -> None:
    assert ClassifierRecipe(epochs=3) == ClassifierRecipe(epochs=3) != ClassifierRecipe(epochs=4)


@pytest.mark.parametrize("objective", [RelaxLoss(0.1), EntropySoft(0.8, 0.01)])
def test_labels_are_not_smoothed_twice(objective) -> None:
    with pytest.raises(
        SpecError, match=rf"label_smoothing = 0.1; give 0 with {type(objective).__name__}"
    ):
        ClassifierRecipe(label_smoothing=0.1, objective=objective)
    ClassifierRecipe(label_smoothing=0.1, objective=Mixup())


def test_a_recipe_has_one_objective() -> None:
    once = ClassifierRecipe(epochs=3).aimed(RelaxLoss(0.1))
    assert once == ClassifierRecipe(epochs=3, objective=RelaxLoss(0.1))
    assert once.aimed(RelaxLoss(0.1)) == once
    for other in (Mixup(), RelaxLoss(0.2)):
        with pytest.raises(SpecError, match=r"the objective RelaxLoss already, and \w+ would take"):
            once.aimed(other)


@pytest.mark.parametrize(("share", "rows", "trained"), [(0.0, 9, 9), (0.1, 9, 8), (0.5, 9, 5)])
def test_some_of_the_records_are_trained_on(share, rows, trained) -> None:
    assert ClassifierRecipe(hold_back=share).trained(rows) == trained
