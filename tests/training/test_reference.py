"""Reference models: each under its own address, trained once, never taken for another."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from nonmember.data.examples import Examples, of
from nonmember.errors import DataError, ModelError, RunError, SpecError
from nonmember.models.architecture import Architecture, architecture_of
from nonmember.signals.store import Store
from nonmember.training import addresses as addresses_module
from nonmember.training import ensemble, fitting, grouping, kept, reference
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.membership import balanced
from nonmember.training.objectives import Adversarial, Distilled, Mixup, Private, SelfDistilled
from nonmember.training.reference import Model, load, models, steps, target, train

DIGITS = load_digits()
N = 160
RECIPE = ClassifierRecipe(epochs=2, batch_size=16)
MLP = architecture_of("mlp", (64,), 10, {"width": 8})
MEMBER = balanced(np.arange(N), 4, seed=0)


def digits(n: int = N) -> Examples:
    return of((DIGITS.data[:n] / 16).astype(np.float32), DIGITS.target[:n].astype(np.int64))


def planned(
    examples: Examples | None = None,
    *,
    architecture: Architecture = MLP,
    member: np.ndarray = MEMBER,
    recipe: ClassifierRecipe = RECIPE,
    seed: int = 0,
    parents: list[str] | None = None,
) -> tuple[Model, ...]:
    examples = digits() if examples is None else examples
    return models(architecture, examples, member, recipe, seed=seed, parents=parents)


def addresses(found: tuple[Model, ...]) -> list[str]:
    return [model.address for model in found]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, tuple[Model, ...]]:
    store, asked = Store(tmp_path_factory.mktemp("references")), planned()
    train(MLP, digits(), RECIPE, asked, store)
    return store, asked


@pytest.fixture
def copied(trained: tuple[Store, tuple[Model, ...]], tmp_path: Path) -> Store:
    """A store of one's own to do damage in."""
    shutil.copytree(trained[0].root, tmp_path / "store")
    return Store(tmp_path / "store")


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many models each stacked fit was of."""
    counts: list[int] = []

    def counting(*given: object, **named: object) -> ensemble.Ensemble:
        counts.append(len(given[3]))  # type: ignore[arg-type]
        return ensemble.fit_ensemble(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(reference, "fit_ensemble", counting)
    return counts


def logits(store: Store, found: tuple[Model, ...], architecture: Architecture = MLP) -> np.ndarray:
    return load(architecture, addresses(found), store).logits(digits().inputs)


def test_models_are_trained_kept_and_asked_together(trained) -> None:  # type: ignore[no-untyped-def]
    store, asked = trained
    found = logits(store, asked)
    assert found.shape == (4, N, 10) and found.dtype == np.float32
    assert len(np.unique(found[:, 0, 0])) == 4
    backwards = load(MLP, addresses(asked)[::-1], store).logits(digits().inputs)
    np.testing.assert_array_equal(backwards, found[::-1])


def test_the_record_of_a_model_says_how_it_came_about(trained) -> None:  # type: ignore[no-untyped-def]
    store, asked = trained
    hits = logits(store, asked).argmax(axis=2) == digits().labels
    for model, hit in zip(asked, hits, strict=True):
        about = store.provenance(model.address)
        assert about["address"] == model.address
        assert (about["architecture"], about["architecture digest"]) == (MLP.name, MLP.digest)
        assert about["recipe"]["noise"] == 0 and about["seed"] == model.seed
        assert about["examples"] == about["examples left out"] == N // 2
        assert about["accuracy"] == pytest.approx(hit[model.rows].mean())
        assert about["accuracy on those left out"] == pytest.approx(hit[~model.rows].mean())
        assert about["loss of the last epoch, nats"] > 0 and about["seconds"] > 0
        assert about["parent"] is None and about["stacked"] and not about["why not stacked"]
        rows = store.array(model.address, "rows")
        np.testing.assert_array_equal(rows, digits().digests[model.rows])
        assert {file.name for file in store.folder(model.address).iterdir()} == {
            "weights.safetensors",
            "rows.npy",
            "provenance.json",
        }


def shuffled(examples: Examples) -> Examples:
    """The same examples in another order; the same are trained on."""
    return examples.take(np.arange(N)[::-1])


def relabelled(examples: Examples) -> Examples:
    """One label changed, of an example that the first model is trained on."""
    labels, place = examples.labels.copy(), int(MEMBER[0].argmax())
    labels[place] = (labels[place] + 1) % 10
    return replace(examples, labels=labels)


def nudged(examples: Examples) -> Examples:
    inputs, place = np.array(examples.inputs), int(MEMBER[0].argmax())
    inputs[place, 20] += 1e-3
    return replace(examples, inputs=inputs)


ELSEWHERE: dict[str, Callable[[], tuple[Model, ...]]] = {
    "labels": lambda: planned(relabelled(digits())),
    "inputs": lambda: planned(nudged(digits())),
    "order": lambda: planned(shuffled(digits()), member=MEMBER[:, ::-1]),
    "rows": lambda: planned(member=MEMBER[::-1]),
    "noise": lambda: planned(recipe=replace(RECIPE, noise=0.1)),
    "epochs": lambda: planned(recipe=replace(RECIPE, epochs=3)),
    "seed": lambda: planned(seed=1),
    "width": lambda: planned(architecture=architecture_of("mlp", (64,), 10, {"width": 9})),
    "classes": lambda: planned(replace_classes()),
    "parent": lambda: planned(parents=addresses(planned())),
    "other parent": lambda: planned(parents=addresses(planned())[::-1]),
}


def replace_classes() -> Examples:
    """All labels moved on by one: the classes are as many, and others."""
    return replace(digits(), labels=(digits().labels + 1) % 10)


def test_whatever_decides_a_models_weights_decides_its_address() -> None:
    found = {name: of()[0].address for name, of in ELSEWHERE.items()}
    assert len({planned()[0].address, *found.values()}) == len(ELSEWHERE) + 1
    assert addresses(planned()) == addresses(planned())


@pytest.mark.parametrize("name", ["labels", "inputs", "order"])
def test_a_model_is_never_trained_on_what_its_address_does_not_stand_for(
    name: str, tmp_path: Path
) -> None:
    other = {"labels": relabelled, "inputs": nudged, "order": shuffled}[name](digits())
    with pytest.raises(RunError, match=r"planned for another .*plan it again with these"):
        train(MLP, other, RECIPE, planned(), Store(tmp_path))
    with pytest.raises(RunError, match="planned for another"):
        train(MLP, digits(), replace(RECIPE, noise=0.1), planned(), Store(tmp_path))
    with pytest.raises(RunError, match="planned for another"):
        train(MLP, digits(), RECIPE, [replace(planned()[0], seed=5)], Store(tmp_path))
    assert not any(tmp_path.iterdir())


def test_an_address_depends_on_the_models_own_rows_only() -> None:
    more = balanced(np.arange(N), 8, seed=0)
    assert addresses(planned(member=more))[:4] == addresses(planned())
    left_out = int((~MEMBER[0]).argmax())
    labels = digits().labels.copy()
    labels[left_out] = (labels[left_out] + 1) % 10
    others = addresses(planned(replace(digits(), labels=labels)))
    assert others[0] == planned()[0].address and others[1] != planned()[1].address


def test_nothing_is_trained_twice_and_only_what_is_missing(copied: Store, fits: list[int]) -> None:
    asked, told = planned(), list[int]()
    before = logits(copied, asked)
    train(MLP, digits(), RECIPE, asked, copied, watch=told.append)
    assert (fits, told) == ([], [])
    shutil.rmtree(copied.folder(asked[2].address))
    train(MLP, digits(), RECIPE, asked, copied, watch=told.append)
    assert fits == [1]
    assert sum(told) == steps(MLP, RECIPE, asked[2:3]) == 2 * 5
    np.testing.assert_array_equal(logits(copied, asked), before)


def test_a_run_stopped_in_the_middle_goes_on_to_the_same_weights(
    trained,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)
    store, asked, done = Store(tmp_path), planned(), list[int]()

    def stop(count: int) -> None:
        done.append(count)
        if sum(done) > steps(MLP, RECIPE, asked) // 2:  # the first epoch is over
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(MLP, digits(), RECIPE, asked, store, watch=stop)
    assert not any(store.has(model.address) for model in asked)
    updates = counted_updates(monkeypatch)
    train(MLP, digits(), RECIPE, asked, store)
    assert len(updates) == 5
    np.testing.assert_array_equal(logits(store, asked), logits(trained[0], asked))
    assert not list((tmp_path / "unfinished").iterdir())


def counted_updates(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one at each update of the optimiser."""
    import torch

    counted: list[int] = []
    step = torch.optim.Adam.step

    def counting(self: torch.optim.Adam, *given: object) -> object:
        counted.append(1)
        return step(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.Adam, "step", counting)
    return counted


