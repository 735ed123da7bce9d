"""Stacked training: every model as if it were alone, whatever it is trained beside."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.nets import cnn, mlp, resnet
from nonmember.training import feeding, fitting
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import Ensemble, ensemble_logits, fit_ensemble
from nonmember.training.fleet import Make, fresh
from nonmember.training.stacked import stack, why_not

N, CLASSES = 90, 3
SHORT = ClassifierRecipe(epochs=3, batch_size=16, noise=0.1)
MAKES: dict[str, Make] = {
    "mlp": partial(mlp, (1, 8, 8), CLASSES, width=12),
    "cnn": partial(cnn, (1, 8, 8), CLASSES, width=4),
    "resnet": partial(resnet, (1, 8, 8), CLASSES, width=4),
}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """Images whose class shows in their brightness."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, N)
    images = random.normal(size=(N, 1, 8, 8)) + labels[:, None, None, None]
    return images.astype(np.float32), labels


def members(m: int) -> np.ndarray:
    """About half of the rows each, of unequal counts; no last batch of 16 is of one row."""
    found = np.random.default_rng(1).random((m, N)) < 0.5
    found[found.sum(axis=1) % 16 == 1, :3] = True
    return found


def same(one: Ensemble, i: int, other: Ensemble, j: int) -> bool:
    a, b = one.states[i], other.states[j]
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def drop() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, CLASSES)
    )


