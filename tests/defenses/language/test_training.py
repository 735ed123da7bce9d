"""Defenses that change how a model is trained: exactly one thing each."""

from dataclasses import replace

import pytest

from nonmember.defenses.language.dp_lora import dp_lora
from nonmember.defenses.language.early_stopping import early_stopping
from nonmember.defenses.language.exclude_layers import exclude_layers
from nonmember.defenses.language.lora_dropout import lora_dropout
from nonmember.defenses.language.weight_decay import weight_decay
from nonmember.errors import SpecError
from nonmember.training.recipe import Recipe

RECIPE = Recipe(epochs=7, learning_rate=1e-3)


def test_each_changes_what_it_says_and_nothing_else() -> None:
    assert weight_decay(RECIPE) == replace(RECIPE, weight_decay=0.1)
    assert early_stopping(RECIPE) == replace(RECIPE, hold_back=0.1)
    assert exclude_layers(RECIPE) == replace(RECIPE, exclude=("mlp",))
    assert lora_dropout(RECIPE) == replace(RECIPE, method="lora", dropout=0.5)
    assert dp_lora(RECIPE) == replace(RECIPE, method="lora", epsilon=8.0, record_clip=0.1, rank=16)


def test_options_reach_the_recipe() -> None:
    assert weight_decay(RECIPE, weight_decay=0.3).weight_decay == 0.3
    assert early_stopping(RECIPE, hold_back=0.2).hold_back == 0.2
    assert exclude_layers(RECIPE, exclude=["q_proj", "layers.0"]).exclude == ("q_proj", "layers.0")
    assert lora_dropout(RECIPE, dropout=0.9).dropout == 0.9
    private = dp_lora(RECIPE, epsilon=1.0, delta=1e-5, clip=2.0, rank=4)
    assert (private.epsilon, private.delta, private.record_clip, private.rank) == (1, 1e-5, 2.0, 4)


def test_what_is_excluded_already_stays_so() -> None:
    both = exclude_layers(exclude_layers(RECIPE, exclude=["lm_head", "mlp"]))
    assert both.exclude == ("lm_head", "mlp")


@pytest.mark.parametrize(
    ("defend", "option", "value"),
    [
        (weight_decay, "weight_decay", -0.1),
        (early_stopping, "hold_back", 1.0),
        (lora_dropout, "dropout", 1.0),
        (dp_lora, "epsilon", 0.0),
        (dp_lora, "delta", 1.0),
        (exclude_layers, "exclude", ("",)),
    ],
)
def test_what_cannot_be_trained_is_refused(defend, option, value) -> None:
    with pytest.raises(SpecError, match=rf"^recipe: {option} = .*; give "):
        defend(RECIPE, **{option: value})
