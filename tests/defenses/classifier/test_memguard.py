"""MemGuard's network and noise: by hand, against torch, and against one row at a time."""

import numpy as np
import pytest
import torch
from signals.classifiers import Linear, images, linear

from nonmember.data import examples
from nonmember.defenses.classifier import memguard_noise
from nonmember.defenses.classifier.answers import softmax
from nonmember.defenses.classifier.membership_net import forward, slopes, train
from nonmember.defenses.classifier.memguard import Guarded, memguard
from nonmember.errors import DataError, ModelError
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.keyed import Span

SECRET = b"s" * 32
RANGE = Span(0.0, 255.0)  # so that whole numbers are apart
IDENTITY = Linear(np.eye(4), np.zeros(4))


def one_layer(*weights, bias=0.0):
    return ((np.array(weights, dtype=float)[:, None], np.array([bias])),)


def told(net, logits):
    return forward(net, -np.sort(-softmax(logits), axis=1))[0]


@pytest.fixture(scope="module")
def calibration():
    """Members are answered with larger logits than others."""
    rng = np.random.default_rng(0)
    sides = [rng.normal(0, scale, (200, 4)).astype(np.float32) for scale in (4, 1)]
    members, others = (examples.of(side, side.argmax(axis=1)) for side in sides)
    return Calibration(members, others, others, SECRET)


@pytest.fixture(scope="module")
def guarded(calibration):
    return memguard(IDENTITY, calibration, epochs=60, learning_rate=0.1)


@pytest.fixture(scope="module")
def queries():
    rng = np.random.default_rng(1)
    return np.concatenate([rng.normal(0, s, (20, 4)) for s in (4, 1)]).astype(np.float32)


def test_noise_by_hand():
    # The network says member where the first probability is above 0.6; of two classes the slope
    # along a logit is p (1 - p) either way, so that every step is 0.1 along (1, -1) / sqrt(2).
    net = one_layer(1.0, 0.0, bias=-0.6)
    sure = np.array([[1.0, 0.0]])  # p = 0.731, to fall to log odds of log 1.5 = 0.4055
    steps = np.ceil((1 - np.log(1.5)) / (0.1 * np.sqrt(2)))
    shift = 0.1 * steps / np.sqrt(2)
    np.testing.assert_allclose(memguard_noise.noisy(net, sure), sure + shift * np.array([-1, 1]))
    unsure = np.array([[0.0, 0.1]])  # log odds 0.1 of the second, to rise to 0.4055
    steps = np.ceil((np.log(1.5) - 0.1) / (0.1 * np.sqrt(2)))
    shift = 0.1 * steps / np.sqrt(2)
    np.testing.assert_allclose(
        memguard_noise.noisy(net, unsure), unsure + shift * np.array([-1, 1])
    )


