"""SELENA: who is kept from whom, what the student is taught, and going on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training.defended.few import (
    EXAMPLES,
    MAKE,
    MEMBER,
    fitted,
    goes_on,
    linear,
    planned,
    recipe,
    same,
    task,
)

from nonmember.data.examples import Examples
from nonmember.errors import DataError
from nonmember.training.defended import self_distilled
from nonmember.training.defended.self_distilled import belonging, excluded, soft_targets
from nonmember.training.ensemble import fit_ensemble
from nonmember.training.objectives import SelfDistilled

HOW = recipe(SelfDistilled(4, 2))
Fits = list[tuple[np.ndarray, np.ndarray | None]]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Fits:
    """The membership of each stacked fit, and its soft targets."""
    found: Fits = []

    def noting(*given, **named):  # type: ignore[no-untyped-def]
        found.append((given[3].copy(), named.get("soft")))
        return fit_ensemble(*given, **named)

    monkeypatch.setattr(self_distilled, "fit_ensemble", noting)
    return found


def test_each_record_is_kept_from_exactly_l_submodels(fits: Fits) -> None:
    fitted(HOW)
    (shown, _), (students, soft) = fits
    np.testing.assert_array_equal(students, MEMBER)
    assert soft is not None and soft.shape == (2, 120, 10)
    for i, own in enumerate(MEMBER):
        mine = shown[i * 4 : (i + 1) * 4]
        assert not mine[:, ~own].any()
        np.testing.assert_array_equal(mine[:, own].sum(axis=0), 2)
        np.testing.assert_array_equal(mine[:, own], ~excluded(task(HOW), i)[:, own])
    assert not np.array_equal(excluded(task(HOW), 0)[:, 50:60], excluded(task(HOW), 1)[:, 50:60])


def test_a_target_is_the_mean_softmax_of_the_models_that_did_not_see_the_record() -> None:
    inputs = np.array([[1.0, 0], [0, 1], [1, 1]], dtype=np.float32)
    examples = Examples(inputs, np.array([0, 1, 0]), ("a", "b", "c"), (None,) * 3)
    weights = [[[1.0, 0], [0, 0]], [[0.0, 2], [0, 0]], [[5.0, 5], [0, 0]]]
    states = [{"weight": torch.tensor(one)} for one in weights]
    drawn = np.array([[True, False, True], [True, True, True], [False, True, True]])
    how = task(
        HOW, make=linear(weights[0]), examples=examples, member=np.array([[True, True, False]])
    )

    def p(z: float) -> float:
        return float(1 / (1 + np.exp(-z)))

    found = soft_targets(how, 0, drawn, states)
    np.testing.assert_allclose(found[0], [(p(1) + p(0)) / 2, 1 - (p(1) + p(0)) / 2], rtol=1e-6)
    np.testing.assert_allclose(found[1], [(p(2) + p(5)) / 2, 1 - (p(2) + p(5)) / 2], rtol=1e-6)
    np.testing.assert_array_equal(found[2], [0.5, 0.5])


def test_no_target_comes_from_a_model_that_saw_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray] = []
    ask = self_distilled.ensemble_logits

    def noting(make, states, inputs, *, device):  # type: ignore[no-untyped-def]
        asked.append(inputs)
        return ask(make, states, inputs, device=device)

    monkeypatch.setattr(self_distilled, "ensemble_logits", noting)
    shown: list[np.ndarray] = []

    def fit(*given, **named):  # type: ignore[no-untyped-def]
        shown.append(given[3].copy())
        return fit_ensemble(*given, **named)

    monkeypatch.setattr(self_distilled, "fit_ensemble", fit)
    fitted(HOW, member=MEMBER[:1])
    for one, rows in zip(asked[1:], shown[0], strict=True):
        seen = {x.tobytes() for x in np.asarray(EXAMPLES.inputs)[rows]}
        assert len(one) and not seen & {x.tobytes() for x in one}


def test_duplicates_and_groups_share_their_draw() -> None:
    inputs = np.array(EXAMPLES.inputs)
    inputs[7] = inputs[3]
    groups = tuple({3: "x", 11: "x", 20: "y", 21: "y"}.get(i) for i in range(len(inputs)))
    examples = replace(EXAMPLES, inputs=inputs, groups=groups)
    code = belonging(examples)
    assert code[3] == code[7] == code[11] and code[20] == code[21]
    assert len(np.unique(code)) == len(inputs) - 3 and code.max() == len(inputs) - 4
    for column in (7, 11):
        drawn = excluded(task(HOW, examples=examples), 0)
        np.testing.assert_array_equal(drawn[:, column], drawn[:, 3])
    as_one = replace(examples, groups=("z",) * len(inputs))
    with pytest.raises(DataError, match="1 records that do not belong together leave one of 4"):
        fitted(HOW, examples=as_one)


def test_a_draw_depends_on_own_rows_and_seed_only() -> None:
    changed = MEMBER.copy()
    changed[1] = False
    changed[1, :70] = True
    one, same_rows = (excluded(task(HOW, member=m), 0) for m in (MEMBER, changed))
    np.testing.assert_array_equal(one, same_rows)
    other = excluded(task(HOW, seeds=(5, 6)), 0)
    assert not np.array_equal(one, other)
    counts = excluded(task(recipe(SelfDistilled(10, 3))), 0)[:, :60].sum(axis=1)
    assert counts.min() > 5 and counts.max() < 32


def test_no_last_batch_of_one_is_left_to_batch_norm(fits: Fits) -> None:
    def make() -> torch.nn.Module:
        layers = (torch.nn.Linear(64, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 10))
        return torch.nn.Sequential(*layers)

    fitted(replace(recipe(SelfDistilled(6, 3), epochs=1), batch_size=2), make=make)
    assert not (fits[0][0].sum(axis=1) % 2 == 1).any()


def test_the_student_never_meets_a_label() -> None:
    def relabelled() -> Examples:
        """Wrong labels, but right soft targets: they are what is learnt."""
        return replace(EXAMPLES, labels=(EXAMPLES.labels + 1) % 10)

    taught: list[np.ndarray] = []
    fit = self_distilled.fit_ensemble

    def noting(*given, **named):  # type: ignore[no-untyped-def]
        found = fit(*given, **named)
        if "soft" in named:
            again = fit(*given[:2], (given[2] + 1) % 10, *given[3:], **named)
            taught.append(np.array(same(found, again)))
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(self_distilled, "fit_ensemble", noting)
        fitted(HOW)
    assert taught and all(taught)
    assert not same(fitted(HOW), fitted(HOW, examples=relabelled()))


def test_it_goes_on_from_soft_targets_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: Fits
) -> None:
    per_model = planned(HOW) // 2
    student = 3 * 4
    goes_on(HOW, 2 * (per_model - student) + 5, tmp_path, monkeypatch)
    assert [len(member) for member, _ in fits] == [8, 2, 2, 8, 2]  # the second run: students alone
    assert len([*tmp_path.glob("soft-*.npy")]) == 2 and not [*tmp_path.glob("submodels-*")]


def test_it_goes_on_among_the_submodels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert goes_on(HOW, planned(HOW) // 3, tmp_path, monkeypatch)


def test_models_beside_it_change_nothing_however_many_submodels_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = fitted(HOW)
    assert not same(found, fitted(HOW, seeds=[7, 8]))
    monkeypatch.setattr(self_distilled, "WEIGHTS", 1)
    told: list[int] = []
    assert same(found, fitted(HOW, watch=told.append)) and sum(told) == planned(HOW)
    assert found.stacked and found.about[0]["submodels"] == 4


def test_without_batches_to_spare_it_is_made_of_what_make_makes() -> None:
    assert {*fitted(HOW).states[0]} == {*MAKE().state_dict()}
