"""Defenses whose training goes in stages: what each puts into a recipe, and what it refuses."""

from dataclasses import replace

import pytest

from nonmember.defenses.classifier.adv_reg import adv_reg
from nonmember.defenses.classifier.distillation import distillation
from nonmember.defenses.classifier.dp_sgd import dp_sgd
from nonmember.defenses.classifier.mixup_mmd import mixup_mmd
from nonmember.defenses.classifier.selena import selena
from nonmember.errors import SpecError
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import (
    Adversarial,
    Distilled,
    Mixup,
    Objective,
    Private,
    SelfDistilled,
    needs_reserve,
    stackable,
)

RECIPE = ClassifierRecipe(epochs=7, batch_size=3)


@pytest.mark.parametrize(
    ("defended", "objective"),
    [
        (adv_reg(RECIPE), Adversarial(3.0, "linear")),
        (adv_reg(RECIPE, alpha=6.0, gain="log"), Adversarial(6.0, "log")),
        (selena(RECIPE), SelfDistilled(25, 10)),
        (selena(RECIPE, k=5, l=2), SelfDistilled(5, 2)),
        (mixup_mmd(RECIPE), Mixup(1.0, 3.0, 0.03, 1.0)),
        (mixup_mmd(RECIPE, alpha=0.2, weight=1.5, sigma=0.5), Mixup(0.2, 1.5, 0.03, 0.5)),
        (distillation(RECIPE), Distilled(1.0, 1.0)),
        (distillation(RECIPE, temperature=4.0, share=0.3), Distilled(4.0, 0.3)),
        (dp_sgd(RECIPE), Private(8.0, None, 1.0)),
        (dp_sgd(RECIPE, epsilon=1.0, delta=1e-5, clip=0.5), Private(1.0, 1e-5, 0.5)),
    ],
)
def test_each_sets_its_objective_and_nothing_else(
    defended: ClassifierRecipe, objective: Objective
) -> None:
    assert defended == replace(RECIPE, objective=objective)
    assert not stackable(defended)


def test_who_needs_a_reserve() -> None:
    needing = [needs_reserve(one(RECIPE)) for one in (adv_reg, mixup_mmd, distillation)]
    others = [needs_reserve(one(RECIPE)) for one in (selena, dp_sgd)]
    assert all(needing) and not any(others)


def test_a_recipe_has_one_objective() -> None:
    for one in (adv_reg, mixup_mmd, distillation, dp_sgd):
        with pytest.raises(SpecError, match="SelfDistilled already"):
            one(selena(RECIPE))


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(SpecError, match=r"l = 4; give at least 1, and less than k = 4"):
        selena(RECIPE, k=4, l=4)
