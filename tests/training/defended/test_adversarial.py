"""Adversarial regularisation: both sides' updates by hand, the rounds, and going on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training.defended.few import (
    EXAMPLES,
    MAKE,
    MEMBER,
    RESERVE,
    fitted,
    goes_on,
    planned,
    recipe,
    same,
    task,
)

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.training import defended, fitting
from nonmember.training.defended import adversarial, contest
from nonmember.training.defended.attacker import Attacker, told
from nonmember.training.objectives import Adversarial

HOW = recipe(Adversarial(2.0), epochs=2)


def test_the_attacker_has_the_papers_layers_and_narrow_weights() -> None:
    torch.manual_seed(0)
    found = Attacker(7)
    shapes = [tuple(w.shape) for w in found.parameters() if w.dim() == 2]
    answers = [(1024, 7), (512, 1024), (64, 512)]
    both = [(512, 128), (256, 512), (128, 256), (64, 128), (1, 64)]
    assert shapes == [*answers, (128, 7), (64, 128), *both]
    weights = torch.cat([w.detach().flatten() for w in found.parameters() if w.dim() == 2])
    assert float(weights.std()) == pytest.approx(0.01, rel=0.01)
    assert not any(w.any() for w in found.parameters() if w.dim() == 1)
    assert found(torch.rand(3, 14)).shape == (3,)


def test_the_attacker_is_told_probabilities_and_the_true_class() -> None:
    logits = torch.tensor([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(told(logits, torch.tensor([1])), [[0.25, 0.75, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize("gain", ["linear", "log"])
def test_an_answer_descends_on_the_loss_and_the_gain_and_leaves_the_attacker(gain: str) -> None:
    both = contest.begin(task(recipe(Adversarial(2.0, gain))), 0)  # type: ignore[arg-type]
    attacker, network = contest.alone(both.attacker), contest.alone(both.classifier)
    for weight in attacker.parameters():
        weight.data = torch.randn(weight.shape, generator=torch.Generator().manual_seed(3)) / 8
    x, y = both.members.inputs[:4], both.members.labels[:4]
    before = [w.detach().clone().requires_grad_() for w in network.parameters()]
    a, p, b, q, c, r = before
    logits = torch.relu(torch.relu(x @ a.T + p) @ b.T + q) @ c.T + r
    probability = logits.exp() / logits.exp().sum(1, keepdim=True)
    shown = torch.cat([probability, nn.functional.one_hot(y, 10)], 1)
    member = 1 / (1 + (-attacker(shown)).exp())
    gained = (member - 0.5).mean() if gain == "linear" else member.log().mean()
    loss = -probability[range(4), y].log().mean() + 2.0 * gained
    wanted = torch.autograd.grad(loss, before)
    kept = [w.detach().clone() for w in attacker.parameters()]
    contest.answer(both, x, y, plain=False)
    for weight, gradient in zip(network.parameters(), wanted, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)
    assert any(
        w.abs().max() > 1e-6 for w in torch.autograd.grad(_gain_of(both, x, y), before_of(both))
    )
    assert all(map(torch.equal, kept, [w.detach() for w in attacker.parameters()]))
    assert not any(w.grad.any() for w in attacker.parameters() if w.grad is not None)


def _gain_of(both: contest.Contest, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return contest.gain(both, contest.alone(both.classifier)(x), y)


def before_of(both: contest.Contest) -> list[torch.Tensor]:
    return [*contest.alone(both.classifier).parameters()]


def test_an_attack_is_a_squared_error_and_leaves_the_classifier() -> None:
    both = contest.begin(task(HOW), 0)
    attacker, network = contest.alone(both.attacker), contest.alone(both.classifier)
    mine, theirs = torch.tensor([0, 5]), torch.tensor([1, 2, 3])
    sides = ((both.members, mine), (both.reserve, theirs))
    shown = torch.cat(
        [told(network(s.inputs[places]), s.labels[places]).detach() for s, places in sides]
    )
    found = attacker(shown).sigmoid()
    loss = ((found - torch.tensor([1.0, 1, 0, 0, 0])) ** 2).mean()
    wanted = torch.autograd.grad(loss, [*attacker.parameters()])
    kept = [w.detach().clone() for w in network.parameters()]
    contest.attack(both, mine, theirs)
    for weight, gradient in zip(attacker.parameters(), wanted, strict=True):
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-12)
    assert all(map(torch.equal, kept, [w.detach() for w in network.parameters()]))
    assert not any(w.grad.any() for w in network.parameters() if w.grad is not None)


def test_an_attack_is_shown_answers_in_evaluation_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 10), nn.Dropout(0.5))

    both, shown = contest.begin(task(HOW, make=dropping), 0), list[torch.Tensor]()
    network = contest.alone(both.classifier)
    monkeypatch.setattr(contest, "told", lambda *g: shown.append(g[0]) or told(*g))
    contest.attack(both, torch.tensor([0]), torch.tensor([1]))
    inputs = torch.stack([both.members.inputs[0], both.reserve.inputs[1]])
    torch.testing.assert_close(shown[0], network[0](inputs).detach())
    assert network[1].training


def test_rounds_are_counted_as_they_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(adversarial, "attack", lambda *_: done.append("h"))
    monkeypatch.setattr(
        adversarial, "answer", lambda *_, plain: done.append("p" if plain else "f") or 0.0
    )
    adversarial.fit(task(recipe(Adversarial(2.0), epochs=3)), 0, "")
    epoch = "h" * 26 + "ff"  # 60 records in batches of 16: two rounds
    assert "".join(done) == "pppp" + "h" * 20 + (epoch + epoch) * 2
    assert len(done) == defended.updates(recipe(Adversarial(2.0), epochs=3), 60)


def test_the_reserve_is_drawn_to_the_size_of_the_training_set() -> None:
    one, other = (contest.begin(task(HOW), i) for i in (0, 1))
    assert len(one.reserve) == len(one.members) == 60
    assert not torch.equal(one.reserve.inputs, other.reserve.inputs)
    assert len({row.tobytes() for row in one.reserve.inputs.numpy()}) == 60


def test_an_attack_sees_each_record_once_in_a_pass() -> None:
    both = contest.begin(task(HOW), 0)
    stream = adversarial._attacks(both, 1)
    batches = [next(stream) for _ in range(8)]
    for side in (0, 1):
        passes = [torch.cat([one[side] for one in batches[i : i + 4]]) for i in (0, 4)]
        assert [sorted(p.tolist()) for p in passes] == [[*range(60)]] * 2
        assert not torch.equal(*passes)


def test_it_goes_on_from_the_last_epoch_and_from_finished_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adversarial, "ATTACKS", 2)
    first = 4 * 6  # the plain epoch, with the attacker's passes
    second = 4 + 2 * 2
    assert goes_on(HOW, first + 1, tmp_path / "half", monkeypatch) == [first]
    in_the_second = first + second + first + 1
    saved = goes_on(HOW, in_the_second, tmp_path / "later", monkeypatch)
    assert saved == [first + second, first]


def test_half_a_checkpoint_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "ATTACKS", 1)
    whole = task(recipe(Adversarial(2.0), epochs=2), scratch=tmp_path)
    both, _ = contest.resumed(whole, 0, "run", tmp_path)
    adversarial._epoch(both, 0)
    contest.checkpoint(both, "run", [1.5], tmp_path)
    again, losses = contest.resumed(whole, 0, "run", tmp_path)
    assert losses == [1.5] and torch.equal(again.attacker.flat, both.attacker.flat)
    assert contest.resumed(whole, 0, "other", tmp_path)[1] == []
    (tmp_path / "attacker-1.safetensors").unlink()
    fresh, losses = contest.resumed(whole, 0, "run", tmp_path)
    assert losses == [] and not torch.equal(fresh.classifier.flat, both.classifier.flat)


def test_seeds_decide_and_neighbours_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "ATTACKS", 1)
    told_of: list[int] = []
    found = fitted(HOW, watch=told_of.append)
    assert sum(told_of) == planned(HOW)
    alone = fitted(HOW, member=MEMBER[1:], seeds=[1])
    other = fitted(HOW, member=MEMBER[1:], seeds=[2])
    assert all(torch.equal(found.states[1][name], one) for name, one in alone.states[0].items())
    assert not same(alone, other)
    assert found.about == ({"records of the reserve": 60},) * 2


def test_what_it_cannot_do_with_is_refused() -> None:
    few = RESERVE.take(np.arange(59))
    with pytest.raises(DataError, match=r"a reserve of 59 records, .*; give at least 60"):
        fitted(HOW, reserve=few)
    with pytest.raises(SpecError, match="trains with records that are nobody's"):
        fitted(HOW, reserve=None)
    with pytest.raises(DataError, match="example 1 of the reserve is a candidate too, as are 119"):
        fitted(HOW, reserve=EXAMPLES)
    mine, theirs = (
        replace(one, groups=("of both", "apart", *one.groups[2:])) for one in (EXAMPLES, RESERVE)
    )
    theirs = replace(theirs, groups=("of both", "elsewhere", *theirs.groups[2:]))
    said = "example 1 of the reserve is of the group of both, which has candidates too, and 0 other"
    with pytest.raises(DataError, match=said):
        fitted(HOW, examples=mine, reserve=theirs)
    with pytest.raises(SpecError, match="epochs = 1; give at least 2"):
        fitted(recipe(Adversarial(1.0), epochs=1))
    with pytest.raises(SpecError, match="1 different seeds for 2 models"):
        fitted(HOW, seeds=[3, 3])


def test_batch_norm_is_trained_and_gone_on_with_unless_a_batch_is_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 10))

    monkeypatch.setattr(adversarial, "ATTACKS", 1)
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    done: list[int] = []

    def stop(count: int) -> None:
        done.append(count)
        if len(done) > 25:  # the first epoch is over
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(HOW, make=make, scratch=tmp_path, watch=stop)
    assert same(fitted(HOW, make=make, scratch=tmp_path), fitted(HOW, make=make))
    with pytest.raises(SpecError, match="batch_size = 59 leaves a last batch of one record"):
        fitted(replace(HOW, batch_size=59), make=make)


def test_a_loss_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adversarial, "answer", lambda *_, plain: float("nan"))
    monkeypatch.setattr(adversarial, "attack", lambda *_: None)
    with pytest.raises(ModelError, match="model 0 became nan in epoch 1; lower the learning rate"):
        fitted(HOW, make=MAKE)
