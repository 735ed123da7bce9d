from pathlib import Path

import pytest

from nonmember.audit import kinds
from nonmember.audit.language import spec
from nonmember.errors import SpecError
from nonmember.verbs.specs import demo_spec

FILES = {"members": "a.jsonl", "non_members": "b.jsonl"}
VALID = {"data": FILES, "targets": {"mine": {"model": "m"}}}


def refusal(values: dict) -> str:
    with pytest.raises(SpecError) as caught:
        spec.parse(values, "audit.toml")
    assert str(caught.value).startswith("audit.toml: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_small_spec_gets_every_default() -> None:
    found = spec.parse(VALID, "here")
    assert found.data.max_tokens == 512
    assert found.evaluation.fpr == (0.01,)
    assert found.evaluation.redraws == 20
    assert found.report.show_text is False


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sed": 1}, "no key 'sed'; did you mean seed"),
        ({"data": {**FILES, "max_token": 5}}, "no key 'max_token'; did you mean max_tokens"),
        ({"targets": {"mine": {"modle": "m"}}}, "no key 'modle'; did you mean model"),
        (
            {"targets": {"mine": {"base": "b", "trained_on": "members", "recipe": {"epoch": 1}}}},
            "no recipe setting 'epoch'; did you mean epochs",
        ),
        ({"evaluation": {"fprs": [0.1]}}, "no key 'fprs'; did you mean fpr"),
    ],
)
def test_an_unknown_key_is_named_with_its_near_miss(change: dict, said: str) -> None:
    assert said in refusal({**VALID, **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": {"members": "a"}}, "give members and non_members"),
        ({"data": {**FILES, "pool": "c", "take": {"members": 1}}}, "give members and non_members"),
        ({"data": {"pool": "c"}}, "or pool and take"),
        ({"targets": {}}, "targets"),
        ({"targets": {"mine": {"base": "b"}}}, "give model, or trained_on and base"),
        (
            {"targets": {"mine": {"model": "m", "trained_on": "members"}}},
            "give model, or trained_on",
        ),
        ({"targets": {"mine": {"trained_on": "members"}}}, "trained_on needs base"),
        ({"targets": {"mine": {"base": "b", "trained_on": "control"}}}, "set data.take.control"),
        ({"evaluation": {"fpr": [0]}}, "evaluation.fpr.0"),
        ({"evaluation": {"fpr": [1.0]}}, "evaluation.fpr.0"),
        ({"evaluation": {"level": 1.0}}, "evaluation.level"),
        ({"data": {**FILES, "max_tokens": 1}}, "data.max_tokens"),
        ({"compute": {"precision": "int4"}}, "compute.precision"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_values_are_refused_naming_the_key(change: dict, said: str) -> None:
    assert said in refusal({**VALID, **change})


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        kinds.read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("title = [")
    with pytest.raises(SpecError, match=r"broken\.toml: not readable as TOML"):
        kinds.read(broken)
    broken.write_bytes(b"title = '\xff'")
    with pytest.raises(SpecError, match="not readable as TOML"):
        kinds.read(broken)


def test_the_demos_specs_differ_only_in_how_many_records_they_take() -> None:
    full, quick = (demo_spec(quick=quick).model_dump() for quick in (False, True))
    assert full["data"].pop("take") != quick["data"].pop("take")
    assert full["targets"]["leaky"]["trained_on"] == "members"
    assert full["targets"]["control"]["trained_on"] == "control"
    assert full == quick