def test_a_run_stopped_while_it_writes_trains_nothing_again(
    trained,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, asked = Store(tmp_path), planned()
    write, written = kept.put, list[str]()

    def stopping(*given: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(str(given[2]))
        write(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(kept, "put", stopping)
        patched.setattr(grouping, "WRITERS", 1)
        train(MLP, digits(), RECIPE, asked, store)
    assert [store.has(model.address) for model in asked] == [True, True, False, False]
    updates = counted_updates(monkeypatch)
    train(MLP, digits(), RECIPE, asked, store)
    assert not updates
    np.testing.assert_array_equal(logits(store, asked), logits(trained[0], asked))


def test_damage_names_the_file_and_the_remedy(copied: Store) -> None:
    asked = planned()
    folder = copied.folder(asked[1].address)
    weights = folder / "weights.safetensors"
    content = weights.read_bytes()
    remedy = f"delete the folder {folder} and run again"
    for damaged in (content[:-4], content[:-1] + b"\x01", b""):
        weights.write_bytes(damaged)
        with pytest.raises(RunError, match=f"{weights}: damaged .*{remedy}"):
            logits(copied, asked)
    weights.unlink()
    with pytest.raises(RunError, match=f"{weights}: damaged or missing .*{remedy}"):
        logits(copied, asked)
    (folder / "provenance.json").write_text("{")
    with pytest.raises(RunError, match=f"provenance.json: damaged .*{remedy}"):
        logits(copied, asked)
    shutil.rmtree(folder)
    with pytest.raises(RunError, match="missing"):
        logits(copied, asked)


def test_a_folder_copied_to_another_address_is_found_out(copied: Store) -> None:
    first, second, third, _ = addresses(planned())
    shutil.rmtree(copied.folder(second))
    shutil.copytree(copied.folder(first), copied.folder(second))
    with pytest.raises(RunError, match=f"{second}: holds the model of the address {first}"):
        load(MLP, [second], copied)
    weights = "weights.safetensors"
    shutil.copy(copied.folder(first) / weights, copied.folder(third) / weights)
    with pytest.raises(RunError, match=f"{third}/{weights}: damaged"):
        load(MLP, [third], copied)


def test_a_model_of_another_architecture_is_not_asked(trained) -> None:  # type: ignore[no-untyped-def]
    store, asked = trained
    with pytest.raises(RunError, match=r"its model is mlp \(width=8\) .* mlp as it is now differs"):
        load(architecture_of("mlp", (64,), 10), addresses(asked), store)


def test_children_start_from_their_parents_and_have_rows_of_their_own(copied: Store) -> None:
    parents = addresses(planned())
    member = balanced(np.arange(N), 4, seed=9)
    gentle = replace(RECIPE, epochs=1, learning_rate=1e-5)
    children = planned(member=member, recipe=gentle, parents=parents)
    train(MLP, digits(), gentle, children, copied)
    np.testing.assert_allclose(logits(copied, children), logits(copied, planned()), atol=0.01)
    assert not np.array_equal(logits(copied, children), logits(copied, planned()))
    for child, parent, rows in zip(children, parents, member, strict=True):
        about = copied.provenance(child.address)
        assert about["parent"] == parent and about["recipe"]["epochs"] == 1
        own = copied.array(child.address, "rows")
        np.testing.assert_array_equal(own, digits().digests[rows])
        assert about["parent's rows sha256"] == copied.provenance(parent)["rows sha256"]
        assert about["rows sha256"] != about["parent's rows sha256"]


def test_children_without_their_parents_are_refused(tmp_path: Path) -> None:
    children = planned(parents=["0" * 24] * 4)
    with pytest.raises(RunError, match=r"its parent 0{24} is not in .*; train that first"):
        train(MLP, digits(), RECIPE, children, Store(tmp_path))
    with pytest.raises(SpecError, match="1 parents for 4 of mlp"):
        planned(parents=["0" * 24])


@pytest.mark.parametrize(
    "estimator",
    [RandomForestClassifier(5), make_pipeline(StandardScaler(), LogisticRegression(max_iter=5))],
)
def test_estimators_are_kept_as_skops_files_and_answer_log_probabilities(
    estimator: object, tmp_path: Path
) -> None:
    made, store, told = architecture_of(estimator, (64,), 10), Store(tmp_path), list[int]()
    asked = planned(architecture=made)
    train(made, digits(), RECIPE, asked[:3], store, watch=told.append)
    train(made, digits(), RECIPE, asked, store, watch=told.append)
    assert told == [1] * 4 and steps(made, RECIPE, asked) == 4
    found = logits(store, asked, made)
    assert found.shape == (4, N, 10) and np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=2), 1, rtol=1e-5)
    about = store.provenance(asked[0].address)
    assert about["accuracy"] > about["accuracy on those left out"] > 0.5
    assert about["recipe"] is None and about["log of no probability, nats"] == -87.3
    again = Store(tmp_path / "again")
    train(made, digits(), RECIPE, asked, again)
    np.testing.assert_array_equal(logits(again, asked, made), found)
    assert (store.folder(asked[0].address) / "estimator.skops").is_file()


def test_an_estimators_address_has_its_seed_and_no_recipe() -> None:
    made = architecture_of(RandomForestClassifier(5), (64,), 10)
    plain = addresses(planned(architecture=made))
    assert addresses(planned(architecture=made, recipe=replace(RECIPE, noise=0.5))) == plain
    assert addresses(planned(architecture=made, seed=1)) != plain
    with pytest.raises(SpecError, match="estimators cannot be fine-tuned"):
        planned(architecture=made, parents=plain)


def test_images_are_laid_flat_for_estimators_and_what_they_warn_of_is_kept(tmp_path: Path) -> None:
    made = architecture_of(LogisticRegression(max_iter=2), (1, 8, 8), 10)
    images = replace(digits(), inputs=np.asarray(digits().inputs).reshape(-1, 1, 8, 8))
    asked, store = planned(images, architecture=made), Store(tmp_path)
    train(made, images, RECIPE, asked, store)
    assert load(made, addresses(asked), store).logits(images.inputs).shape == (4, N, 10)
    assert "failed to converge" in store.provenance(asked[0].address)["warnings"][0]


def test_texts_are_classified_by_estimators(tmp_path: Path) -> None:
    words = [f"{'good' if i % 2 else 'bad'} text number {i}" for i in range(40)]
    texts = of(words, np.arange(40) % 2)
    pipe = make_pipeline(TfidfVectorizer(), LogisticRegression())
    made, store = architecture_of(pipe, (), 2), Store(tmp_path)
    asked = planned(texts, architecture=made, member=balanced(np.arange(40), 4))
    train(made, texts, RECIPE, asked, store)
    found = load(made, addresses(asked), store).logits(words)
    assert (found.argmax(axis=2) == texts.labels).mean() > 0.9


def test_an_estimator_that_refuses_texts_never_repeats_one(tmp_path: Path) -> None:
    texts = of([f"Patient Jane Doe {i}" for i in range(40)], np.arange(40) % 2)
    made, store = architecture_of(LogisticRegression(), (), 2), Store(tmp_path)
    asked = planned(texts, architecture=made, member=balanced(np.arange(40), 4))
    with pytest.raises(ModelError, match=r"fitted to 20 examples \(ValueError\)") as raised:
        train(made, texts, RECIPE, asked, store)
    assert "Jane" not in str(raised.value)


def test_an_estimator_that_was_tampered_with_is_not_read(tmp_path: Path) -> None:
    made, store = architecture_of(LogisticRegression(max_iter=5), (64,), 10), Store(tmp_path)
    asked = planned(architecture=made)
    train(made, digits(), RECIPE, asked, store)
    path = store.folder(asked[0].address) / "estimator.skops"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RunError, match=f"{path}: damaged"):
        logits(store, asked, made)


