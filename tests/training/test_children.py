"""Children of reference parents: what is frozen stays, each under its own address, privately."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from nonmember.data.examples import Examples, of
from nonmember.errors import DataError, ModelError, RunError, SpecError
from nonmember.models.architecture import Architecture, architecture_of
from nonmember.models.transfer import Transfer, child_of, prepared
from nonmember.signals.store import Store
from nonmember.training import (
    children,
    children_dpsgd,
    children_fitting,
    fleet,
    kept,
    private_head,
    reference,
)
from nonmember.training.accounting import epsilon, sample_rate
from nonmember.training.children import Budget, Tuning, draws
from nonmember.training.children_privacy import noise, spent, updates
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.membership import balanced
from nonmember.training.reference import Model

DIGITS = load_digits()
N, M, CLASSES = 120, 4, 5
RECIPE = ClassifierRecipe(epochs=6, batch_size=16, learning_rate=0.02)
NOISY = replace(RECIPE, noise=0.1)
SGD = ClassifierRecipe(4, 32, "sgd", 0.5, 0.0, schedule="constant")
BUDGET = Budget(8.0)
MLP = architecture_of("mlp", (64,), 10, {"width": 8})
MEMBER = draws(N, M)
HEAD, LORA = Tuning(Transfer(), RECIPE), Tuning(Transfer("lora", rank=2), NOISY)
TUNINGS = {
    "head": HEAD,
    "noisy head": Tuning(Transfer(), NOISY),
    "last 2": Tuning(Transfer("last_k", k=2), NOISY),
    "full": Tuning(Transfer("full"), NOISY),
    "lora": LORA,
    "private head": Tuning(Transfer(), SGD, BUDGET),
    "private last 2": Tuning(Transfer("last_k", k=2), SGD, BUDGET),
    "private lora": Tuning(Transfer("lora", rank=2), SGD, BUDGET),
    "private full": Tuning(Transfer("full"), SGD, BUDGET),
}
TRAINED = {"head": ("5",), "last_k": ("3", "5"), "full": ("1", "3", "5"), "lora": ("1", "3", "5")}


def normalised() -> nn.Module:
    """With two layers that move while they are trained, and one that is never twice the same."""
    return nn.Sequential(
        *(nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU()),
        *(nn.Linear(8, 8), nn.BatchNorm1d(8, affine=False), nn.ReLU(), nn.Linear(8, 10)),
    )


@cache
def pool() -> Examples:
    return of((DIGITS.data[:160] / 16).astype(np.float32), DIGITS.target[:160].astype(np.int64))


@cache
def downstream() -> Examples:
    inputs = (DIGITS.data[200 : 200 + N] / 16).astype(np.float32)
    return of(inputs, DIGITS.target[200 : 200 + N] // 2)


def parents(store: Store, architecture: Architecture = MLP) -> list[str]:
    """Addresses of trained ones."""
    member = balanced(np.arange(160), M)
    made = reference.models(architecture, pool(), member, RECIPE)
    reference.train(architecture, pool(), RECIPE, made, store)
    return [one.address for one in made]


@pytest.fixture(scope="module")
def bred(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[str]]:
    store = Store(tmp_path_factory.mktemp("children"))
    return store, parents(store)


def made(
    bred: tuple[Store, list[str]],
    tuning: Tuning,
    architecture: Architecture = MLP,
    member: np.ndarray = MEMBER,
    **more: Any,
) -> tuple[Model, ...]:
    """Trained children."""
    store, old = bred
    found = children.models(architecture, downstream(), member, tuning, old, **more)
    children.train(architecture, downstream(), tuning, found, store)
    return found


def states(
    architecture: Architecture, found: Sequence[Any], store: Store
) -> list[dict[str, Tensor]]:
    return [kept.state(architecture, getattr(one, "address", one), store) for one in found]


@pytest.mark.parametrize("name", TUNINGS)
def test_what_is_not_trained_is_its_parents_to_the_last_bit(bred, name: str) -> None:
    store, old = bred
    tuning = TUNINGS[name]
    found = made(bred, tuning)
    own, theirs = states(child_of(MLP, CLASSES), found, store), states(MLP, old, store)
    for child, parent in zip(own, theirs, strict=True):
        moved = {
            key.split(".")[0]
            for key, value in child.items()
            if value.shape != parent[key].shape or not torch.equal(value, parent[key])
        }
        assert moved == set(TRAINED[tuning.transfer.kind])
    answers = children.load(MLP, CLASSES, [one.address for one in found], store)
    hits = answers.logits(downstream().inputs).argmax(axis=2) == downstream().labels
    assert hits.mean() > 0.25  # chance is 0.2; eight seeds of the noisiest gave 0.30 to 0.42


@pytest.mark.parametrize(
    ("how", "noise", "budget"),
    [
        (Transfer(), 0.0, None),
        (Transfer(), 0.0, BUDGET),
        (Transfer(), 0.1, None),
        (Transfer(), 0.1, BUDGET),
        (Transfer("last_k", k=1), 0.1, None),
        (Transfer("lora", rank=2), 0.1, None),
        (Transfer("lora", rank=2), 0.0, BUDGET),
    ],
)
def test_frozen_normalisation_does_not_move(tmp_path: Path, budget, noise, how) -> None:
    architecture, store = architecture_of(normalised, (64,), 10), Store(tmp_path)
    bred = store, parents(store, architecture)
    recipe = replace(SGD if budget else RECIPE, noise=noise, epochs=1)
    found = made(bred, Tuning(how, recipe, budget), architecture)
    own = states(child_of(architecture, CLASSES), found, store)
    for child, parent in zip(own, states(architecture, bred[1], store), strict=True):
        for key in ("3.running_mean", "3.running_var", "3.num_batches_tracked", "3.weight"):
            assert torch.equal(child[key], parent[key])
        still = [key for key in child if key.startswith("6.")]
        assert all(torch.equal(child[key], parent[key]) for key in still)
        if how.kind != "lora":
            below = [key for key in child if not key.startswith("8.")]
            assert all(torch.equal(child[key], parent[key]) for key in below)


def test_full_fine_tuning_moves_running_statistics_and_under_a_budget_it_does_not(
    tmp_path: Path,
) -> None:
    architecture, store = architecture_of(normalised, (64,), 10), Store(tmp_path)
    bred = store, parents(store, architecture)
    made_of = child_of(architecture, CLASSES)
    for budget, same in ((None, False), (BUDGET, True)):
        recipe = replace(SGD, epochs=1, batch_size=30)
        found = made(bred, Tuning(Transfer("full"), recipe, budget), architecture)
        child = states(made_of, found, store)[0]
        parent = states(architecture, bred[1], store)[0]
        for key in ("3.running_mean", "6.running_mean"):
            assert torch.equal(child[key], parent[key]) is same


def test_heads_on_cached_features_are_what_the_whole_network_learns(bred, monkeypatch) -> None:
    store = bred[0]
    found = made(bred, HEAD)
    assert store.provenance(found[0].address)["trained as"] == "heads on cached features"
    cached = states(child_of(MLP, CLASSES), found, store)
    monkeypatch.setattr(children_fitting, "_only_head", lambda task: False)
    other = Store(store.root.parent / "whole")
    shutil.copytree(store.root, other.root)
    for one in found:
        shutil.rmtree(other.folder(one.address))
    children.train(MLP, downstream(), HEAD, found, other)
    assert other.provenance(found[0].address)["trained as"] == "as they are"
    for one, two in zip(cached, states(child_of(MLP, CLASSES), found, other), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-5)


class Doubled(nn.Module):
    """Answers something else than its head does."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        return 2 * self.head(self.body(inputs).relu())


