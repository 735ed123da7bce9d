"""Audits of canaries: every attack runs, and what guesses at coins bounds epsilon."""

import shutil
from math import inf
from pathlib import Path
from typing import Any

import digits
import numpy as np
import pytest
from files import sentences, written

import nonmember as nm
from nonmember.audit import kinds
from nonmember.audit.canaries import bounds, making
from nonmember.audit.canaries.making import Order
from nonmember.audit.classifiers import subject as subjects
from nonmember.audit.classifiers.subject import inspect
from nonmember.audit.records import Results, load
from nonmember.data.canaries import flipped, form_named
from nonmember.data.split import Split
from nonmember.errors import SpecError

SECRET = "ef" * 32
EVALUATION = {"resamples": 200, "redraws": 0}
RECIPE = {"epochs": 100, "batch_size": 25, "learning_rate": 0.01}
PRIVATE = [{"name": "dp_sgd", "options": {"epsilon": 2.0}}]
Values = dict[str, Any]


def canaries(data: Path, kind: Any, count: int) -> Path:
    making.make(Order(data, data.parent / "OUT", form_named(None, kind), count, SECRET, {}), None)
    return data.parent / "OUT"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 100 mislabelled digits, each put into the others by a coin."""
    folder = tmp_path_factory.mktemp("labelled")
    sides = digits.sides()
    rows, labels = (np.concatenate([side[part] for side in sides]) for part in (0, 1))
    np.savez(folder / "train.npz", x=rows, y=labels)
    return canaries(folder / "train.npz", "classifier", 100)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    return canaries(written(folder / "train.jsonl", sentences(60, seed=1)), "language", 50)


def of_classifiers(out: Path, **change: Any) -> Values:
    how = {"trained_on": "members", "architecture": "mlp", "recipe": RECIPE}
    plain = {
        "kind": "classifier",
        "data": {"canaries": str(out)},
        "targets": {
            "bare": how,
            "private": {**how, "recipe": {**RECIPE, "epochs": 5}, "defenses": PRIVATE},
        },
        "references": {"count": 0},
        "attacks": {"run": ["loss", "attack_p", "class_thresholds"]},
        "evaluation": EVALUATION,
    }
    return {**plain, **change}


@pytest.fixture(scope="module")
def classified(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("classified")
    run = folder / "run"
    return nm.audit_spec(of_classifiers(labelled), run, store=folder / "store"), run


def test_an_undefended_classifier_is_bounded_by_its_canaries(
    classified: tuple[Results, Path],
) -> None:
    bare = classified[0].targets[0]
    shown = bare.canaries
    assert shown is not None and shown.trained_here and shown.claimed is None
    assert (shown.canaries, shown.inserted) == (100, int(flipped(SECRET, 100).sum()))
    assert shown.attack == "loss" and "fixed before any score was seen" in shown.chosen
    assert [one.valid for one in shown.bounds] == ["dp", "dp", "dp", "descriptive"]
    assert min(one.epsilon for one in shown.bounds[:3]) > 0.5
    assert {one.name for one in bare.attacks} >= {"loss", "attack_p", "class_thresholds"}
    assert {one.members for one in bare.attacks} == {shown.inserted}


def test_a_private_ones_bound_is_below_what_its_accountant_claims(
    classified: tuple[Results, Path],
) -> None:
    private = classified[0].targets[1]
    shown = private.canaries
    assert shown is not None and shown.claimed is not None and not shown.refuted
    assert shown.claimed.by == "the accountant of dp_sgd"
    assert shown.claimed.epsilon == pytest.approx(2, abs=0.01)
    assert shown.bounds[0].epsilon <= shown.claimed.epsilon
    assert {one.delta for one in shown.bounds} == {shown.claimed.delta}
    assert [one.code for one in private.findings if one.code >= "E130"] == ["E130"]


def test_the_page_and_the_results_have_the_bounds(classified: tuple[Results, Path]) -> None:
    results, run = classified
    assert load(run) == results
    page = (run / "report.html").read_text()
    bound = results.targets[0].canaries
    assert bound is not None and bound.bounds[0].at_least in page
    assert "What canaries show" in page and "the accountant of dp_sgd" in page
    assert "What that means for people" not in page
    assert SECRET not in page and SECRET not in (run / "results.json").read_text()
    assert not any(target.exposed for target in results.targets)  # that would tell coins
    # Wrong classes say nothing of what a model is worth.
    assert all(target.classifier is None for target in results.targets)


def test_references_see_data_as_the_target_does_and_attackers_the_spare(labelled: Path) -> None:
    spec = of_classifiers(labelled, references={"count": 4}, attacks={"run": ["loss", "rmia"]})
    spec["targets"].pop("private")
    subject = inspect(kinds.parse(spec, "spec"))
    candidates = subject.candidates
    assert len(candidates.population) == 20 and not candidates.split.member.all()
    rest = len(candidates.rest)
    assert rest == 300 - 100 - 20
    assert len(candidates.members) == rest + candidates.split.member.sum()
    references = subject.targets[0].references
    assert references is not None
    assert references.member.sum(axis=1) == pytest.approx((rest + 100) / 2, abs=2)


def test_several_guessers_share_the_error(labelled: Path, tmp_path: Path) -> None:
    data = {"canaries": str(labelled), "guess_by": "all"}
    spec = of_classifiers(labelled, data=data)
    spec["targets"].pop("private")
    shown = nm.audit_spec(spec, tmp_path / "run", store=tmp_path / "store").targets[0].canaries
    assert shown is not None and {*shown.attacks} <= {"loss", "attack_p"}
    assert len(shown.attacks) == len(shown.bounds) == 4 and shown.attacks[-1] == shown.attack
    assert all("best of 2 attacks" in one.method for one in shown.bounds)
    assert {one.level for one in shown.bounds} == {0.95}
    assert "best of 2, each at its share" in shown.chosen  # class_thresholds is told


def test_the_pooled_bound_pays_for_the_choice_among_attacks_too(labelled: Path) -> None:
    spec = kinds.parse(of_classifiers(labelled), "spec")
    member = flipped(SECRET, 100)
    split = Split(member, np.arange(100))
    told, blind = member + np.linspace(0, 0.5, 100), np.linspace(0, 1, 100)
    alone, alone_bounds = bounds._bounds({"told": told}, split, 1e-5, spec)
    among = {"told": told, **{f"blind {n}": blind for n in range(3)}}
    names, shared = bounds._bounds(among, split, 1e-5, spec)
    assert {*alone, *names} == {"told"} and len(names) == len(shared) == 4
    for one, other in zip(alone_bounds, shared, strict=True):
        assert 0 < other.epsilon < one.epsilon and other.level == one.level
        assert other.method.endswith("best of 4 attacks")


def test_near_duplicates_among_canaries_name_none(tmp_path: Path) -> None:
    """Who is near whom across the split says what their coins are."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(150, 20)), 2, axis=0) + rng.normal(0, 1e-6, (300, 20))
    np.savez(tmp_path / "train.npz", x=rows.astype(np.float32), y=np.arange(300) % 3)
    out = canaries(tmp_path / "train.npz", "classifier", 100)
    found = inspect(kinds.parse(of_classifiers(out), "spec"))
    assert subjects._near(found.candidates)
    assert not any(one.records or "canar" in one.message for one in found.findings)