@pytest.mark.parametrize(
    ("member", "error", "what"),
    [
        (MEMBER[:2], SpecError, "2 cannot tell chance from membership; use at least 4"),
        (MEMBER[:, 1:], DataError, rf"bool in shape \(4, {N - 1}\) for {N} examples; give bool"),
        (MEMBER | (np.arange(N) == 5), DataError, "example 6 is in all of the 4 training sets"),
        (MEMBER & (np.arange(N) > 0), DataError, "example 1 is in none of the 4 training sets"),
    ],
)
def test_a_membership_that_tells_nothing_is_refused(
    member: np.ndarray, error: type[Exception], what: str
) -> None:
    with pytest.raises(error, match=what):
        planned(member=member)


def test_classes_that_a_model_would_not_be_shown_are_refused() -> None:
    labels = digits().labels.copy()
    labels[labels == 7] = 3
    labels[0] = 7
    with pytest.raises(
        DataError, match=rf"class 7 has 1 of {N} examples, and none .* set [12] of 4"
    ):
        planned(replace(digits(), labels=labels))
    with pytest.raises(DataError, match=r"example 10: its label is 9, and the classes are 0 to 8"):
        planned(architecture=architecture_of("mlp", (64,), 9))


def test_inputs_that_the_network_refuses_are_told_before_training(
    tmp_path: Path, fits: list[int]
) -> None:
    narrow = architecture_of("mlp", (63,), 10)
    with pytest.raises(ModelError, match=r"mlp: refuses inputs of float32 in shape \(64,\)"):
        train(narrow, digits(), RECIPE, planned(architecture=narrow), Store(tmp_path))
    assert fits == []