@pytest.mark.parametrize("budget", [None, BUDGET])
def test_a_head_whose_answers_are_changed_afterwards_is_not_trained_by_itself(
    tmp_path: Path, budget: Budget | None
) -> None:
    architecture, store = architecture_of(Doubled, (64,), 10), Store(tmp_path)
    recipe = replace(SGD if budget else RECIPE, epochs=1)
    found = made(
        (store, parents(store, architecture)), Tuning(Transfer(), recipe, budget), architecture
    )
    how = store.provenance(found[0].address)["trained as"]
    assert how == ("DP-SGD" if budget else "as they are")


@pytest.mark.parametrize("name", ["head", "last 2", "lora", "private head", "private lora"])
def test_a_child_is_the_same_whoever_is_trained_beside_it(bred, tmp_path: Path, name: str) -> None:
    store, old = bred
    tuning, alone = TUNINGS[name], Store(tmp_path)
    found = made(bred, tuning)
    for address in old:
        shutil.copytree(store.folder(address), alone.folder(address))
    children.train(MLP, downstream(), tuning, found[2:3], alone)
    made_of = child_of(MLP, CLASSES)
    one, two = (states(made_of, found[2:3], where)[0] for where in (store, alone))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_private_heads_may_have_records_of_different_counts(bred, tmp_path: Path) -> None:
    store, old = bred
    member = MEMBER.copy()
    member[1, np.flatnonzero(MEMBER[1])[-10:]] = False
    tuning = TUNINGS["private head"]
    found = made(bred, tuning, member=member)
    plain = children.models(MLP, downstream(), MEMBER, tuning, old)
    assert [one.address == two.address for one, two in zip(found, plain, strict=True)] == [
        *(True, False, True, True)
    ]
    about = [store.provenance(one.address)["privacy"] for one in found]
    assert about[0]["sample rate"] == 32 / 102 and about[1]["sample rate"] == 32 / 92


