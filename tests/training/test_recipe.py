"""Settings that cannot be trained with are refused when they are written, not hours later."""

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
            for name in ("learning_rate", "clip", "alpha")
            for value in (0.0, -1.0, NAN)
        ),
        *(("weight_decay", value, "0 or more") for value in (-0.1, NAN)),
        *(("dropout", value, "0 or more, and less than 1") for value in (-0.1, 1.0, NAN)),
    ],
)
def test_an_impossible_setting_is_refused(name: str, value: Any, remedy: str) -> None:
    with pytest.raises(SpecError, match=rf"^recipe: {name} = {value}; give {remedy}$"):
        Recipe(**{name: value})


def test_no_clipping_and_no_dropout_are_possible() -> None:
    assert Recipe(clip=float("inf"), dropout=0.0, weight_decay=0.0).rank == 16
