"""What the documents name is there, and what is there is named."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit import threat
from nonmember.audit.classifiers import spec as classifiers
from nonmember.audit.classifiers.spec import BY_DEFENSES, ClassifierSpec, Diffusion
from nonmember.audit.kinds import parse
from nonmember.audit.parts import toml
from nonmember.audit.transfer.spec import (
    PRIVATE,
    RECIPES,
    Attacks,
    Data,
    Downstream,
    Parents,
    Target,
    TransferSpec,
)
from nonmember.data.labelled import POOLS
from nonmember.defenses import every as _defenses  # noqa: F401  (fills the registry)
from nonmember.defenses.registry import of_family
from nonmember.models.classifiers.source import FILES, Kind
from nonmember.models.fence.select import Selector
from nonmember.models.nets import NETS
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.registry import REWRITERS
from nonmember.signals.catalogue import SIGNALS, passes
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.diffusion_recipe import DiffusionRecipe
from nonmember.verbs.fence import CALIBRATION
from nonmember.verbs.transfer import way

ROOT = Path(__file__).parents[1]
NAMES = ("soft", "classifiers", "transfer", "diffence")
GUIDES = ("classifier", "ancestor", "protect")
SOFT, CLASSIFIERS, TRANSFER, DIFFENCE, CLASSIFIER, ANCESTOR, PROTECT = [
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in NAMES + GUIDES
]
DOCUMENTS = (SOFT, CLASSIFIERS, TRANSFER, DIFFENCE)
OURS = {"synonyms": 2, "code": 3, "chat": 4, "endpoint": 4}
"""The column of the table of gates that holds a rewriter's limits."""


def table(document: str, heading: str) -> list[list[str]]:
    """The rows of the table below a row that begins so."""
    lines = document[document.index(heading) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows(document: str, column: int, heading: str) -> dict[str, list[str]]:
    """The same by one of their cells."""
    return {cells[column].strip("`"): cells for cells in table(document, heading)}


def written(options: Mapping[str, Any]) -> str:
    """Options with their defaults as a document has them; a seed, or none, goes without saying."""
    said = {key: value for key, value in options.items() if key != "seed" and value is not None}
    return ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in said.items())