def test_a_second_child_trains_no_parent_and_changes_no_array(bred, monkeypatch) -> None:
    store, _ = bred
    first = made(bred, HEAD)
    before = {path: path.read_bytes() for path in store.root.glob("??/*/*")}
    monkeypatch.setattr(reference, "fit_ensemble", lambda *_, **__: pytest.fail("trains parents"))
    parents(store)
    second = made(bred, Tuning(Transfer("last_k", k=3), RECIPE))
    assert not {one.address for one in first} & {one.address for one in second}
    assert all(path.read_bytes() == content for path, content in before.items())
    monkeypatch.setattr(children_fitting, "fit", lambda task: pytest.fail("trains again"))
    made(bred, HEAD)


def test_whatever_decides_a_child_decides_its_address(bred) -> None:
    _, old = bred
    plain = (MLP, downstream(), MEMBER, HEAD, old)

    def address(place: int = 0, other: object = MLP, seed: int = 0) -> str:
        given = [*plain[:place], other, *plain[place + 1 :]]
        return children.models(*given, seed=seed)[0].address  # type: ignore[arg-type]

    place = int(MEMBER[0].argmax())
    inputs, labels = np.array(downstream().inputs), downstream().labels.copy()
    inputs[place, 20] += 1e-3
    labels[place] = (labels[place] + 1) % CLASSES
    backwards = downstream().take(np.arange(N)[::-1])
    tunings = [*TUNINGS.values(), replace(TUNINGS["private head"], budget=Budget(7.0))]
    found = [
        address(),
        address(seed=1),
        address(0, architecture_of("mlp", (64,), 9, {"width": 8})),
        address(1, replace(downstream(), inputs=inputs)),
        address(1, replace(downstream(), labels=labels)),
        address(2, MEMBER[::-1].copy()),
        address(4, old[::-1]),
        *(address(3, one) for one in tunings if one != HEAD),
        children.models(MLP, backwards, MEMBER[:, ::-1].copy(), HEAD, old)[0].address,
    ]
    assert len(set(found)) == len(found)
    more = children.models(MLP, downstream(), draws(N, 6), HEAD, [*old, *old[:2]])
    assert [one.address for one in more[:4]] == [one.address for one in children.models(*plain)]


def test_the_record_of_a_child_names_both_memberships(bred) -> None:
    store, old = bred
    found = made(bred, TUNINGS["private head"])
    for child, parent in zip(found, old, strict=True):
        about, its = store.provenance(child.address), store.provenance(parent)
        assert about["parent"] == parent
        assert about["parent's rows sha256"] == its["rows sha256"] != about["rows sha256"]
        assert about["parent's accuracy"] == its["accuracy"]
        assert about["parent's accuracy on those left out"] == its["accuracy on those left out"]
        rows = store.array(child.address, "rows")
        np.testing.assert_array_equal(rows, downstream().digests[child.rows])
        assert about["examples"] == 102 and 0 <= about["accuracy on those left out"] <= 1
        assert about["transfer"]["kind"] == "head" and about["recipe"]["epochs"] == 4
        assert about["privacy"] == spent(102, SGD, BUDGET) and "seed" not in about
    assert [store.provenance(one.address)["seed"] for one in made(bred, HEAD)] == [
        one.seed for one in found
    ]


def test_draws_are_each_childs_own() -> None:
    found = draws(1037, 6)
    assert (found.sum(axis=1) == 881).all() and len({row.tobytes() for row in found}) == 6
    np.testing.assert_array_equal(draws(1037, 3), found[:3])
    assert (draws(10, 2, share=1.0)).all()
    with pytest.raises(SpecError, match=r"a share of 0.01 of 10"):
        draws(10, 2, share=0.01)


