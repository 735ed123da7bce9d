"""DP-SGD of a whole network: what it refuses, what it records, and that all of it is trained."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from training.defended.few import (
    EXAMPLES,
    MAKE,
    MEMBER,
    fitted,
    goes_on,
    planned,
    recipe,
    same,
    task,
)

from nonmember.errors import ModelError, SpecError
from nonmember.training import accounting
from nonmember.training.defended import private
from nonmember.training.defended.task import run_of
from nonmember.training.objectives import Private

HOW = recipe(Private(8.0, 1e-5))


def test_the_budget_is_kept_and_recorded() -> None:
    told: list[int] = []
    found = fitted(HOW, watch=told.append)
    assert sum(told) == planned(HOW) == 24
    said = found.about[0]["privacy"]
    assert said["epsilon"] == pytest.approx(8.0, rel=1e-2) and said["epsilon"] <= 8.0
    assert (said["delta"], said["clip"], said["steps"]) == (1e-5, 1.0, 12)
    assert said["sample rate"] == pytest.approx(16 / 60) and said["accountant"] == "rdp"
    again = accounting.epsilon(said["noise multiplier"], 16 / 60, 12, 1e-5)
    assert again == pytest.approx(said["epsilon"]) and not said["vacuous"]
    assert found.losses.shape == (2, 1) and (found.losses > 0).all()


def test_a_budget_that_excludes_nothing_is_called_vacuous() -> None:
    found = fitted(recipe(Private(60.0), epochs=1), member=MEMBER[:1])
    said = found.about[0]["privacy"]
    assert said["vacuous"] and said["delta"] == 1 / 61


def test_every_weight_is_trained() -> None:
    found = fitted(HOW)
    for seed, state in enumerate(found.states):
        private._check_moved(MAKE, seed, state)
    start = {k: v.clone() for k, v in private.fleet.fresh(MAKE, 0).state_dict().items()}
    with pytest.raises(ModelError, match=r"1\.weight stayed as it was initialised"):
        private._check_moved(MAKE, 0, start)


def test_it_repeats_one_model_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert goes_on(HOW, 12 + 5, tmp_path, monkeypatch) == [12]


def test_noise_hangs_on_all_that_a_model_is_made_of() -> None:
    """Two models with one seed must not share their noise: a difference would be free of it."""
    found = fitted(HOW)
    assert same(found, fitted(HOW)) and not same(found, fitted(HOW, seeds=[5, 6]))
    labels = EXAMPLES.labels.copy()
    labels[0] = (labels[0] + 1) % 10
    others = [
        task(HOW, examples=replace(EXAMPLES, labels=labels)),
        task(HOW, member=MEMBER[::-1]),
        task(recipe(Private(9.0, 1e-5))),
    ]
    assert len({run_of(one, 0) for one in (task(HOW), *others)}) == 4


def test_what_no_budget_is_kept_with_is_refused_before_any_is_trained() -> None:
    def normalised() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))

    told: list[int] = []
    with pytest.raises(ModelError, match=r"1 \(BatchNorm1d\) mixes .*; give GroupNorm"):
        fitted(HOW, make=normalised, watch=told.append)
    with pytest.raises(SpecError, match=r"delta = 0\.02 with 60 records .*less than 0\.017"):
        fitted(recipe(Private(1.0, 0.02)), watch=told.append)
    with pytest.raises(SpecError, match=r"epsilon = 1e-09 cannot be met"):
        fitted(recipe(Private(1e-9, 1e-5)), watch=told.append)
    with pytest.raises(SpecError, match=r"label_smoothing = 0\.1; give 0 with Private"):
        fitted(replace(HOW, label_smoothing=0.1), watch=told.append)
    with pytest.raises(SpecError, match=r"hold_back = 0\.1; give 0 with Private"):
        fitted(replace(HOW, hold_back=0.1), watch=told.append)
    assert not told


def test_frozen_weights_stay_and_are_not_missed() -> None:
    def frozen() -> nn.Module:
        made = MAKE()
        made[1].requires_grad_(False)
        return made

    found = fitted(recipe(Private(8.0, 1e-5), epochs=1), make=frozen, member=MEMBER[:1])
    start = private.fleet.fresh(frozen, 0).state_dict()
    assert torch.equal(found.states[0]["1.weight"], start["1.weight"])
