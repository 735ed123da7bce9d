"""What the documents name is there, and what is there is named."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from nonmember import defenses as _defenses  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit import threat
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.kinds import parse
from nonmember.audit.parts import toml
from nonmember.data.labelled import POOLS
from nonmember.defenses.registry import DEFENSES
from nonmember.models.classifiers.source import FILES, Kind
from nonmember.models.nets import NETS
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.registry import REWRITERS
from nonmember.signals.catalogue import SIGNALS, passes
from nonmember.training.classifier_recipe import ClassifierRecipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOFT, CLASSIFIERS = (
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("soft.md", "classifiers.md")
)
OURS = {"synonyms": 2, "code": 3, "chat": 4, "endpoint": 4}
"""The column of the table of gates that holds a rewriter's limits."""


def rows(document: str, column: int, heading: str) -> dict[str, list[str]]:
    """The rows of the table below a row that begins so, by one of their cells."""
    lines = document[document.index(heading) :].split("\n\n", 1)[0].splitlines()[2:]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {cells[column].strip("`"): cells for cells in found}


def written(options: Mapping[str, Any]) -> str:
    """Options with their defaults as a document has them; a seed, or none, goes without saying."""
    said = {key: value for key, value in options.items() if key != "seed" and value is not None}
    return ", ".join(f"`{key} = {json.dumps(value)}`" for key, value in said.items())


@pytest.mark.parametrize("document", [SOFT, CLASSIFIERS], ids=["soft", "classifiers"])
def test_every_test_that_is_named_is_there(document: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", document)
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8"), test


def test_the_readme_has_every_defense_with_its_stage_and_paper() -> None:
    shown = rows(README, 0, "| defense | stage")
    assert {(name, cells[1], cells[3]) for name, cells in shown.items()} == {
        (one.name, one.stage, one.paper) for one in DEFENSES.values()
    }


def test_the_readme_has_every_rewriter() -> None:
    assert rows(README, 0, "| `--rewriter`").keys() == REWRITERS.keys()


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


def compared_language_attacks() -> dict[str, Attack]:
    every = (one for one in ATTACKS.values() if one.family == "language")
    return {one.name: one for one in every if "ref_member" in one.needs}


@pytest.mark.parametrize(
    ("heading", "there"),
    [
        ("| attack | score", attacks_on_classifiers()),
        ("| attack of language models", compared_language_attacks()),
    ],
)
def test_the_tables_of_attacks_have_their_papers_and_defaults(
    heading: str, there: dict[str, Attack]
) -> None:
    shown = rows(CLASSIFIERS, 0, heading)
    assert {name: (cells[2], cells[3]) for name, cells in shown.items()} == {
        name: (one.paper, written(one.options)) for name, one in there.items()
    }


def test_deviations_are_of_attacks_and_of_options_that_there_are() -> None:
    known = {**attacks_on_classifiers(), "rmia` of language models": ATTACKS["language.rmia"]}
    for names, cells in rows(CLASSIFIERS, 0, "| attack | the paper").items():
        for name in names.split("`, `"):
            for option in re.findall(r"`(\w+)(?: = [^`]+)?`", cells[3]):
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
    assert shown == {
        one.name: f"{one.default:g}"
        if type(one.default) in (int, float)
        else str(one.default).lower()
        for one in fields(ClassifierRecipe)
    }


def test_every_kind_of_target_is_shown_with_its_files() -> None:
    shown = rows(CLASSIFIERS, 0, "| kind")
    assert shown.keys() == set(get_args(Kind))
    for ending, kind in FILES.items():
        assert f"`{ending}`" in shown[kind][1]


def test_figures_of_the_audit_are_the_defaults() -> None:
    fields_of = ClassifierSpec.model_fields
    references, data = fields_of["references"].default, fields_of["data"].annotation
    assert f"`--references` ({references.count})" in README
    assert f"`most` ({references.most}, in a spec)" in CLASSIFIERS
    assert data is not None
    assert f"`--population` ({data.model_fields['population'].default:g})" in CLASSIFIERS


def test_the_readmes_spec_of_classifiers_is_one(tmp_path: Path) -> None:
    (block,) = (
        text for text in re.findall(r"```toml\n(.*?)```", README, re.S) if "classifier" in text
    )
    (tmp_path / "audit.toml").write_text(block)
    asked = parse(toml(tmp_path / "audit.toml"), "README")
    assert isinstance(asked, ClassifierSpec)
    assert {"overfitted", "control"} == asked.targets.keys()
    assert {one.architecture for one in asked.targets.values()} <= NETS.keys()
    for name in (*POOLS, *NETS):
        assert f"`{name}`" in README