CHECK_VALUES = [(0.6, 66.0), (1.0, 19.3), (2.0, 6.74), (5.0, 2.17), (10.0, 0.987), (20.0, 0.461)]


@pytest.mark.parametrize(("sigma", "cost"), CHECK_VALUES)
def test_the_accountant_spends_what_whole_orders_do_or_less(sigma: float, cost: float) -> None:
    found = epsilon(sigma, 256 / 881, 68, 1e-5)
    assert found <= cost * 1.005
    if sigma >= 1:  # below, a broken order is the best one
        assert found == pytest.approx(cost, rel=0.012)


def test_the_noise_meets_the_budget_and_hardly_more() -> None:
    recipe = ClassifierRecipe(17, 256, "sgd")
    assert (sample_rate(881, recipe.batch_size), updates(881, recipe)) == (256 / 881, 68)
    told = spent(881, recipe, Budget(6.74))
    assert 0.99 * 6.74 < told["epsilon"] <= 6.74 and told["accountant"] == "rdp"
    assert told["noise multiplier"] == pytest.approx(2.0, rel=0.01)
    tighter = epsilon(2.0, 256 / 881, 68, 1e-5, accountant="prv")
    assert 0.8 * 6.74 < tighter < 6.74


def test_norms_of_private_heads_are_those_of_the_gradients() -> None:
    random = torch.Generator().manual_seed(0)
    shown = torch.randn(7, 6, generator=random)
    truth = torch.arange(7) % 3
    head = nn.Linear(6, 3)
    residual = head(shown).detach().softmax(-1) - nn.functional.one_hot(truth, 3)
    found = private_head.norms(shown[None], residual[None])[0]
    for i in range(7):
        head.zero_grad()
        nn.functional.cross_entropy(head(shown[i : i + 1]), truth[i : i + 1]).backward()
        both = torch.cat([head.weight.grad.flatten(), head.bias.grad])
        assert float(found[i]) == pytest.approx(float(both.norm()), rel=1e-5)


