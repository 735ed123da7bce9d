"""Settings that cannot be trained with are refused when they are written, not hours later."""

import re
from typing import Any

import pytest

from nonmember.errors import SpecError
from nonmember.training.recipe import Recipe

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        *((name, 0, "at least 1") for name in ("epochs", "batch_size", "micro_batch", "rank")),
        *(
            (name, value, "more than 0")
            for name in ("learning_rate", "clip", "alpha", "record_clip")
            for value in (0.0, -1.0, NAN)
        ),
        *(("weight_decay", value, "0 or more") for value in (-0.1, NAN)),
        *(
            (name, value, "0 or more, and less than 1")
            for name in ("dropout", "hold_back")
            for value in (-0.1, 1.0, NAN)
        ),
    ],
)
def test_an_impossible_setting_is_refused(name: str, value: Any, remedy: str) -> None:
    with pytest.raises(SpecError, match=rf"^recipe: {name} = {value}; give {remedy}$"):
        Recipe(**{name: value})


def test_no_clipping_and_no_dropout_are_possible() -> None:
    assert Recipe(clip=float("inf"), dropout=0.0, weight_decay=0.0).rank == 16


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"epsilon": 0.0}, "epsilon = 0.0; give more than 0, and finite"),
        ({"epsilon": float("inf")}, "epsilon = inf; give more than 0, and finite"),
        ({"epsilon": NAN}, "epsilon = nan; give more than 0, and finite"),
        ({"method": "full"}, 'epsilon = 8.0; give method = "lora" with it'),
        ({"delta": 0.0}, "delta = 0.0; give more than 0, and less than 1"),
        ({"delta": 1.0}, "delta = 1.0; give more than 0, and less than 1"),
        ({"epsilon": None, "delta": 0.1}, "delta = 0.1; give an epsilon with it, or no delta"),
        ({"record_clip": float("inf")}, "record_clip = inf; give a finite one with epsilon"),
        ({"hold_back": 0.1}, "hold_back = 0.1; give 0 with epsilon"),
        ({"exclude": ("mlp", "")}, "exclude = ('mlp', ''); give names of modules"),
    ],
)
def test_an_impossible_budget_is_refused(settings: dict[str, Any], refused: str) -> None:
    with pytest.raises(SpecError, match=f"^recipe: {re.escape(refused)}$"):
        Recipe(**{"method": "lora", "epsilon": 8.0, **settings})