def plain(value: Any) -> str:
    """A default as a table of settings has it."""
    return f"{value:g}" if type(value) in (int, float) else str(value).lower()


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_every_test_that_is_named_is_there(document: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", document)
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test


def test_defenses_of_classifiers_have_their_papers_and_defaults() -> None:
    shown = rows(DIFFENCE, 0, "| defense | stage")
    assert {name: (cells[1], *cells[3:]) for name, cells in shown.items()} == {
        name: (one.stage, one.paper, written(one.options))
        for name, one in of_family("classifier").items()
    }
    deviating = re.findall(
        r"`(\w+)`", " ".join(one[0] for one in table(DIFFENCE, "| defense | th"))
    )
    assert shown.keys() == {*deviating}


def test_a_diffusion_model_has_its_defaults() -> None:
    known = {name: one.default for name, one in Diffusion.model_fields.items() if name != "recipe"}
    shown = {name: cells[1] for name, cells in rows(DIFFENCE, 0, "| diffusion | default").items()}
    assert shown == {key: "" if one is None else plain(one) for key, one in known.items()}
    shown = {name: cells[1] for name, cells in rows(DIFFENCE, 0, "| diffusion recipe").items()}
    assert shown == {one.name: plain(one.default) for one in fields(DiffusionRecipe)}


def test_a_fence_is_told_as_it_is() -> None:
    assert rows(DIFFENCE, 0, "| `selector` | answers").keys() == set(get_args(Selector))
    assert f"`nonmember fence` {CALIBRATION:g}" in DIFFENCE
    adaptive = " ".join(cells[1] for cells in table(DIFFENCE, "| | attack |"))
    named = {*re.findall(r"`(\w+)`", adaptive)} - {"model", "leaf"}
    unnamed = {"attack_p", "trajectory", "input_statistics", "label_frequency"}
    assert named == attacks_on_classifiers().keys() - unnamed
    assert len(DIFFENCE.splitlines()) <= 300


def only_spec(document: str, folder: Path) -> Any:
    """The one spec that a document shows, as an audit reads it."""
    (block,) = re.findall(r"```toml[^\n]*\n(.*?)```", document, re.S)
    (folder / "audit.toml").write_text(block)
    return parse(toml(folder / "audit.toml"), "the document")


def test_the_spec_of_a_defended_classifier_is_one(tmp_path: Path) -> None:
    asked = only_spec(DIFFENCE, tmp_path)
    assert isinstance(asked, ClassifierSpec)
    names = [one.name for one in asked.targets["both"].defenses]
    assert names == ["selena", "diffence", "memguard"]


def test_the_guide_has_every_rewriter() -> None:
    assert rows(PROTECT, 0, "| `--rewriter`").keys() == REWRITERS.keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_table_of_gates_has_the_limits_that_there_are(name: str) -> None:
    table, limits = rows(SOFT, 0, "| gate | passes"), REWRITERS[name].limits
    said = {gate: cells[OURS[name]] for gate, cells in table.items()}
    assert said["length"] == f"{limits.shortest:g} to {limits.longest:g}"
    for gate in ("containment", "run", "similarity", "fluency"):
        assert said[gate] == f"{getattr(limits, gate):g}"
    code = REWRITERS["code"].limits is limits
    assert (said["facts"] == "yes") == (limits.facts and not code)
    assert (said["language"] == "yes") == (not code)
    assert isinstance(limits, Limits) and limits.code == (said["code"] == "yes")


def attacks_on_classifiers() -> dict[str, Attack]:
    return {attack.name: attack for attack in threat.of_kind("classifier").values()}


def attacks_on_ancestors() -> dict[str, Attack]:
    return {one.name: one for one in ATTACKS.values() if one.family == "transfer"}


def compared_language_attacks() -> dict[str, Attack]:
    every = (one for one in ATTACKS.values() if one.family == "language")
    return {one.name: one for one in every if "ref_member" in one.needs}


@pytest.mark.parametrize(
    ("document", "heading", "there"),
    [
        (CLASSIFIERS, "| attack | score", attacks_on_classifiers()),
        (CLASSIFIERS, "| attack of language models", compared_language_attacks()),
        (TRANSFER, "| attack | score", attacks_on_ancestors()),
    ],
    ids=["classifiers", "language models", "ancestors"],
)
def test_the_tables_of_attacks_have_their_papers_and_defaults(
    document: str, heading: str, there: dict[str, Attack]
) -> None:
    shown = rows(document, 0, heading)
    assert {name: (cells[2], cells[3]) for name, cells in shown.items()} == {
        name: (one.paper, written(one.options)) for name, one in there.items()
    }


def test_deviations_are_of_attacks_and_of_options_that_there_are() -> None:
    language = {"rmia` of language models": ATTACKS["language.rmia"]}
    both = (
        (CLASSIFIERS, {**attacks_on_classifiers(), **language}),
        (TRANSFER, attacks_on_ancestors()),
    )
    for document, known in both:
        for names, *_, otherwise in table(document, "| attack | the paper"):
            for name in names.strip("`").split("`, `"):
                for option in re.findall(r"`(\w+)(?: = [^`]+)?`", otherwise):
                    assert option in known[name].options, (name, option)


def test_what_alters_inputs_has_its_defaults_and_the_attacks_that_need_it() -> None:
    for name, cells in rows(CLASSIFIERS, 0, "| signal | attacks").items():
        assert cells[3] == written(SIGNALS[name].options)
        assert set(re.findall(r"`(\w+)`", cells[1])) == {
            attack.name
            for attack in attacks_on_classifiers().values()
            if name in {signal for _, signal in passes(attack.needs)}
        }


def test_the_recipe_of_references_is_shown_with_its_defaults() -> None:
    shown = {name: cells[1] for name, cells in rows(CLASSIFIERS, 0, "| recipe").items()}
    settable = [one for one in fields(ClassifierRecipe) if one.name not in BY_DEFENSES]
    assert shown == {one.name: plain(one.default) for one in settable}
    assert all(f"`{name}`" in CLASSIFIERS for name in BY_DEFENSES)


def test_every_kind_of_target_is_shown_with_its_files() -> None:
    shown = rows(CLASSIFIERS, 0, "| kind")
    assert shown.keys() == set(get_args(Kind))
    for ending, kind in FILES.items():
        assert f"`{ending}`" in shown[kind][1]


def test_figures_of_the_audit_are_the_defaults() -> None:
    fields_of = ClassifierSpec.model_fields
    references, data = fields_of["references"].default, fields_of["data"].annotation
    assert f"`--references` ({references.count})" in CLASSIFIER
    assert f"`most` ({references.most}, in a spec)" in CLASSIFIERS
    assert data is not None
    assert f"`--population` ({data.model_fields['population'].default:g})" in CLASSIFIERS
    assert f"`data.calibration` ({data.model_fields['calibration'].default:g})" in CLASSIFIERS
    queries = classifiers.Attacks.model_fields["queries"].default
    assert f"put {queries} inputs per record" in CLASSIFIERS


def test_every_way_of_fine_tuning_is_shown_with_what_its_recipe_leaves_open() -> None:
    shown = {kind: cells[2] for kind, cells in rows(TRANSFER, 0, "| `kind` | what").items()}
    private = shown.pop("any, with `epsilon")
    assert shown == {kind: written(recipe) for kind, recipe in RECIPES.items()}
    assert private == written(PRIVATE)


def test_keys_of_a_spec_about_ancestors_have_their_defaults() -> None:
    parts = {"data": Data, "downstream": Downstream, "parents": Parents, "attacks": Attacks}
    parts["targets.NAME"] = Target
    for key, (_, said, _) in rows(TRANSFER, 0, "| key | default").items():
        part, name = key.rsplit(".", 1)
        found = parts[part].model_fields[name]
        open_ = found.is_required() or found.default is None
        assert said == ("" if open_ else plain(found.default)), key


def test_ways_that_the_guide_shows_can_be_asked_for() -> None:
    shown = rows(ANCESTOR, 0, "| `--setting`")
    said = [one for key in shown for one in re.findall(r"[\w:=.]+:[\w=.]+|^\w+$", key)]
    assert {way(one)["kind"] for one in said} == RECIPES.keys()
    for one in re.findall(r"--setting ([\w:=.]+)", ANCESTOR):
        assert way(one)["kind"] in RECIPES


def test_the_guides_spec_of_ancestors_is_one(tmp_path: Path) -> None:
    asked = only_spec(ANCESTOR, tmp_path)
    assert isinstance(asked, TransferSpec)
    count = Parents.model_fields["count"].default
    assert asked.parents.count == count and f"`--references` ({count})" in ANCESTOR


def test_the_guides_spec_of_classifiers_is_one(tmp_path: Path) -> None:
    asked = only_spec(CLASSIFIER, tmp_path)
    assert isinstance(asked, ClassifierSpec)
    assert {"overfitted", "control"} == asked.targets.keys()
    assert {one.architecture for one in asked.targets.values()} <= NETS.keys()
    for name in (*POOLS, *NETS):
        assert f"`{name}`" in CLASSIFIER