def test_clipped_sums_of_private_heads_are_opacuses() -> None:
    random = torch.Generator().manual_seed(0)
    shown, truth = torch.randn(2, 150, 6, generator=random), torch.arange(300).view(2, 150) % 3
    nets = [nn.Linear(6, 3), nn.Linear(6, 3)]
    heads = fleet.begin(nets, SGD, stacked=True)
    drawn = [np.arange(0, 150, 2), np.arange(140)]
    weights, biases = private_head.clipped(heads, shown, truth, drawn, 0.7)
    for i, net in enumerate(nets):
        with children_dpsgd._watched(net):
            places = torch.from_numpy(drawn[i])
            found = children_dpsgd.clipped(net, shown[i][places], truth[i][places], 0.7)
        torch.testing.assert_close(weights[i], found[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(biases[i], found[1], rtol=1e-4, atol=1e-5)


def test_the_noise_of_a_private_head_is_as_large_as_it_says(monkeypatch) -> None:
    def nothing(heads: fleet.Fleet, *_: object) -> tuple[Tensor, Tensor]:
        return tuple(torch.zeros_like(heads.weights[name]) for name in ("weight", "bias"))

    monkeypatch.setattr(private_head, "clipped", nothing)
    recipe = ClassifierRecipe(1, 50, "sgd", 1.0, 0.0, schedule="constant")
    budget = Budget(2.0, clip=3.0)
    shown, truth = torch.zeros(4, 50, 500), torch.zeros(4, 50, dtype=torch.int64)
    found = private_head.fit_heads(shown, truth, 5, recipe, budget, seeds=range(4))
    drawn = torch.stack([one["weight"] for one in found])
    expected = noise(50, recipe, budget) * 3.0 / 50
    assert float(drawn.std()) == pytest.approx(expected, rel=0.03)
    assert not torch.equal(drawn[0], drawn[1])


def _only_noise(tuning: Tuning) -> tuple[np.ndarray, list[np.ndarray]]:
    """By how much noise alone moves a child's head, and the records of its updates."""
    make, found = child_of(architecture_of("mlp", (64,), 10, {"width": 64}), CLASSES).make, []
    draw = private_head.draw

    def spied(*given: Any) -> np.ndarray:
        found.append(draw(*given))
        return found[-1]

    def nothing(network: Any, *_: object) -> list[Tensor]:
        if isinstance(network, fleet.Fleet):
            return [torch.zeros_like(network.weights[name]) for name in ("weight", "bias")]
        return [torch.zeros_like(one) for one in network.parameters() if one.requires_grad]

    task = children_fitting.Task(
        *(make, tuning.transfer, tuning.recipe, tuning.budget, np.asarray(downstream().inputs)),
        *(downstream().labels, MEMBER[:1], [fleet.fresh(make, 0).state_dict()], [7]),
        [repr(tuning)],  # as an address, it names the tuning
    )
    how = partial(prepared, make, tuning.transfer, private=True)
    before = children_fitting._start(task, how, 0)["5.weight"]
    with pytest.MonkeyPatch.context() as patch:
        for module in (private_head, children_dpsgd):
            patch.setattr(module, "draw", spied)
            patch.setattr(module, "clipped", nothing)
        after = children_fitting.fit(task).states[0]["5.weight"]
    return (after - before).flatten().numpy(), found


@pytest.mark.parametrize("transfer", [Transfer(), Transfer("full")], ids=["head", "full"])
def test_the_noise_of_each_update_is_its_own(transfer: Transfer) -> None:
    """So it adds up as the root of their number; the same one each time would as the number."""
    moved, _ = _only_noise(Tuning(transfer, SGD, BUDGET))
    records = int(MEMBER[0].sum())
    drawn = sample_rate(records, SGD.batch_size) * records
    one = SGD.learning_rate * noise(records, SGD, BUDGET) * BUDGET.clip / drawn
    expected = one * np.sqrt(updates(records, SGD))
    assert moved.std() == pytest.approx(expected, rel=0.16)  # 4 standard errors of 320 numbers


def test_children_of_two_tunings_share_neither_noise_nor_draws() -> None:
    plain = Tuning(Transfer(), SGD, BUDGET)
    tunings = [
        *(plain, replace(plain, budget=Budget(7.0)), replace(plain, transfer=Transfer("full"))),
        *(replace(plain, recipe=replace(SGD, learning_rate=0.4)),),
        *(Tuning(Transfer("full"), SGD, Budget(7.0)),),
    ]
    moved, drawn = zip(*map(_only_noise, tunings), strict=True)
    others = ~np.eye(len(tunings), dtype=bool)
    assert np.abs(np.corrcoef(np.stack(moved))[others]).max() < 0.25  # 320 numbers each
    assert len({b"".join(one.tobytes() for one in each) for each in drawn}) == len(tunings)
    again = _only_noise(replace(plain, budget=Budget(8.0)))
    np.testing.assert_array_equal(again[0], moved[0])
    np.testing.assert_array_equal(np.concatenate(again[1]), np.concatenate(drawn[0]))


def test_private_draws_come_at_their_rate() -> None:
    sizes = [len(private_head.draw(0, step, 1000, SGD)) for step in range(300)]
    assert np.mean(sizes) == pytest.approx(32, abs=1.2)
    assert np.var(sizes) == pytest.approx(32 * (1 - 0.032), rel=0.3)


class Centred(nn.Module):
    """Takes the whole batch into account."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(64, 8), nn.Linear(8, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.body(inputs - inputs.mean(0)))


def running() -> nn.Module:
    """With a layer that keeps statistics, which Opacus refuses to train."""
    scaled = nn.InstanceNorm1d(8, affine=True, track_running_stats=True)
    return nn.Sequential(nn.Unflatten(1, (8, 8)), scaled, nn.Flatten(), nn.Linear(64, 10))


@pytest.mark.parametrize("name", ["private full", "private head", "private lora"])
def test_a_network_that_mixes_records_keeps_no_budget(name: str) -> None:
    architecture = architecture_of(Centred, (64,), 10)
    with pytest.raises(ModelError, match="mixes the records of a batch"):  # with no parent trained
        children.models(architecture, downstream(), MEMBER, TUNINGS[name], ["none"] * M)


def test_what_cannot_be_trained_privately_is_refused_before_its_parents_are() -> None:
    def plan(name: str, make: Any = running, examples: Examples | None = None) -> None:
        given = architecture_of(make, (64,), 10), examples or downstream(), MEMBER
        children.models(*given, TUNINGS[name], ["none"] * M)

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with pytest.raises(ModelError, match="a budget needs"):
        plan("private full")
    plan("private head")
    plan("private full", normalised)
    assert torch.equal(torch.rand(3), expected)
    narrow = of(np.array(downstream().inputs[:, :60]), downstream().labels)
    with pytest.raises(ModelError, match=r"60"):
        plan("private head", examples=narrow)


def test_seeds_reproduce_and_global_randomness_is_left_alone(bred, tmp_path: Path) -> None:
    store, old = bred
    for name in ("head", "private head", "private lora"):
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        again = Store(tmp_path / name)
        for address in old:
            shutil.copytree(store.folder(address), again.folder(address))
        found = made((again, old), TUNINGS[name], seed=3)
        assert torch.equal(torch.rand(3), expected)
        plain = made(bred, TUNINGS[name], seed=3)
        for one, two in zip(found, plain, strict=True):
            contents = [
                where.folder(model.address) / "weights.safetensors"
                for where, model in ((again, one), (store, two))
            ]
            assert contents[0].read_bytes() == contents[1].read_bytes()


def test_heads_and_adapters_start_each_from_its_own_seed(bred) -> None:
    found = made(bred, replace(LORA, recipe=replace(NOISY, epochs=1, learning_rate=1e-9)))
    own = states(child_of(MLP, CLASSES), found, bred[0])
    assert len({tuple(one["5.weight"].flatten().tolist()) for one in own}) == M


def test_bad_input_is_refused_before_work(bred, tmp_path: Path) -> None:
    _, old = bred

    def refused(error: type[Exception], what: str, **change: Any) -> None:
        given = {
            "architecture": MLP,
            "examples": downstream(),
            "member": MEMBER,
            "tuning": HEAD,
            "parents": old,
        }
        with pytest.raises(error, match=what):
            children.models(**(given | change))

    one = replace(downstream(), labels=np.zeros(N, dtype=np.int64))
    refused(DataError, "have 1 class, and nothing .* at least 2", examples=one)
    hidden = MEMBER & (downstream().labels != 3)
    refused(DataError, "class 3 has .* child 1 is shown none", member=hidden)
    refused(DataError, r"a membership in shape \(4, 119\) for 120", member=MEMBER[:, 1:])
    refused(SpecError, "3 parents for 4 children", parents=old[:3])
    tight = replace(TUNINGS["private head"], budget=Budget(1e-7))
    refused(SpecError, "epsilon = 1e-07 cannot be met .* larger epsilon", tuning=tight)
    deep = Tuning(Transfer("last_k", k=4), RECIPE)
    refused(SpecError, "k = 4, and the network has 3 layers", tuning=deep)
    flat = architecture_of(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (64,), 10)
    refused(ModelError, "no linear layer", architecture=flat, tuning=LORA)
    moved = Tuning(Transfer("full"), replace(RECIPE, flip=True))
    refused(SpecError, r"flip and crop move images, .* the shape \(64,\)", tuning=moved)
    norms = architecture_of(normalised, (64,), 10)
    rest = Tuning(Transfer("full"), replace(RECIPE, batch_size=int(MEMBER[0].sum()) - 1))
    refused(SpecError, "leaves a last batch of one record", architecture=norms, tuning=rest)
    children.models(norms, downstream(), MEMBER, replace(rest, transfer=Transfer()), old)
    forest = architecture_of(LogisticRegression(), (64,), 10)
    refused(SpecError, "an estimator cannot be fine-tuned", architecture=forest)
    for wrong in ({"epsilon": 0.0}, {"epsilon": 1.0, "delta": 1.0}, {"epsilon": 1.0, "clip": 0.0}):
        with pytest.raises(SpecError, match=r"budget: .*; give"):
            Budget(**wrong)


def test_parents_that_are_not_there_or_of_another_kind_are_refused(bred, tmp_path: Path) -> None:
    store, old = bred
    found = children.models(MLP, downstream(), MEMBER, HEAD, old)
    with pytest.raises(RunError, match=r"its parent .* is not in .*; train that first"):
        children.train(MLP, downstream(), HEAD, found, Store(tmp_path))
    wide = architecture_of("mlp", (64,), 10, {"width": 9})
    found = children.models(wide, downstream(), MEMBER, HEAD, old)
    with pytest.raises(RunError, match=r"its parent is mlp \(width=8\) .* differs"):
        children.train(wide, downstream(), HEAD, found, store)
    with pytest.raises(RunError, match=r"planned for another .* plan it again"):
        children.train(MLP, downstream(), LORA, found, store)
