"""Mixup with MMD: the estimate by a double loop, partners of the same class, and its two passes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training.defended.few import (
    KEPT,
    MEMBER,
    RESERVE,
    fitted,
    goes_on,
    planned,
    recipe,
    same,
    task,
)

from nonmember.errors import DataError, SpecError
from nonmember.training.defended import matched
from nonmember.training.ensemble import fit_ensemble
from nonmember.training.objectives import Mixup

HOW = recipe(Mixup(mmd=3.0, gap=0.0))


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_discrepancy_is_that_of_a_double_loop(sigma: float) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.dirichlet(np.ones(4), 5), rng.dirichlet(np.ones(4), 3)

    def kernel(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.exp(-sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) / (2 * sigma**2)))

    wanted = 0.0
    for left, right, sign in ((ours, ours, 1), (theirs, theirs, 1), (ours, theirs, -2)):
        wanted += sign * sum(kernel(p, q) for p in left for q in right) / len(left) / len(right)
    found = matched.squared_discrepancy(torch.tensor(ours), torch.tensor(theirs), sigma)
    assert float(found) == pytest.approx(wanted, rel=1e-9)
    alike = matched.squared_discrepancy(torch.tensor(ours), torch.tensor(ours), sigma)
    assert float(alike) == pytest.approx(0, abs=1e-12)


def test_partners_are_of_the_same_class_and_all_of_it() -> None:
    labels = torch.tensor([2, 0, 2, 5] * 50)
    reserve = torch.tensor([0, 2, 5, 2, 0, 2])
    found = matched.of_the_same_class(labels, reserve, np.random.default_rng(0))
    assert torch.equal(reserve[found], labels)
    assert {*found[labels == 2].tolist()} == {1, 3, 5} and {*found[labels == 0].tolist()} == {0, 4}


def test_the_second_pass_moves_our_side_only() -> None:
    one = matched._begin(task(HOW), 0)
    places, partners = torch.arange(8), torch.arange(8, 16)
    before = [w.detach().clone().requires_grad_() for w in one.network.parameters()]
    a, p, b, q, c, r = before

    def probabilities(x: torch.Tensor) -> torch.Tensor:
        return (torch.relu(torch.relu(x @ a.T + p) @ b.T + q) @ c.T + r).softmax(1)

    theirs = probabilities(one.reserve.inputs[partners]).detach()
    ours = probabilities(one.members.inputs[places])
    wanted = torch.autograd.grad(3 * matched.squared_discrepancy(ours, theirs, 1.0), before)
    matched._draw_together(one, places, partners)
    for weight, gradient in zip(one.network.parameters(), wanted, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-7)


def test_a_pass_is_made_where_accuracies_are_apart_and_never_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how = recipe(Mixup(mmd=3.0, gap=0.03), epochs=5)
    gaps = iter([0.04, 0.02, 0.03, -0.5])
    answers = iter([1.0, 0.0] * 9)
    monkeypatch.setattr(
        matched, "accuracy", lambda *_: 0.5 + (next(gaps) if next(answers) else 0.0)
    )
    made: list[int] = []
    monkeypatch.setattr(matched, "_draw_together", lambda *_: made.append(1))
    told: list[int] = []
    found = matched.fit(task(how, watch=told.append), 0, "")
    assert found.about == {"records of the reserve": KEPT, "epochs with a matching pass": 2}
    assert len(made) == 8 and sum(told) == matched.updates(how, 60) == 9 * 4


def test_accuracy_is_the_share_of_hits() -> None:
    one = matched._begin(task(HOW), 0)
    with torch.no_grad():
        hits = one.network(one.members.inputs).argmax(1) == one.members.labels
    assert matched.accuracy(one.network, one.members) == pytest.approx(float(hits.float().mean()))


def test_without_a_matching_pass_it_learns_as_mixup_does() -> None:
    how = recipe(Mixup(mmd=3.0, gap=1.0), epochs=8)
    mine = fitted(how)
    plain = replace(how, objective=Mixup())
    data = (np.asarray(task(how).examples.inputs), task(how).examples.labels)
    stacked = fit_ensemble(task(how).make, *data, MEMBER, plain, seeds=[0, 1])
    np.testing.assert_allclose(mine.losses[:, 0], stacked.losses[:, 0], rtol=0.1)
    np.testing.assert_allclose(mine.losses[:, -1], stacked.losses[:, -1], rtol=0.15)


def test_it_goes_on_from_the_last_epoch_and_from_finished_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert goes_on(HOW, 9, tmp_path / "half", monkeypatch) == [8]
    assert goes_on(HOW, 20 + 17, tmp_path / "later", monkeypatch) == [20, 16]


def test_seeds_decide_and_neighbours_do_not() -> None:
    told: list[int] = []
    found = fitted(HOW, watch=told.append)
    assert sum(told) == planned(HOW)
    alone = fitted(HOW, member=MEMBER[1:], seeds=[1])
    assert all(torch.equal(found.states[1][name], one) for name, one in alone.states[0].items())
    assert not same(alone, fitted(HOW, member=MEMBER[1:], seeds=[2]))


def test_what_it_cannot_do_with_is_refused() -> None:
    without = RESERVE.take(np.flatnonzero(RESERVE.labels != 3))
    with pytest.raises(DataError, match="no record of class 3"):
        fitted(HOW, reserve=without)
    with pytest.raises(SpecError, match=r"hold_back = 0.1; give 0 with Mixup"):
        fitted(replace(HOW, hold_back=0.1))