def test_an_answer_that_cannot_be_turned_is_given_as_it_is():
    given = np.array([[3.0, 1.0, -1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(memguard_noise.noisy(one_layer(0, 0, 0, bias=1.0), given), given)
    always_member = one_layer(1.0, 0.0, 0.0, bias=-0.1)  # the largest of three is 1/3 or more
    np.testing.assert_array_equal(memguard_noise.noisy(always_member, given), given)
    undecided = one_layer(0.0, 0.0, 0.0)
    np.testing.assert_array_equal(memguard_noise.noisy(undecided, given), given)


def test_slopes_are_those_of_torch():
    rng = np.random.default_rng(2)
    net = tuple((rng.normal(size=s), rng.normal(size=s[1])) for s in ((5, 7), (7, 6), (6, 1)))
    ranked, seen = rng.normal(size=(9, 5)), rng.normal(size=9)
    parts = [[torch.tensor(part, requires_grad=True) for part in layer] for layer in net]
    given = torch.tensor(ranked, requires_grad=True)
    said = torch_said(parts, given)
    (said * torch.tensor(seen)).sum().backward()
    found, hidden = forward(net, ranked)
    np.testing.assert_allclose(found, said.detach().numpy())
    *layers, ranks = slopes(net, hidden, seen)
    np.testing.assert_allclose(ranks, given.grad.numpy(), atol=1e-12)
    for (weight, bias), inputs, slope in zip(parts[::-1], hidden[::-1], layers, strict=True):
        np.testing.assert_allclose(inputs.T @ slope, weight.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(slope.sum(axis=0), bias.grad.numpy(), atol=1e-12)


def torch_said(parts, given):
    for weight, bias in parts[:-1]:
        given = torch.relu(given @ weight + bias)
    weight, bias = parts[-1]
    return (given @ weight + bias)[..., 0]


def slowly(net, z):
    """One row, as in the paper: e moves until h turns, for ever larger weights of the change."""
    parts = [[torch.tensor(part) for part in layer] for layer in net]
    z = torch.tensor(z)
    label, odds = int(z.argmax()), z.softmax(0)

    def h(e):
        return torch_said(parts, e.softmax(0).sort(descending=True).values[None])[0]

    best, side = z.clone(), float(h(z))
    for power in range(-1, 6):
        e = z.clone()
        for step in range(301):
            arrived = int(e.argmax()) == label and float(h(e)) * side <= 0
            if arrived or step == 300:
                break
            e.requires_grad_(True)
            lost = max(e[j] for j in range(len(z)) if j != label) - e[label]
            change = (e.softmax(0) - odds).abs().sum()
            (h(e).abs() + 10 * torch.relu(lost) + 10.0**power * change).backward()
            e = (e - 0.1 * e.grad / e.grad.norm()).detach()
        if not arrived:
            return best.numpy()
        best = e
    return best.numpy()


def test_noise_equals_the_loop_over_single_answers(guarded, queries):
    wide = queries.astype(np.float64)[15:25]
    expected = np.stack([slowly(guarded.net, row) for row in wide])
    assert (np.abs(expected - wide).max(axis=1) > 0).sum() > 5
    np.testing.assert_allclose(memguard_noise.noisy(guarded.net, wide), expected, atol=1e-9)


def test_a_label_that_is_lost_on_the_way_is_brought_back():
    close = one_layer(1.0, -1.0, 0.0, bias=-0.02)  # turned where two classes are next to alike
    given = np.random.default_rng(0).normal(0, 1.5, (40, 3))[[11, 14, 37]]
    expected = np.stack([slowly(close, row) for row in given])
    np.testing.assert_allclose(memguard_noise.noisy(close, given), expected, atol=1e-9)
    assert (expected != given).any()


def test_an_answer_is_given_as_it_is_when_300_steps_have_not_turned_it():
    # Beyond log odds of 36.7, where 1 - p rounds to 0, a step takes 0.1 off them, and below
    # 0.1 sqrt(2), down to log 1.5: 43 and 257 steps from 41.
    far = np.array([[41.0, 0.0], [41.05, 0.0]])
    found = memguard_noise.noisy(one_layer(1.0, 0.0, bias=-0.6), far)
    np.testing.assert_array_equal((found != far).any(axis=1), [True, False])


def test_the_network_learns_and_is_turned(guarded, calibration, queries):
    sides = (told(guarded.net, part.inputs) for part in (calibration.members, calibration.public))
    assert np.mean([(next(sides) > 0).mean(), (next(sides) < 0).mean()]) > 0.7
    found = guarded.logits(queries)
    np.testing.assert_array_equal(found.argmax(axis=1), queries.argmax(axis=1))
    turned = told(guarded.net, queries) * told(guarded.net, found) <= 1e-6
    assert turned.mean() > 0.8
    np.testing.assert_array_equal(found[~turned], queries[~turned])


def test_training_weighs_both_sides_alike():
    rng = np.random.default_rng(3)
    ranked = -np.sort(-softmax(np.zeros((120, 3)) + 0.01 * rng.normal(size=(120, 3))), axis=1)
    member = np.arange(120) < 100
    net = train(ranked, member, epochs=20, learning_rate=0.1, seed=0)
    assert np.abs(forward(net, ranked)[0]).max() < 0.4  # log 5 is what their numbers would say


def test_it_is_fitted_once_and_by_its_options(calibration):
    kept = {}

    def remember(name, make):
        return kept.setdefault(name, make())

    once = Calibration(
        calibration.members, calibration.non_members, calibration.public, SECRET, remember
    )
    first = memguard(IDENTITY, once, epochs=1)
    assert memguard(IDENTITY, once, epochs=1, budget=0.5).net[0][0] is first.net[0][0]
    for options in ({"epochs": 2}, {"epochs": 1, "learning_rate": 0.5}, {"epochs": 1, "seed": 1}):
        other = memguard(IDENTITY, once, **options)
        assert np.abs(other.net[0][0] - first.net[0][0]).max() > 0
    assert len(kept) == 4


def test_a_budget_holds_in_the_mean_over_draws():
    """Of one answer; a column of the inputs that the classifier is blind to makes them differ."""
    blind = Linear(np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros(2))
    given = np.stack([np.ones(600), np.arange(600)], axis=1).astype(np.float32)
    net, own = one_layer(1.0, 0.0, bias=-0.6), softmax(blind.logits(given))

    def changes(budget, secret=SECRET):
        found = Guarded(blind, net, budget, secret, RANGE).logits(given)
        return np.abs(softmax(found) - own).sum(axis=1)

    full = changes(None)
    assert full.min() == pytest.approx(full.max()) and full[0] > 0.2
    budget = full[0] / 4
    some = changes(budget)
    np.testing.assert_allclose(some[some > 0], full[0])
    assert some.mean() == pytest.approx(budget, abs=4 * full[0] * np.sqrt(3 / 16 / 600))
    assert 0.15 < (changes(budget, b"t" * 32)[some > 0] > 0).mean() < 0.35
    np.testing.assert_array_equal(changes(full[0] * 1.01), full)
    assert not changes(0.0).any()


def test_an_input_that_is_moved_by_less_than_a_step_keeps_its_draw(calibration):
    made = memguard(IDENTITY, calibration, epochs=1, budget=0.5)
    sides = np.concatenate([calibration.members.inputs, calibration.non_members.inputs])
    np.testing.assert_array_equal(made.span.low, sides.min(axis=0))
    np.testing.assert_array_equal(made.span.high, sides.max(axis=0))
    step = (made.span.high - made.span.low) / 255
    given = (made.span.low + 100 * step)[None].repeat(50, axis=0)
    own, noisy = np.zeros((50, 2)), np.tile([1.0, -1.0], (50, 1))

    def spent(inputs):
        return made._spent(inputs.astype(np.float32), own, noisy)

    near = given + np.linspace(-0.4, 0.4, 50)[:, None] * step
    assert len(np.unique(spent(near))) == 1
    assert len(np.unique(spent(given + np.arange(50)[:, None] * step))) == 2
    assert memguard(IDENTITY, calibration, epochs=1).span is None


def test_extreme_answers_stay_finite(guarded):
    given = np.array([[1e4, -1e4, 0, 0], [-1e4, 1e4, 1e4, -1e4], [0, 0, 0, 0]], dtype=np.float32)
    found = guarded.logits(given)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found.argmax(axis=1), given.argmax(axis=1))


def test_refusals(calibration):
    empty = calibration.members.take(np.arange(0))
    with pytest.raises(DataError, match=r"memguard: calibration\.members is empty"):
        memguard(IDENTITY, Calibration(empty, calibration.non_members, empty, SECRET))
    few = Calibration(images(), images(), images(), SECRET)
    with pytest.raises(DataError, match="label 2 and the classifier the classes 0 to 1"):
        memguard(linear(36, classes=2), few)
    with pytest.raises(ModelError, match="came apart"):
        memguard(IDENTITY, calibration, learning_rate=1e300, epochs=5)
    texts = type("T", (), {"classes": 4, "logits": lambda _, given: np.zeros((len(given), 4))})
    with pytest.raises(ModelError, match="texts have no draws"):
        Guarded(texts(), one_layer(0, 0, 0, 1), 0.1, SECRET, None).logits(["a"])
