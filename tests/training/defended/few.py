"""A few digits, small networks, and recipes that train them in a moment."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from nonmember.data.examples import Examples, of
from nonmember.models.nets import mlp
from nonmember.training import defended, fitting
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.task import Task
from nonmember.training.ensemble import Ensemble
from nonmember.training.objectives import Objective

DIGITS = load_digits()
N, KEPT = 120, 90
MAKE = partial(mlp, (64,), 10, width=8)
MEMBER = np.zeros((2, N), dtype=bool)
MEMBER[0, :60], MEMBER[1, 50:110] = True, True


def digits(rows: slice) -> Examples:
    return of((DIGITS.data[rows] / 16).astype(np.float32), DIGITS.target[rows].astype(np.int64))


EXAMPLES, RESERVE = digits(slice(0, N)), digits(slice(N, N + KEPT))


def recipe(
    objective: Objective | None, *, epochs: int = 3, batch_size: int = 16
) -> ClassifierRecipe:
    return ClassifierRecipe(
        epochs=epochs, batch_size=batch_size, learning_rate=0.01, objective=objective
    )


def fitted(how: ClassifierRecipe, **changed: object) -> Ensemble:
    given = {"make": MAKE, "examples": EXAMPLES, "member": MEMBER, "reserve": RESERVE} | changed
    member = given["member"]
    seeds = given.pop("seeds", range(len(member)))  # type: ignore[arg-type]
    return defended.fit(recipe=how, seeds=seeds, **given)  # type: ignore[arg-type]


def task(how: ClassifierRecipe, **changed: object) -> Task:
    given = {
        "make": MAKE,
        "examples": EXAMPLES,
        "member": MEMBER,
        "seeds": (0, 1),
        "reserve": RESERVE,
        "device": "cpu",
        "scratch": None,
        "watch": None,
    }
    return Task(recipe=how, **(given | changed))  # type: ignore[arg-type]


def same(one: Ensemble, other: Ensemble) -> bool:
    return all(
        torch.equal(left[name], right[name])
        for left, right in zip(one.states, other.states, strict=True)
        for name in left
    )


def planned(how: ClassifierRecipe, member: np.ndarray = MEMBER) -> int:
    return sum(defended.updates(how, int(rows.sum()), KEPT) for rows in member)


def goes_on(
    how: ClassifierRecipe, stop_at: int, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """A run that is stopped at an update and gone on with ends as an uninterrupted one does.

    What the second run tells at once, of each model: the updates that the first has saved it.
    """
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if sum(done) >= stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(how, scratch=scratch, watch=stop)
    told: list[int] = []
    again = fitted(how, scratch=scratch, watch=told.append)
    assert same(again, fitted(how)) and sum(told) == planned(how)
    return [count for count in told if count > 4]


def linear(weight: list[list[float]]) -> Callable[[], nn.Module]:
    """Makes a linear layer without a bias, always the same."""

    def make() -> nn.Module:
        made = nn.Linear(len(weight[0]), len(weight), bias=False)
        made.weight.data = torch.tensor(weight)
        return made

    return make
