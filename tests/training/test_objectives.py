"""Each objective's rule on batches worked by hand, its gradient, and its place in a stacked fit."""

import dataclasses
from functools import partial
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from nonmember.errors import DataError, SpecError
from nonmember.models.nets import cnn, mlp
from nonmember.training import criteria, feeding, fitting, objectives
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import Ensemble, ensemble_logits, fit_ensemble
from nonmember.training.fleet import Make, fresh
from nonmember.training.objectives import (
    Adversarial,
    Distilled,
    EntropySoft,
    Mixup,
    Private,
    RelaxLoss,
    SelfDistilled,
)

N, CLASSES = 90, 3
MAKES: dict[str, Make] = {
    "mlp": partial(mlp, (1, 8, 8), CLASSES, width=12),
    "cnn": partial(cnn, (1, 8, 8), CLASSES, width=4),
}
PLAIN = ClassifierRecipe(epochs=4, batch_size=16, noise=0.1, learning_rate=0.01)
RECIPES = {
    "relaxed": dataclasses.replace(PLAIN, objective=RelaxLoss(0.9)),
    "soft": dataclasses.replace(PLAIN, objective=EntropySoft(0.7, 0.05)),
    "mixed": dataclasses.replace(PLAIN, objective=Mixup(0.5), label_smoothing=0.1),
    "held": dataclasses.replace(PLAIN, hold_back=0.25, learning_rate=0.1),
    "all": dataclasses.replace(PLAIN, hold_back=0.3, objective=Mixup(1.0), flip=True),
}
LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]))
LABELS = torch.tensor([0, 1])
LOSSES = [log(2), log(5)]
ORDINARY = torch.tensor([[-0.5, 0.25, 0.25], [0.2, -0.8, 0.6]])
HALVES = torch.full((2,), 0.5)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Images whose class shows in their brightness."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, N)
    images = random.normal(size=(N, 1, 8, 8)) + labels[:, None, None, None]
    return images.astype(np.float32), labels


def members(m: int) -> np.ndarray:
    return np.random.default_rng(1).random((m, N)) < 0.5


def shares(m: int) -> np.ndarray:
    """Soft targets of each model's own."""
    return np.random.default_rng(2).dirichlet(np.ones(CLASSES), (m, N)).astype(np.float32)


def normalised() -> nn.Module:
    return nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU()),
        nn.Linear(8, CLASSES),
    )


def same(one: Ensemble, i: int, other: Ensemble, j: int) -> bool:
    a, b = one.states[i], other.states[j]
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def of_batch(
    how: RelaxLoss, epoch: int, m: int = 1, weights: torch.Tensor = HALVES
) -> torch.Tensor:
    return criteria.relaxed(LOGITS, LABELS, weights, how, epoch=epoch, m=m)[1]


def test_relaxloss_turns_the_gradient_of_a_batch_below_its_level() -> None:
    mean = sum(LOSSES) / 2  # 1.151 nats
    assert criteria.means(torch.tensor(LOSSES), HALVES, 1).tolist() == pytest.approx([mean])
    found, _ = criteria.relaxed(LOGITS, LABELS, HALVES, RelaxLoss(1.0), epoch=0, m=1)
    assert found.tolist() == pytest.approx(LOSSES)
    torch.testing.assert_close(of_batch(RelaxLoss(1.1), 0), ORDINARY)
    torch.testing.assert_close(of_batch(RelaxLoss(1.2), 0), -ORDINARY)
    torch.testing.assert_close(of_batch(RelaxLoss(1.1), 1), ORDINARY)


