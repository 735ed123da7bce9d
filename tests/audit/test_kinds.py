"""Which kind of audit a spec describes, and what both kinds say of a key that there is not."""

from pathlib import Path
from typing import Any

import pytest

from nonmember.audit import kinds, run, ways
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.language.spec import Spec
from nonmember.errors import SpecError

SIDES = {"members": "a", "non_members": "b"}
LANGUAGE: dict[str, Any] = {"data": SIDES, "targets": {"m": {"model": "x"}}}
CLASSIFIER: dict[str, Any] = {"kind": "classifier", **LANGUAGE}


def test_a_spec_without_a_kind_is_of_language_models() -> None:
    assert isinstance(kinds.parse(LANGUAGE, "test"), Spec)
    assert isinstance(kinds.parse({**LANGUAGE, "kind": "language"}, "test"), Spec)
    assert isinstance(kinds.parse(CLASSIFIER, "test"), ClassifierSpec)


def test_every_kind_has_its_way() -> None:
    assert kinds.KINDS.keys() == ways.WAYS.keys()
    for values in (LANGUAGE, CLASSIFIER):
        spec = kinds.parse(values, "test")
        assert ways.of(spec) is ways.WAYS[spec.kind]


@pytest.mark.parametrize("values", [LANGUAGE, CLASSIFIER], ids=["language", "classifier"])
def test_a_spec_is_read_back_as_it_was_written(values: dict[str, Any], tmp_path: Path) -> None:
    spec = kinds.parse(values, "test")
    run.claim(tmp_path / "run", spec)
    assert run.asked(tmp_path / "run") == spec


@pytest.mark.parametrize("values", [LANGUAGE, CLASSIFIER], ids=["language", "classifier"])
@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        ("", {"atacks": {}}, "no key 'atacks'; did you mean attacks"),
        ("data", {"membrs": "a"}, "test: data.membrs: no key 'membrs'; did you mean members"),
        ("targets.m", {"modl": "a"}, "no key 'modl'; did you mean model"),
        ("evaluation", {"fprs": [0.1]}, "no key 'fprs'; did you mean fpr"),
        ("evaluation", {"fpr": [1.5]}, "evaluation.fpr.0: Input should be less than 1"),
        ("references", {"recipe": {"epoch": 1}}, "no recipe setting 'epoch'; did you mean epochs"),
        ("references", {"count": 7}, "references.count: Input should be a multiple of 2"),
        ("attacks", {"access": "everything"}, "attacks.access: Input should be"),
        ("data", {"pool": "digits"}, "give members and non_members .two files., or pool and take"),
    ],
)
def test_a_key_or_value_that_cannot_be_is_named(
    values: dict[str, Any], place: str, change: dict[str, Any], said: str
) -> None:
    given: Any = {"references": {}, "evaluation": {}, "attacks": {}, **values}
    given = {key: dict(one) if isinstance(one, dict) else one for key, one in given.items()}
    given["targets"] = {"m": dict(given["targets"]["m"])}
    there = given
    for part in place.split(".") if place else ():
        there = there[part]
    there.update(change)
    with pytest.raises(SpecError, match=said):
        kinds.parse(given, "test")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({}, "give model, or trained_on and architecture"),
        ({"model": "x", "trained_on": "members"}, "give model, or trained_on and architecture"),
        ({"trained_on": "members"}, "trained_on and architecture belong together"),
        ({"model": "x", "architecture": "mlp"}, "trained_on and architecture belong together"),
        (
            {"trained_on": "members", "architecture": "mlp", "weights": "w"},
            "weights are of a model that is there",
        ),
        (
            {"trained_on": "control", "architecture": "mlp"},
            "targets.m is trained on control records; set data.take.control",
        ),
    ],
)
def test_a_classifier_is_there_or_is_trained_here(target: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        kinds.parse({**CLASSIFIER, "targets": {"m": target}}, "test")


def test_an_unknown_kind_suggests_near_ones() -> None:
    with pytest.raises(SpecError, match="kind: no kind of audit 'languages'; did you mean languag"):
        kinds.parse({**LANGUAGE, "kind": "languages"}, "test")
