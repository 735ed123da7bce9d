"""Distillation: the reserve alone is learnt, where the teacher is surest, as softly as is asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import softmax
from training.defended.few import (
    EXAMPLES,
    KEPT,
    MEMBER,
    RESERVE,
    fitted,
    goes_on,
    planned,
    recipe,
    same,
)

from nonmember.errors import DataError
from nonmember.training.defended import distilled
from nonmember.training.ensemble import ensemble_logits, fit_ensemble
from nonmember.training.objectives import Distilled

HOW = recipe(Distilled(2.0, 0.5))


def test_the_surest_are_those_of_least_entropy_and_of_equals_the_first() -> None:
    logits = np.log(np.array([[0.5, 0.5], [0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=np.float32))
    np.testing.assert_array_equal(distilled.surest(logits, 1), [False, True, False, False])
    np.testing.assert_array_equal(distilled.surest(logits, 3), [True, True, False, True])
    certain = np.array([[0.0, 900.0], [0.0, 1.0]], dtype=np.float32)
    np.testing.assert_array_equal(distilled.surest(certain, 1), [True, False])


def test_a_student_learns_its_teachers_softened_answers_on_the_reserve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    def noting(*given, **named):  # type: ignore[no-untyped-def]
        calls.append((given, named, fit_ensemble(*given, **named)))
        return calls[-1][2]

    monkeypatch.setattr(distilled, "fit_ensemble", noting)
    found = fitted(replace(HOW, label_smoothing=0.1))
    (teaching, _, teachers), (learning, named, _) = calls
    np.testing.assert_array_equal(teaching[3], MEMBER)
    assert learning[1] is np.asarray(RESERVE.inputs) or (learning[1] == RESERVE.inputs).all()
    logits = ensemble_logits(teaching[0], teachers.states, np.asarray(RESERVE.inputs))
    np.testing.assert_allclose(named["soft"], softmax(logits / 2, axis=2), rtol=1e-5)
    assert learning[3].shape == (2, KEPT) and (learning[3].sum(axis=1) == KEPT // 2).all()
    assert not np.array_equal(*learning[3])
    assert teaching[4].label_smoothing == 0.1 and learning[4].label_smoothing == 0
    assert found.about[0] == {"records of the reserve": KEPT, "of them shown": KEPT // 2}


def test_the_reserves_classes_are_not_looked_at() -> None:
    relabelled = replace(RESERVE, labels=np.zeros_like(RESERVE.labels))
    assert same(fitted(HOW), fitted(HOW, reserve=relabelled))


def test_it_goes_on_among_the_students(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert goes_on(HOW, 24 + 7, tmp_path, monkeypatch)


def test_seeds_decide_and_neighbours_do_not() -> None:
    told: list[int] = []
    found = fitted(HOW, watch=told.append)
    assert sum(told) == planned(HOW) == 2 * 3 * (4 + 3)
    alone = fitted(HOW, member=MEMBER[1:], seeds=[1])
    assert all(torch.equal(found.states[1][name], one) for name, one in alone.states[0].items())
    assert not same(alone, fitted(HOW, member=MEMBER[1:], seeds=[2]))


def test_a_reserve_of_another_form_or_class_is_refused() -> None:
    wide = replace(RESERVE, inputs=np.asarray(RESERVE.inputs).astype(np.float64))
    with pytest.raises(DataError, match=r"a reserve of float64 \(64,\), and candidates of float32"):
        fitted(HOW, reserve=wide)
    beyond = replace(RESERVE, labels=RESERVE.labels + 1)
    with pytest.raises(
        DataError, match="of the reserve is of class 10, and candidates are of 0 to 9"
    ):
        fitted(HOW, reserve=beyond)
    mixed = RESERVE + EXAMPLES.take(np.array([4]))
    with pytest.raises(DataError, match="is a candidate too, as are 0 others"):
        fitted(HOW, reserve=mixed)