def test_relaxloss_flattens_the_outputs_of_a_batch_below_its_level_in_odd_epochs() -> None:
    """The first is right: only its loss is climbed; the second learns (.4, .2, .4) as well."""
    expected = -ORDINARY + torch.tensor([[0.0, 0.0, 0.0], [-0.2, 0.0, 0.2]])
    torch.testing.assert_close(of_batch(RelaxLoss(1.2, detach=True), 1), expected)
    capped = -ORDINARY + torch.tensor([[0.0, 0.0, 0.0], [0.2 - 0.45, 0.2 - 0.1, 0.6 - 0.45]])
    for detach in (False, True):
        torch.testing.assert_close(of_batch(RelaxLoss(1.2, 0.1, detach), 1), capped)


def test_relaxloss_decides_for_each_model_by_its_own_batch() -> None:
    """One record each, of .693 and 1.609 nats."""
    signs = torch.tensor([[-1.0], [1.0]])
    torch.testing.assert_close(of_batch(RelaxLoss(1.0), 0, 2, torch.ones(2)), signs * ORDINARY)
    torch.testing.assert_close(of_batch(RelaxLoss(1.0), 1, 2, torch.ones(2)), signs * ORDINARY)


def test_a_record_that_only_fills_up_decides_nothing() -> None:
    weights = torch.tensor([1.0, 0.0])
    torch.testing.assert_close(of_batch(RelaxLoss(1.0), 0, 1, weights)[0], -ORDINARY[0])


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("level", [0.5, 3.0])
@pytest.mark.parametrize("how", [{}, {"upper": 0.3}, {"detach": True}])
def test_relaxloss_is_the_gradient_of_the_papers_formula(epoch, level, how) -> None:
    random = np.random.default_rng(3)
    logits = torch.tensor(random.normal(size=(20, 5)), requires_grad=True)
    labels, weights = torch.tensor(random.integers(0, 5, 20)), torch.full((20,), 1 / 20)
    objective = RelaxLoss(level, **how)
    given = logits.detach()
    _, gradient = criteria.relaxed(given, labels, weights.double(), objective, epoch=epoch, m=1)
    mean = functional.cross_entropy(logits, labels)
    if epoch == 0:
        loss = (mean - level).abs()
    elif mean > level:
        loss = mean
    else:
        own = logits.softmax(1).gather(1, labels[:, None]).clamp(0, objective.upper)
        own = own.detach() if objective.detach else own
        flat = ((1 - own) / 4).expand(-1, 5).scatter(1, labels[:, None], own)
        wrong = (logits.argmax(1) != labels).double()
        to_flat = -(flat * logits.log_softmax(1)).sum(1)
        loss = (wrong * to_flat - functional.cross_entropy(logits, labels, reduction="none")).mean()
    loss.backward()
    torch.testing.assert_close(gradient / 20, logits.grad)


@pytest.mark.parametrize(
    ("classes", "gamma", "p"), [(10, 0.8, 0.4766), (100, 0.8, 0.3374), (10, 0.95, 0.2698)]
)
def test_hamps_labels_have_the_entropy_that_is_asked_for(classes, gamma, p) -> None:
    found = criteria.certainty(gamma, classes)
    assert found == pytest.approx(p, abs=5e-5)
    label = np.array([found, *[(1 - found) / (classes - 1)] * (classes - 1)])
    assert -(label * np.log(label)).sum() == pytest.approx(gamma * log(classes), rel=1e-9)


def test_hamp_without_entropy_is_the_label_itself() -> None:
    assert criteria.certainty(0.0, 10) == 1.0
    losses, gradient = criteria.entropy_soft(LOGITS, LABELS, EntropySoft(0.0, 0.0))
    assert losses.tolist() == pytest.approx(LOSSES)
    torch.testing.assert_close(gradient, ORDINARY)


def test_hamp_by_hand() -> None:
    """At uniform outputs the divergence is (1 - gamma) ln c, and their entropy all of ln c."""
    even = torch.zeros(1, 4)
    losses, gradient = criteria.entropy_soft(even, torch.tensor([2]), EntropySoft(0.75, 0.1))
    assert losses.tolist() == pytest.approx([(0.25 - 0.1) * log(4)])
    p = criteria.certainty(0.75, 4)
    rest = 0.25 - (1 - p) / 3
    torch.testing.assert_close(gradient, torch.tensor([[rest, rest, 0.25 - p, rest]]))