def normalised() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, CLASSES)
    )


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_is_bitwise_the_same_whoever_is_trained_beside_it(data, name, threads) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        member = members(7)
        whole = fit_ensemble(MAKES[name], *data, member, SHORT, seeds=range(7))
        for chosen in ([0], [3, 1], [6, 5, 4, 3, 2]):
            part = fit_ensemble(MAKES[name], *data, member[chosen], SHORT, seeds=chosen)
            assert all(same(part, k, whole, i) for k, i in enumerate(chosen))
            assert (part.losses == whole.losses[chosen]).all()
    finally:
        torch.set_num_threads(before)
    assert whole.stacked and whole.why == ""


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_stacked_equals_the_plain_loop(data, name, optimizer) -> None:
    inputs, labels = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    recipe = ClassifierRecipe(
        epochs=2, batch_size=16, optimizer=optimizer, weight_decay=0.01, label_smoothing=0.1
    )
    member = members(3)
    found = fit_ensemble(MAKES[name], *data, member, recipe, seeds=[5, 6, 7])
    for i, seed in enumerate([5, 6, 7]):
        net, rows = fresh(MAKES[name], seed), np.flatnonzero(member[i])
        kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
        more = {"momentum": 0.9} if optimizer == "sgd" else {}
        optimiser = kinds[optimizer](net.parameters(), lr=1e-3, weight_decay=0.01, **more)
        steps = 2 * -(-len(rows) // 16)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        one = feeding.feed(rows, seed)
        for _ in range(2):
            for places in torch.from_numpy(one.order.permutation(rows)).split(16):
                loss = cross_entropy(net(inputs[places]), labels[places], label_smoothing=0.1)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                falling.step()
        for key, value in net.state_dict().items():
            torch.testing.assert_close(found.states[i][key], value, rtol=1e-3, atol=1e-5)


def test_seeds_reproduce_and_global_randomness_is_left_alone(data) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    first = fit_ensemble(MAKES["mlp"], *data, members(2), SHORT, seeds=[1, 2])
    assert torch.equal(torch.rand(3), expected)
    again = fit_ensemble(MAKES["mlp"], *data, members(2), SHORT, seeds=[1, 2])
    other = fit_ensemble(MAKES["mlp"], *data, members(2), SHORT, seeds=[3, 2])
    assert same(first, 0, again, 0) and same(first, 1, again, 1)
    assert same(first, 1, other, 1) and not same(first, 0, other, 0)


def test_no_two_models_share_an_initial_weight_matrix() -> None:
    drawn = [fresh(MAKES["cnn"], seed) for seed in range(20)]
    for parts in zip(*(net.parameters() for net in drawn), strict=True):
        if parts[0].dim() > 1:
            assert len({tuple(part.flatten().tolist()) for part in parts}) == 20


@pytest.mark.parametrize("epochs", [1, 7, 40])
def test_the_learning_rate_falls_from_its_full_value_to_nearly_nothing(epochs) -> None:
    recipe = ClassifierRecipe(epochs=epochs, learning_rate=0.5)
    rates = [r for epoch in range(epochs) for r in fitting._rates(recipe, epoch, 20)]
    assert rates[0] == 0.5
    assert 0 < rates[-1] < 0.5 * 0.01
    assert rates == sorted(rates, reverse=True)
    constant = ClassifierRecipe(epochs=epochs, schedule="constant", learning_rate=0.5)
    assert set(fitting._rates(constant, epochs - 1, 20)) == {0.5}


@pytest.mark.parametrize("make", [MAKES["cnn"], drop, normalised])
def test_an_interrupted_run_ends_with_the_same_numbers(
    data, make, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    whole = fit_ensemble(make, *data, members(3), SHORT, seeds=range(3))
    told: list[int] = []

    def interrupt(done: int) -> None:
        told.append(done)
        if len(told) == 5:
            raise KeyboardInterrupt

    how = {"seeds": range(3), "scratch": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        fit_ensemble(make, *data, members(3), SHORT, watch=interrupt, **how)
    again: list[int] = []
    resumed = fit_ensemble(make, *data, members(3), SHORT, watch=again.append, **how)
    assert all(same(resumed, i, whole, i) for i in range(3))
    assert (resumed.losses == whole.losses).all()
    assert sum(again) == SHORT.epochs * sum(-(-rows // 16) for rows in members(3).sum(axis=1))


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_passed_over(data, tmp_path) -> None:
    how = {"seeds": range(2), "scratch": tmp_path}
    fit_ensemble(MAKES["mlp"], *data, members(2), SHORT, **how)
    other = ClassifierRecipe(epochs=3, batch_size=16, noise=0.2)
    expected = fit_ensemble(MAKES["mlp"], *data, members(2), other, seeds=range(2))
    assert same(fit_ensemble(MAKES["mlp"], *data, members(2), other, **how), 0, expected, 0)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert same(fit_ensemble(MAKES["mlp"], *data, members(2), other, **how), 1, expected, 1)


def test_batch_norm_is_trained_one_at_a_time_and_says_so(data) -> None:
    found = fit_ensemble(normalised, *data, members(2), SHORT, seeds=[0, 1])
    assert not found.stacked and "BatchNorm1d" in found.why
    steps = SHORT.epochs * -(-int(members(2)[0].sum()) // 16)
    assert int(found.states[0]["2.num_batches_tracked"]) == steps
    assert found.states[0]["2.running_mean"].abs().max() > 0.01
    net = normalised()
    net.load_state_dict(found.states[0])
    logits = ensemble_logits(normalised, found.states, data[0])
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(data[0])).numpy()
    np.testing.assert_allclose(logits[0], expected, rtol=1e-5, atol=1e-6)
    alone = fit_ensemble(normalised, *data, members(2)[1:], SHORT, seeds=[1])
    assert same(alone, 0, found, 1)


class Centred(nn.Module):
    """Looks at the whole batch in a way that no type gives away."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        flat = images.flatten(1)
        return self.layer(flat - flat.mean(0))


class Scaled(nn.Module):
    """Has a weight of its own, outside of any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(64, CLASSES), nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.scale * self.layer(images.flatten(1))


@pytest.mark.parametrize(
    ("make", "why"),
    [(Centred, "mixes the records"), (Scaled, "cannot be stacked"), (drop, "random")],
)
def test_what_cannot_be_stacked_is_found_out(data, make, why) -> None:
    recipe = ClassifierRecipe(epochs=8, batch_size=16, learning_rate=0.01)
    found = fit_ensemble(make, *data, members(2), recipe, seeds=[0, 1])
    assert not found.stacked and why in found.why
    assert found.losses[:, -1].mean() < found.losses[:, 0].mean()


def test_every_supported_layer_stacks_to_what_each_network_answers() -> None:
    def make() -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.GroupNorm(2, 4), nn.Tanh()),
            *(nn.Conv2d(4, 8, 2, groups=2, dilation=2), nn.AvgPool2d(2), nn.Flatten()),
            *(nn.LayerNorm(8), nn.Linear(8, 5, bias=False)),
        )

    nets = [fresh(make, seed) for seed in range(5)]
    for net in nets:
        for weight in net.parameters():
            nn.init.normal_(weight)
    inputs = torch.rand(5 * 2, 3, 12, 12)
    assert why_not(nets[:2], inputs) == ""
    names = [name for name, _ in nets[0].named_parameters()]
    weights = {
        name: torch.stack([net.get_parameter(name).detach() for net in nets]) for name in names
    }
    found = stack(nets[0], weights)(inputs)
    expected = torch.cat([net(part) for net, part in zip(nets, inputs.split(2), strict=True)])
    torch.testing.assert_close(found, expected.detach())


def test_children_start_from_their_parents_and_frozen_weights_stay(data) -> None:
    def frozen() -> nn.Module:
        net = MAKES["mlp"]()
        net[1].requires_grad_(False)
        return net

    parents = fit_ensemble(MAKES["mlp"], *data, members(2), SHORT, seeds=[0, 1])
    children = fit_ensemble(frozen, *data, members(2), SHORT, seeds=[2, 3], starts=parents.states)
    for parent, child in zip(parents.states, children.states, strict=True):
        assert torch.equal(parent["1.weight"], child["1.weight"])
        assert not torch.equal(parent["5.weight"], child["5.weight"])
    assert (children.losses[:, 0] < parents.losses[:, 0]).all()


def test_losses_fall_and_logits_tell_the_classes(data) -> None:
    recipe = ClassifierRecipe(epochs=20, batch_size=16, learning_rate=0.01)
    found = fit_ensemble(MAKES["mlp"], *data, members(3), recipe, seeds=range(3))
    assert (found.losses[:, -1] < 0.5 * found.losses[:, 0]).all()
    logits = ensemble_logits(MAKES["mlp"], found.states, data[0])
    assert logits.shape == (3, N, CLASSES) and logits.dtype == np.float32
    right = (logits.argmax(-1) == data[1])[members(3)]
    assert right.mean() > 0.9


def test_noise_flips_and_shifts_are_as_the_recipe_says() -> None:
    feeds = [feeding.feed(np.arange(5), seed) for seed in (0, 1)]
    images = torch.zeros(2 * 3000, 1, 4, 4)
    noisy = feeding.changed(images, feeds, ClassifierRecipe(noise=0.3))
    assert float(noisy.std()) == pytest.approx(0.3, rel=0.02)
    assert abs(float(noisy.mean())) < 0.01
    assert not torch.equal(noisy[:3000], noisy[3000:])
    images[:, 0, 1, 0] = 1
    flipped = feeding.changed(images, feeds, ClassifierRecipe(flip=True))
    assert float(flipped[:, 0, 1, 3].mean()) == pytest.approx(0.5, abs=0.05)
    assert (flipped.sum((1, 2, 3)) == 1).all()
    moved = feeding.changed(images, feeds, ClassifierRecipe(crop=1)).mean((0, 1))
    assert moved[:3, :2].numpy() == pytest.approx(np.full((3, 2), 1 / 9), abs=0.03)
    assert float(moved[3].sum()) == 0


def test_a_loss_that_is_no_number_any_more_is_refused(data) -> None:
    wild = ClassifierRecipe(epochs=3, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(ModelError, match=r"reference model 0 became .*; lower the learning rate"):
        fit_ensemble(MAKES["mlp"], *data, members(2), wild, seeds=[0, 1])


def test_bad_input_is_refused_before_training(data) -> None:
    inputs, labels = data
    fit = partial(fit_ensemble, MAKES["mlp"], recipe=SHORT, seeds=[0, 1])
    with pytest.raises(DataError, match="one of each"):
        fit(inputs[1:], labels, members(2))
    with pytest.raises(DataError, match="no record"):
        fit(inputs, labels, members(2) & np.array([[True], [False]]))
    with pytest.raises(SpecError, match="each its own"):
        fit(inputs, labels, members(2), seeds=[1, 1])
    with pytest.raises(SpecError, match="one each"):
        fit(inputs, labels, members(2), starts=[{}])
    with pytest.raises(ModelError, match="those of this network"):
        fit(inputs, labels, members(2), starts=[{}, {}])
    with pytest.raises(ModelError, match="one output per class"):
        fit(inputs, labels + 1, members(2))
    with pytest.raises(ModelError, match="does not take inputs"):
        fit(inputs[..., :4], labels, members(2))
    with pytest.raises(SpecError, match="last batch of one"):
        size = int(members(2)[0].sum()) - 1
        fit_ensemble(
            normalised,
            inputs,
            labels,
            members(2),
            ClassifierRecipe(batch_size=size),
            seeds=[0, 1],
        )
    with pytest.raises(SpecError, match="move images"):
        fit(inputs.reshape(N, -1), labels, members(2), recipe=ClassifierRecipe(flip=True))