def test_records_are_plain_json(trained) -> None:  # type: ignore[no-untyped-def]
    store, asked = trained
    text = (store.folder(asked[0].address) / "provenance.json").read_text()
    assert json.loads(text)["torch"]


ADVERSE = replace(RECIPE, objective=Adversarial(2.0))
DEFENDED = [
    ADVERSE,
    replace(RECIPE, objective=Mixup(mmd=3.0)),
    replace(RECIPE, objective=SelfDistilled(4, 2)),
    replace(RECIPE, objective=Distilled(2.0, 0.5)),
    replace(RECIPE, objective=Private(8.0)),
]


def reserved(first: int = N, count: int = N) -> Examples:
    rows = slice(first, first + count)
    return of((DIGITS.data[rows] / 16).astype(np.float32), DIGITS.target[rows].astype(np.int64))


def test_the_settings_that_came_later_change_no_address_where_they_are_not_used() -> None:
    assert list(addresses_module.described(RECIPE)) == [
        *("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "weight_decay"),
        *("schedule", "noise", "label_smoothing", "flip", "crop"),
    ]
    told = addresses_module.described(ADVERSE)["objective"]
    assert told == {"name": "Adversarial", "alpha": 2.0, "gain": "linear"}
    assert addresses_module.described(replace(RECIPE, hold_back=0.2))["hold_back"] == 0.2


def test_an_objective_and_the_reserve_that_it_needs_decide_the_address() -> None:
    one = models(MLP, digits(), MEMBER, ADVERSE, reserve=reserved())
    relabelled = replace(reserved(), labels=(reserved().labels + 1) % 10)
    others = [
        planned(),
        models(MLP, digits(), MEMBER, ADVERSE, reserve=reserved(N + 1)),
        models(MLP, digits(), MEMBER, ADVERSE, reserve=relabelled),
        models(
            MLP, digits(), MEMBER, replace(ADVERSE, objective=Adversarial(1.0)), reserve=reserved()
        ),
    ]
    assert len({found[0].address for found in (one, *others)}) == 5
    private = replace(RECIPE, objective=Private(8.0))
    with_one = models(MLP, digits(), MEMBER, private, reserve=reserved())
    assert with_one[0].address == models(MLP, digits(), MEMBER, private)[0].address
    assert models(MLP, digits(), MEMBER, RECIPE, reserve=reserved())[0].address == (
        planned()[0].address
    )


@pytest.mark.parametrize("how", DEFENDED, ids=lambda how: type(how.objective).__name__)
def test_defended_models_are_trained_told_and_kept_like_others(
    how: ClassifierRecipe, tmp_path: Path
) -> None:
    asked = models(MLP, digits(), MEMBER, how, reserve=reserved())[:2]
    told, store = list[int](), Store(tmp_path)
    train(MLP, digits(), how, asked, store, reserve=reserved(), watch=told.append)
    assert sum(told) == steps(MLP, how, asked, reserved())
    assert np.isfinite(logits(store, asked)).all()
    about = store.provenance(asked[0].address)
    assert about["recipe"]["objective"]["name"] == type(how.objective).__name__
    assert ("seed" in about) == ("privacy" not in about)
    assert {"records of the reserve", "submodels", "privacy"} & {*about}
    assert about["loss of the last epoch, nats"] > 0
    assert not list((tmp_path / "unfinished").iterdir())
    train(MLP, digits(), how, asked, store, reserve=reserved(), watch=told.append)
    assert sum(told) == steps(MLP, how, asked, reserved())


def test_a_defended_target_is_made_as_its_references_are(tmp_path: Path) -> None:
    how, store = replace(RECIPE, objective=SelfDistilled(4, 2)), Store(tmp_path)
    whole = target(MLP, digits(), how, seed=3)
    train(MLP, digits(), how, [whole], store)
    assert store.provenance(whole.address)["submodels"] == 4


def test_a_reserve_is_not_exchanged_between_planning_and_training(tmp_path: Path) -> None:
    asked = models(MLP, digits(), MEMBER, ADVERSE, reserve=reserved())
    for other in (None, reserved(N + 1)):
        with pytest.raises(RunError, match=r"planned for another .*reserve"):
            train(MLP, digits(), ADVERSE, asked, Store(tmp_path), reserve=other)


def test_a_defense_that_would_not_be_trained_is_refused_when_it_is_planned() -> None:
    with pytest.raises(SpecError, match="trains with records that are nobody's"):
        models(MLP, digits(), MEMBER, ADVERSE)
    with pytest.raises(DataError, match=r"a reserve of 80 records, .* give at least 160"):
        target(MLP, digits(), ADVERSE, reserve=reserved(count=80))
    with pytest.raises(SpecError, match="SelfDistilled trains a network from scratch"):
        planned(recipe=DEFENDED[2], parents=addresses(planned()))
    forest = architecture_of(RandomForestClassifier(5), (64,), 10)
    for how, kind in (
        (DEFENDED[2], "SelfDistilled"),
        (replace(RECIPE, hold_back=0.1), "hold_back"),
    ):
        with pytest.raises(SpecError, match=f"{kind} changes how a network is trained"):
            planned(architecture=forest, recipe=how)


def test_batches_and_budgets_that_cannot_be_are_refused_when_they_are_planned() -> None:
    def normalised() -> nn.Module:
        return nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Linear(8, 10))

    norms = architecture_of(normalised, (64,), 10)
    with pytest.raises(SpecError, match=r"flip and crop move images, .* the shape \(64,\)"):
        planned(recipe=replace(RECIPE, crop=1))
    with pytest.raises(SpecError, match="batch_size = 79 leaves a last batch of one record, of 80"):
        planned(architecture=norms, recipe=replace(RECIPE, batch_size=79))
    with pytest.raises(ModelError, match=r"1 \(BatchNorm1d\) mixes .*; give GroupNorm"):
        planned(architecture=norms, recipe=replace(RECIPE, objective=Private(8.0)))
    with pytest.raises(SpecError, match=r"delta = 0\.02 with 80 records .*less than 0\.013"):
        planned(recipe=replace(RECIPE, objective=Private(8.0, 0.02)))