def test_hamp_is_the_gradient_of_the_papers_formula() -> None:
    random = np.random.default_rng(4)
    logits = torch.tensor(random.normal(size=(20, 5)), requires_grad=True)
    labels, p = torch.tensor(random.integers(0, 5, 20)), criteria.certainty(0.6, 5)
    losses, gradient = criteria.entropy_soft(logits.detach(), labels, EntropySoft(0.6, 0.2))
    soft = torch.full((20, 5), (1 - p) / 4).double().scatter(1, labels[:, None], p)
    likely = logits.log_softmax(1)
    divergence = functional.kl_div(likely, soft, reduction="none").sum(1)
    expected = divergence + 0.2 * (likely.exp() * likely).sum(1)
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-6, atol=1e-7)
    expected.sum().backward()
    torch.testing.assert_close(gradient, logits.grad, rtol=1e-6, atol=1e-7)


def test_mixup_costs_both_labels_by_their_weights() -> None:
    weights, others = torch.tensor([0.25, 1.0]), torch.tensor([1, 0])
    losses, gradient = criteria.mixed(LOGITS, LABELS, others, weights, 0.0)
    assert losses.tolist() == pytest.approx([0.25 * log(2) + 0.75 * log(4), log(5)])
    mixed = torch.tensor([[0.25, 0.75, 0.0], [0.0, 1.0, 0.0]])
    torch.testing.assert_close(gradient, LOGITS.exp() - mixed)
    once, _ = criteria.mixed(LOGITS, LABELS, LABELS, weights, 0.2)
    plain, _ = criteria.cross_entropy(LOGITS, LABELS, 0.2)
    torch.testing.assert_close(once, plain)


def test_mixup_pairs_records_of_one_model_and_leaves_what_fills_up() -> None:
    feeds = [feeding.feed(np.arange(8), seed) for seed in (0, 1)]
    weights = torch.tensor([*[1 / 6] * 6, 0.0, 0.0, *[1 / 3] * 3, *[0.0] * 5])
    others, first = feeding.paired(feeds, weights, 1.0)
    apart, own = others.view(2, 8), first.view(2, 8)
    assert sorted(apart[0, :6].tolist()) == [*range(6)]
    assert sorted(apart[1, :3].tolist()) == [8, 9, 10]
    assert apart[0, 6:].tolist() == [6, 7] and apart[1, 3:].tolist() == [*range(11, 16)]
    assert (own[0, 6:] == 1).all() and (own[1, 3:] == 1).all()
    assert len({*own[0, :6].tolist()}) == len({*own[1, :3].tolist()}) == 1
    assert 0 < own[0, 0] < 1 and own[0, 0] != own[1, 0]
    alone, weight = feeding.paired([feeding.feed(np.arange(8), 1)], weights[8:], 1.0)
    assert (alone + 8).tolist() == apart[1].tolist() and weight.tolist() == own[1].tolist()