def test_no_finding_beside_canaries_names_any(classified: tuple[Results, Path]) -> None:
    results = classified[0]
    every = (*results.findings, *(one for found in results.targets for one in found.findings))
    assert every and not any(one.records for one in every)


def test_a_language_model_is_bounded_and_a_smaller_claim_refuted(
    texts: Path, base: Path, tmp_path: Path
) -> None:
    """Trained here and bounded; then the same weights, as from elsewhere, held to a claim."""
    how = {"epochs": 20, "learning_rate": 0.02, "batch_size": 8}
    spec: Values = {
        "data": {"canaries": str(texts), "max_tokens": 24},
        "targets": {"model": {"trained_on": "members", "base": str(base), "recipe": how}},
        "attacks": {"run": ["loss", "reference_difference"]},
        "evaluation": EVALUATION,
    }
    (first,) = nm.audit_spec(spec, tmp_path / "first", store=tmp_path / "store").targets
    assert first.canaries is not None and first.canaries.attack == "reference_difference"
    assert first.canaries.trained_here and first.canaries.bounds[0].epsilon > 0.1
    assert first.utility is None and "records: the members" in first.description
    told = {"model": trained(tmp_path / "store", base, tmp_path), "base": str(base)}
    spec["targets"] = {"model": {**told, "claimed": {"epsilon": 0.01}}}
    (second,) = nm.audit_spec(spec, tmp_path / "second", store=tmp_path / "store").targets
    shown = second.canaries
    assert shown is not None and shown.refuted and not shown.trained_here
    assert shown.bounds[0] == first.canaries.bounds[0]
    codes = {one.code: one.message for one in second.findings}
    assert "the claim of epsilon 0.01 at delta 1e-05" in codes["E131"]
    assert "holds for a model that was trained on train.jsonl" in codes["E130"]
    assert "The claim is refuted" in (tmp_path / "second" / "report.html").read_text()


