"""What no defended classifier can be trained with is refused, whatever its objective."""

from dataclasses import replace
from functools import partial

import pytest
from torch import nn
from training.defended.few import MEMBER, fitted, recipe

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.nets import mlp
from nonmember.training.objectives import (
    Adversarial,
    Distilled,
    Mixup,
    Objective,
    Private,
    SelfDistilled,
)

EVERY = [Adversarial(1.0), Mixup(mmd=1.0), Private(8.0), SelfDistilled(3, 1), Distilled()]


def never(_: int) -> None:
    raise AssertionError("an update was made")


def normalised() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))


@pytest.mark.parametrize("objective", EVERY)
def test_a_model_without_records_is_refused(objective: Objective) -> None:
    member = MEMBER.copy()
    member[1] = False
    with pytest.raises(DataError, match="reference model 1 has no record"):
        fitted(recipe(objective), member=member, watch=never)


@pytest.mark.parametrize("objective", EVERY)
def test_rows_of_a_table_are_not_moved(objective: Objective) -> None:
    with pytest.raises(SpecError, match=r"flip and crop move images, .* the shape \(64,\)"):
        fitted(replace(recipe(objective), flip=True), watch=never)


@pytest.mark.parametrize("objective", EVERY)
@pytest.mark.parametrize(
    ("shape", "classes", "said"),
    [((32,), 10, "does not take inputs"), ((64,), 5, "answers .* the targets need 10 classes")],
)
def test_a_network_that_does_not_fit_is_refused(
    objective: Objective, shape: tuple[int], classes: int, said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        fitted(recipe(objective), make=partial(mlp, shape, classes, width=8), watch=never)


@pytest.mark.parametrize("objective", [one for one in EVERY if one != Private(8.0)])
def test_batch_norm_never_meets_a_record_by_itself(objective: Objective) -> None:
    """In batches of one, and at the end of the students' epochs on what they are shown."""
    with pytest.raises(SpecError, match="batch_size = 1 leaves a last batch of one record"):
        fitted(recipe(objective, batch_size=1), make=normalised, watch=never)


def test_batch_norm_of_a_student_is_looked_at_before_its_teacher_is_trained() -> None:
    with pytest.raises(SpecError, match="batch_size = 89 leaves a last batch of one record, of 90"):
        fitted(recipe(Distilled(), batch_size=89), make=normalised, watch=never)
    assert (MEMBER.sum(axis=1) % 89 != 1).all()