def test_mixups_weights_are_of_a_beta_distribution() -> None:
    feeds, weights = [feeding.feed(np.arange(1), 0)], torch.ones(1)
    drawn = np.array([float(feeding.paired(feeds, weights, 0.5)[1]) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.var() == pytest.approx(1 / 8, rel=0.05)


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_model_is_bitwise_the_same_whoever_is_trained_beside_it(data, name, recipe) -> None:
    member, how = members(5), RECIPES[recipe]
    whole = fit_ensemble(MAKES[name], *data, member, how, seeds=range(5))
    assert whole.stacked
    for chosen in ([0], [3, 1], [4, 3, 2]):
        part = fit_ensemble(MAKES[name], *data, member[chosen], how, seeds=chosen)
        assert all(same(part, k, whole, i) for k, i in enumerate(chosen))
        assert (part.losses == whole.losses[chosen]).all()
        assert part.about == tuple(whole.about[i] for i in chosen)


def test_soft_targets_are_each_models_own(data) -> None:
    member, soft = members(4), shares(4)
    whole = fit_ensemble(MAKES["mlp"], *data, member, PLAIN, seeds=range(4), soft=soft)
    for i in (2, 0):
        own = soft[[i]]
        part = fit_ensemble(MAKES["mlp"], *data, member[[i]], PLAIN, seeds=[i], soft=own)
        assert same(part, 0, whole, i)
    other = np.where(member[:, :, None], soft, np.nan).astype(np.float32)
    other[1] = soft[2]
    changed = fit_ensemble(MAKES["mlp"], *data, member, PLAIN, seeds=range(4), soft=other)
    assert same(changed, 0, whole, 0) and not same(changed, 1, whole, 1)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_targets_that_are_labels_train_as_labels_do(data, smoothing) -> None:
    member, soft = members(2), np.eye(CLASSES, dtype=np.float32)[data[1]]
    how = dataclasses.replace(PLAIN, label_smoothing=smoothing)
    hard = fit_ensemble(MAKES["mlp"], *data, member, how, seeds=[0, 1])
    found = fit_ensemble(
        MAKES["mlp"], *data, member, how, seeds=[0, 1], soft=np.stack([soft, soft])
    )
    np.testing.assert_allclose(found.losses, hard.losses, rtol=1e-4)


@pytest.mark.parametrize("recipe", ["relaxed", "soft", "mixed"])
def test_stacked_equals_a_plain_loop_over_the_papers_formulas(data, recipe) -> None:
    inputs, labels = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    how = dataclasses.replace(RECIPES[recipe], noise=0.0, schedule="constant", epochs=2)
    member = members(2)
    found = fit_ensemble(MAKES["mlp"], *data, member, how, seeds=[5, 6])
    for i, seed in enumerate([5, 6]):
        net, one = fresh(MAKES["mlp"], seed), feeding.feed(np.flatnonzero(member[i]), seed)
        optimiser = torch.optim.Adam(net.parameters(), lr=how.learning_rate)
        for epoch in range(2):
            for places in torch.from_numpy(one.order.permutation(one.rows)).split(16):
                x, y = inputs[places], labels[places]
                loss = formula(net, x, y, how, one, epoch)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        for key, value in net.state_dict().items():
            torch.testing.assert_close(found.states[i][key], value, rtol=2e-3, atol=1e-4)


def formula(net, x, y, how: ClassifierRecipe, one: feeding.Feed, epoch: int) -> torch.Tensor:
    entropy = partial(functional.cross_entropy, label_smoothing=how.label_smoothing)
    objective = how.objective
    if isinstance(objective, Mixup):
        drawn = np.random.Generator(one.changes)
        lam, other = drawn.beta(objective.alpha, objective.alpha), drawn.permutation(len(x))
        logits = net(lam * x + (1 - lam) * x[other])
        return lam * entropy(logits, y) + (1 - lam) * entropy(logits, y[other])
    logits = net(x)
    likely = logits.log_softmax(1)
    if isinstance(objective, EntropySoft):
        p = criteria.certainty(objective.gamma, CLASSES)
        soft = torch.full_like(likely, (1 - p) / (CLASSES - 1)).scatter(1, y[:, None], p)
        divergence = functional.kl_div(likely, soft, reduction="batchmean")
        return divergence + objective.alpha * (likely.exp() * likely).sum(1).mean()
    loss = entropy(logits, y)
    if epoch % 2 == 0:
        return (loss - objective.level).abs()
    own = likely.exp().gather(1, y[:, None])
    flat = ((1 - own) / (CLASSES - 1)).expand_as(likely).scatter(1, y[:, None], own)
    wrong = (logits.argmax(1) != y).float()
    low = (-wrong * (flat * likely).sum(1)).mean() - loss
    return loss if loss > objective.level else low


@pytest.mark.parametrize("make", [MAKES["cnn"], normalised])
@pytest.mark.parametrize("recipe", RECIPES)
def test_an_interrupted_run_ends_with_the_same_numbers(
    data, make, recipe, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    member, how = members(2), RECIPES[recipe]
    run = partial(fit_ensemble, make, *data, member, how, seeds=[0, 1])
    whole, told = run(), []

    def interrupt(done: int) -> None:
        told.append(done)
        if len(told) == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(scratch=tmp_path, watch=interrupt)
    resumed = run(scratch=tmp_path)
    assert all(same(resumed, i, whole, i) for i in range(2))
    assert (resumed.losses == whole.losses).all() and resumed.about == whole.about


def test_relaxloss_ends_about_its_level_and_tells_of_its_ascents(data) -> None:
    how = ClassifierRecipe(epochs=40, batch_size=16, learning_rate=0.01, schedule="constant")
    member = members(3)
    plain = fit_ensemble(MAKES["mlp"], *data, member, how, seeds=range(3))
    relaxed = dataclasses.replace(how, objective=RelaxLoss(0.4))
    found = fit_ensemble(MAKES["mlp"], *data, member, relaxed, seeds=range(3))
    assert (plain.losses[:, -1] < 0.05).all()
    assert (abs(found.losses[:, -8:].mean(1) - 0.4) < 0.15).all()
    shares = [one["share of batches at or below the level"] for one in found.about]
    assert all(0.2 < share < 0.8 for share in shares)


def test_hamp_makes_answers_less_sure(data) -> None:
    how = ClassifierRecipe(epochs=40, batch_size=16, learning_rate=0.01)
    member, sure = members(2), []
    for objective in (None, EntropySoft(0.8, 0.0), EntropySoft(0.8, 1.0)):
        fitted = fit_ensemble(
            MAKES["mlp"],
            *data,
            member,
            dataclasses.replace(how, objective=objective),
            seeds=[0, 1],
        )
        logits = torch.from_numpy(ensemble_logits(MAKES["mlp"], fitted.states, data[0]))
        sure.append(float(logits.softmax(-1).amax(-1)[torch.from_numpy(member)].mean()))
    assert sure[0] > 0.9 > sure[1] > sure[2] + 0.02
    assert sure[1] == pytest.approx(criteria.certainty(0.8, CLASSES), abs=0.05)


@pytest.mark.parametrize("make", [MAKES["mlp"], normalised])
def test_the_weights_of_the_best_epoch_are_the_result(data, make) -> None:
    """As a run of that many epochs leaves them, where no schedule looks ahead."""
    how = dataclasses.replace(
        PLAIN, epochs=8, learning_rate=0.05, schedule="constant", hold_back=0.3
    )
    member = members(3)
    found = fit_ensemble(make, *data, member, how, seeds=range(3))
    for i, told in enumerate(found.about):
        count = int(member[i].sum())
        assert told["records held back"] == count - how.trained(count) == int(0.3 * count)
        short = dataclasses.replace(how, epochs=told["epoch kept"])
        again = fit_ensemble(make, *data, member[[i]], short, seeds=[i])
        assert same(again, 0, found, i)
        held = feeding.held_back(np.flatnonzero(member[i]), i, how)
        logits = ensemble_logits(make, [found.states[i]], data[0][held])[0]
        loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(data[1][held]))
        told_loss = told["cross-entropy of those held back, nats"]
        assert told_loss == pytest.approx(float(loss), rel=1e-4)
    assert min(one["epoch kept"] for one in found.about) < 8


def test_what_is_held_back_is_never_trained_on(data) -> None:
    """Its pixels may be anything, as long as the last epoch stays the best one."""
    how = dataclasses.replace(PLAIN, epochs=1, hold_back=0.5)
    member = members(1)
    held = feeding.held_back(np.flatnonzero(member[0]), 3, how)
    assert member[0][held].all() and 0 < len(held) < member[0].sum()
    assert (held == feeding.held_back(np.flatnonzero(member[0]), 3, how)).all()
    images = data[0].copy()
    images[held] = 7
    found = fit_ensemble(MAKES["mlp"], *data, member, how, seeds=[3])
    assert same(found, 0, fit_ensemble(MAKES["mlp"], images, data[1], member, how, seeds=[3]), 0)


def test_without_an_objective_nothing_is_held_back_or_told(data) -> None:
    assert objectives.stackable(PLAIN) and not objectives.needs_reserve(PLAIN)
    assert PLAIN.trained(17) == 17 and len(feeding.held_back(np.arange(9), 0, PLAIN)) == 0
    found = fit_ensemble(MAKES["mlp"], *data, members(2), PLAIN, seeds=[0, 1])
    assert found.about == ({}, {})


@pytest.mark.parametrize(
    ("objective", "reserve", "stacked"),
    [
        (RelaxLoss(0.1), False, True),
        (EntropySoft(0.8, 0.01), False, True),
        (Mixup(), False, True),
        (Mixup(mmd=3.0), True, False),
        (Adversarial(6.0), True, False),
        (SelfDistilled(), False, False),
        (Distilled(), True, False),
        (Private(8.0), False, False),
    ],
)
def test_who_trains_for_an_objective_and_with_what(data, objective, reserve, stacked) -> None:
    how = ClassifierRecipe(epochs=1, objective=objective)
    assert objectives.needs_reserve(how) == reserve
    assert objectives.stackable(how) == stacked
    if not stacked:
        with pytest.raises(SpecError, match=rf"objective {type(objective).__name__} is not one"):
            fit_ensemble(MAKES["mlp"], *data, members(1), how, seeds=[0])


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (RelaxLoss, {"level": -0.1}),
        (RelaxLoss, {"level": 0.1, "upper": 0.0}),
        (EntropySoft, {"gamma": 1.0, "alpha": 0.0}),
        (EntropySoft, {"gamma": 0.5, "alpha": -1.0}),
        (Mixup, {"alpha": 0.0}),
        (Mixup, {"mmd": -1.0}),
        (Mixup, {"gap": 1.5}),
        (Mixup, {"sigma": 0.0}),
        (Adversarial, {"alpha": float("nan")}),
        (SelfDistilled, {"k": 1}),
        (SelfDistilled, {"l": 25}),
        (Distilled, {"temperature": 0.0}),
        (Distilled, {"share": 1.1}),
        (Private, {"epsilon": 0.0}),
        (Private, {"epsilon": 8.0, "delta": 1.0}),
        (Private, {"epsilon": 8.0, "clip": float("inf")}),
    ],
)
def test_nonsense_is_refused_with_what_to_give(kind, values) -> None:
    with pytest.raises(SpecError, match=rf"^objective {kind.__name__}: .* = .*; give "):
        kind(**values)


def test_bad_targets_are_refused_before_training(data) -> None:
    fit = partial(fit_ensemble, MAKES["mlp"], *data, members(2), seeds=[0, 1])
    with pytest.raises(DataError, match="give each model a distribution"):
        fit(PLAIN, soft=shares(3))
    with pytest.raises(DataError, match="no distribution"):
        fit(PLAIN, soft=2 * shares(2))
    with pytest.raises(SpecError, match="not one with soft targets"):
        fit(RECIPES["mixed"], soft=shares(2))
    few = np.zeros((2, N), dtype=bool)
    few[:, 3] = True
    with pytest.raises(SpecError, match="leaves reference model 0 nothing"):
        fit_ensemble(MAKES["mlp"], *data, few, RECIPES["held"], seeds=[0, 1])