def trained(store: Path, base: Path, folder: Path) -> str:
    """The weights that a store holds, as a folder of a model."""
    (weights,) = {path for path in store.rglob("*.safetensors")}
    place = folder / "tuned"
    shutil.copytree(base, place)
    shutil.copyfile(weights, place / "model.safetensors")
    return str(place)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": {"canaries": "OUT", "known": 5}}, "their coins must not"),
        ({"data": {"canaries": "OUT", "field": "text"}}, "field: the canaries' folder decides"),
        ({"data": {"members": "a", "non_members": "b", "guess_by": "loss"}}, "give canaries"),
        ({"data": {"canaries": "OUT", "pool": "python-functions"}}, "or canaries"),
        ({"targets": {"m": {"model": "x", "claimed": {"epsilon": -1}}}}, "greater than or equal"),
        (
            {
                "data": {"members": "a", "non_members": "b"},
                "targets": {"m": {"model": "x", "claimed": {"epsilon": 1}}},
            },
            "give data.canaries",
        ),
        (
            {"targets": {"m": {"base": "x", "trained_on": "members", "claimed": {"epsilon": 1}}}},
            "trained elsewhere",
        ),
        ({"targets": {"m": {"base": "x", "trained_on": "control"}}}, "control"),
        ({"data": {"canaries": ""}}, "canaries names no folder"),
        ({"data": {"members": "a", "non_members": "b", "canaries": ""}}, "names no folder"),
        ({"targets": {"m": {"model": "x", "claimed": {"epsilon": inf}}}}, "finite"),
        ({"targets": {"m": {"model": "x", "claimed": {"epsilon": 1, "delta": 0}}}}, "than 0"),
    ],
)
def test_what_coins_must_not_depend_on_is_refused(change: Values, said: str) -> None:
    plain = {"data": {"canaries": "OUT"}, "targets": {"m": {"model": "x"}}}
    with pytest.raises(SpecError, match=said):
        kinds.parse({**plain, **change}, "spec")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": {"canaries": "OUT", "calibration": 0.2}}, "calibration: the canaries' folder"),
        ({"data": {"canaries": "OUT", "label": "y"}}, "label: the canaries' folder"),
        ({"references": {"precision": 0.01}}, "canaries' coins must decide nothing"),
    ],
)
def test_the_same_of_classifiers(change: Values, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        kinds.parse(of_classifiers(Path("OUT"), **change), "spec")


@pytest.mark.parametrize("name", ["nn_attack", "gap", "label_frequency"])
def test_who_is_told_of_coins_or_does_not_run_cannot_guess(labelled: Path, name: str) -> None:
    spec = of_classifiers(labelled, data={"canaries": str(labelled), "guess_by": name})
    spec["targets"].pop("private")
    spec["attacks"] = {"run": ["loss", "nn_attack", "label_frequency"]}
    with pytest.raises(SpecError, match=f"targets.bare: data.guess_by: '{name}' does not run"):
        inspect(kinds.parse(spec, "spec"))
