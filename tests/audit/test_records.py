"""What is read of a run: whole and of a known form, or one sentence about what is wrong."""

import json
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from report import sample, sample_classifier

from nonmember.audit import records
from nonmember.audit.records import Results
from nonmember.audit.schema import schema
from nonmember.errors import RunError
from nonmember.evaluation.intervals import Interval


def endless() -> Results:
    """A run of which one side is one person's, so that an interval has no ends."""
    target = sample.leaky()
    assert target.fit
    return sample.results(
        replace(target, fit=replace(target.fit, members=Interval(-inf, 1.0, inf, 0.95)))
    )


def kept(folder: Path, content: bytes) -> Path:
    (folder / "results.json").write_bytes(content)
    return folder


def values(**change: Any) -> bytes:
    return json.dumps({**json.loads(records.dump(sample.results())), **change}).encode()


def test_an_interval_without_ends_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = kept(tmp_path, records.dump(endless()))
    assert records.load(run) == json_form(endless())
    json.loads((run / "results.json").read_text(), parse_constant=pytest.fail)


def json_form(results: Results) -> Results:
    return records.ADAPTER.validate_json(records.dump(results))


@pytest.mark.parametrize("results", [sample.results(), sample_classifier.study(), endless()])
def test_results_are_what_their_schema_says(results: Results) -> None:
    known = schema()
    jsonschema.Draft202012Validator.check_schema(known)
    jsonschema.validate(json.loads(records.dump(results)), known)


@pytest.mark.parametrize(
    "change",
    [{"schema": records.SCHEMA + 1}, {"kind": "no"}, {"level": "high"}, {"targets": None}],
    ids=str,
)
def test_the_schema_refuses_what_the_reader_refuses(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(values(**change)), schema())
    with pytest.raises(RunError):
        records.load(kept(tmp_path, values(**change)))


def test_a_newer_form_that_looks_damaged_is_called_newer(tmp_path: Path) -> None:
    newer = json.dumps({"schema": records.SCHEMA + 1, "verdicts": []}).encode()
    with pytest.raises(RunError, match=r"schema \d+ is newer than \d+; upgrade"):
        records.load(kept(tmp_path, newer))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_truncated_results_are_called_cut_short(tmp_path: Path, share: float) -> None:
    whole = records.dump(sample.results())
    with pytest.raises(RunError, match=r"damaged or cut short at [0-9,]+ bytes"):
        records.load(kept(tmp_path, whole[: int(share * len(whole))]))


@pytest.mark.parametrize(
    "content",
    [b"[" * 100_000, b"[1]", b"null", b'"x"', b'{"schema": "4"}', b'{"title": "\xff\x07"}', b"\0"],
    ids=["deep", "list", "null", "text", "schema as text", "not UTF-8", "zero"],
)
def test_what_is_no_results_is_one_short_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RunError) as refused:
        records.load(kept(tmp_path, content))
    said = str(refused.value).removeprefix(str(tmp_path))
    assert said.isprintable() and len(said) < 300


def test_a_megabyte_of_text_does_not_get_into_an_error(tmp_path: Path) -> None:
    long = {"targets": [{"name": "x" * 1_000_000}], "data": {"k" * 1_000_000: 1}}
    with pytest.raises(RunError) as refused:
        records.load(kept(tmp_path, values(**long)))
    assert len(str(refused.value)) < 600
    with pytest.raises(RunError):
        records.load(kept(tmp_path, values(data=[], **{"k" * 1_000_000: 1})))


def test_a_title_of_control_characters_is_read_as_it_is(tmp_path: Path) -> None:
    found = records.load(kept(tmp_path, values(title="\x00\x07\x1b[31m")))
    assert found.title == "\x00\x07\x1b[31m"


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.json").mkdir()
    with pytest.raises(RunError, match=r"no results\.json here; give the folder"):
        records.load(tmp_path)
