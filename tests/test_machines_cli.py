"""A finished audit for machines, by the command line: gate, export, verify, schema."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from report import sample

import nonmember as nm
from nonmember.audit import records
from nonmember.evaluation.checks import Finding

Say = Callable[..., tuple[int, str, str]]
BROKEN = Finding("E101", "error", "the sides differ")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run as an audit leaves it, but for its page and its private records."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "results.json").write_bytes(records.dump(sample.results()))
    return folder


@pytest.mark.parametrize(
    ("condition", "status", "said"),
    [
        ("auc ci_low of control > 0.6", 0, "passed: control: auc ci_low of control > 0.6: 0."),
        ("auc ci_low of leaky > 0.6", 1, "failed: leaky: "),
        ("tpr@fpr=0.001 of leaky > 0.6", 2, "unjudged: leaky: "),
        ("gap of leaky > 0.6", 2, "unjudged: leaky: "),
    ],
)
def test_a_gate_is_a_line_and_an_exit_status(
    say: Say, run: Path, condition: str, status: int, said: str
) -> None:
    found, out, err = say("gate", run, "--fail-if", condition)
    assert (found, err) == (status, "")
    assert out.startswith(said) and out.count("\n") == 1


def test_a_broken_split_is_status_3(say: Say, run: Path) -> None:
    broken = replace(sample.results(), findings=(BROKEN,))
    (run / "results.json").write_bytes(records.dump(broken))
    status, out, _ = say("gate", run, "--fail-if", "auc > 0.99")
    assert status == 3 and "not valid as evidence (E101: the sides differ)" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no condition; give --fail-if 'tpr@fpr=0.01 ci_low > 0.05'"),
        (("--fail-if", "accuracy > 0.5"), "There are auc, tpr@fpr=RATE"),
        (("--fail-if", "auc of nobody > 0.5"), "no target 'nobody'"),
    ],
)
def test_wrong_usage_is_status_2_and_one_sentence(
    say: Say, run: Path, words: tuple[str, ...], said: str
) -> None:
    status, out, err = say("gate", run, *words)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


NO_PLACE = [
    ("no/file", "no/file: its folder does not exist; make it"),
    (".", ".: is a folder; give"),
]


@pytest.mark.parametrize("output", ["--junit", "--sarif"])
@pytest.mark.parametrize(("place", "said"), NO_PLACE)
def test_a_gate_that_could_not_write_writes_nothing(
    say: Say, run: Path, monkeypatch: pytest.MonkeyPatch, output: str, place: str, said: str
) -> None:
    monkeypatch.chdir(run.parent)
    other = {"--junit": "--sarif", "--sarif": "--junit"}[output]
    words = "--fail-if", "auc > 0.5", other, "there", output, place
    status, out, err = say("gate", "run", *words)
    assert (status, out, err.count("\n")) == (2, "", 1) and f"error: {said}" in err
    assert [one.name for one in run.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("output", ["--model-card", "--annex"])
@pytest.mark.parametrize(("place", "said"), NO_PLACE)
def test_an_export_that_could_not_write_writes_nothing(
    say: Say, run: Path, monkeypatch: pytest.MonkeyPatch, output: str, place: str, said: str
) -> None:
    monkeypatch.chdir(run.parent)
    other = {"--model-card": "--annex", "--annex": "--model-card"}[output]
    words = "--target", "leaky", other, "there.md", output, place
    status, out, err = say("export", "run", *words)
    assert (status, out, err.count("\n")) == (2, "", 1) and f"error: {said}" in err
    assert [one.name for one in run.parent.iterdir()] == ["run"]


def test_a_gate_writes_what_ci_services_read(
    say: Say, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["--junit", "junit.xml", "--sarif", "found.sarif"]
    status, out, _ = say("gate", "run", "--fail-if", "auc ci_low > 0.6", *files, "--json")
    told = json.loads(out)
    assert status == told["status"] == 1
    assert [one["state"] for one in told["outcomes"]] == ["failed", "passed"]
    assert told["outcomes"][0]["reading"]["low"] > 0.6
    root = ElementTree.parse("junit.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    results = json.loads(Path("found.sarif").read_text())["runs"][0]["results"]
    place = results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "run/results.json"


def test_a_card_and_an_annex_are_exported(say: Say, run: Path, tmp_path: Path) -> None:
    card, annex = tmp_path / "README.md", tmp_path / "annex.md"
    card.write_text("---\nlicense: mit\n---\n# Mine\n")
    card.chmod(0o640)
    status, _, err = say("export", run, "--model-card", card)
    assert status == 2 and "choose --target of: leaky, control" in err
    where = ["--model-card", card, "--annex", annex]
    status, out, _ = say("export", run, *where, "--target", "leaky")
    assert status == 0 and str(card) in out and str(annex) in out
    first = card.read_text()
    assert "## Membership privacy" in first and "# Mine\n" in first
    assert card.stat().st_mode & 0o777 == 0o640
    assert say("export", run, *where, "--target", "leaky", "--json")[0] == 0
    assert card.read_text() == first
    assert "EDPB Opinion 28/2024" in annex.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to write"),
        (("--model-card", "README.md", "--target", "leakey"), "did you mean leaky"),
    ],
)
def test_an_export_of_nothing_is_refused(
    say: Say, run: Path, words: tuple[str, ...], said: str
) -> None:
    status, out, err = say("export", run, *words)
    assert (status, out) == (2, "") and said in err
    assert not Path("README.md.part").exists()


def test_a_card_that_is_no_text_stays_as_it_was(say: Say, run: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.bin"
    card.write_bytes(b"\xff\xfe")
    status, _, err = say("export", run, "--model-card", card, "--target", "leaky")
    assert status == 2 and "not UTF-8" in err and card.read_bytes() == b"\xff\xfe"


def test_a_change_is_verified_and_named(say: Say, run: Path) -> None:
    from nonmember.audit import manifest

    assert say("verify", run)[0] == 2
    manifest.write(run)
    status, out, _ = say("verify", run)
    assert status == 0 and "as they were: 1 files" in out and "sha256" in out
    (run / "results.json").write_bytes(b"{}")
    status, out, _ = say("verify", run)
    assert status == 1 and "changed: 'results.json'" in out
    told = json.loads(say("verify", run, "--json")[1])
    assert told["whole"] is False and told["changed"] == ["results.json"]


def test_the_schema_is_printed_and_holds(say: Say, run: Path) -> None:
    status, out, _ = say("schema")
    known = json.loads(out)
    assert status == 0 and known["properties"]["schema"]["const"] == records.SCHEMA
    jsonschema.validate(json.loads((run / "results.json").read_text()), known)


@pytest.mark.parametrize("command", ["gate", "export", "verify"])
@pytest.mark.parametrize(
    "content", [None, b"", b'{"schema": 99}', b"{" * 1000], ids=["missing", "empty", "new", "cut"]
)
def test_a_bad_run_is_one_sentence(
    say: Say, tmp_path: Path, command: str, content: bytes | None
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    if content is not None:
        (run / "results.json").write_bytes(content)
    words = {"gate": ["--fail-if", "auc > 0.6"], "export": ["--annex", tmp_path / "a.md"]}
    status, out, err = say(command, run, *words.get(command, []))
    assert (status, out, err.count("\n")) == (2, "", 1) and len(err) < 500


def test_the_report_keeps_the_manifest_up_to_date(say: Say, run: Path) -> None:
    assert say("report", run, "--no-show-text")[0] == 0
    assert say("verify", run)[0] == 0
    assert say("report", run, "--no-show-text")[0] == 0
    assert say("verify", run)[0] == 0
    page = run / "report.html"
    page.write_text(page.read_text().replace("Leaks", "Is fine"))
    status, out, _ = say("verify", run)
    assert status == 1 and "changed: 'report.html'" in out


SEALED = [
    ("gate", "--junit", "--sarif", ["--fail-if", "auc > 0.5"]),
    ("export", "--model-card", "--annex", ["--target", "leaky"]),
]


@pytest.mark.parametrize(("command", "one", "other", "words"), SEALED)
@pytest.mark.parametrize("place", ["results.json", "new", "link"])
def test_nothing_is_written_into_a_run(
    say: Say, run: Path, command: str, one: str, other: str, words: list[str], place: str
) -> None:
    path = run / place
    if place == "link":
        path = run.parent / place
        path.symlink_to(run / "results.json")
    before = (run / "results.json").read_bytes()
    for option in (one, other):
        status, out, err = say(command, run, *words, option, path)
        assert (status, out) == (2, "") and "is in the run" in err
    assert (run / "results.json").read_bytes() == before and not (run / "new").exists()


@pytest.mark.parametrize(("command", "one", "other", "words"), SEALED)
def test_two_files_in_one_place_are_refused(
    say: Say, run: Path, command: str, one: str, other: str, words: list[str]
) -> None:
    place = run.parent / "x"
    status, out, err = say(command, run, *words, one, place, other, run.parent / "run/../x")
    assert (status, out) == (2, "") and "is given for two files" in err
    assert not place.exists()


def test_one_condition_needs_no_list(run: Path) -> None:
    assert nm.gate(run, "auc ci_low > 0.6") == nm.gate(run, ["auc ci_low > 0.6"])


@pytest.mark.parametrize("name", ["auc by {}", "auc of {}", "tpr@fpr=2.{}", "auc@fpr={}"])
def test_long_names_are_not_repeated(say: Say, run: Path, name: str) -> None:
    status, _, err = say("gate", run, "--fail-if", f"{name.format('9' * 5000)} > 0.5")
    assert status == 2 and len(err) < 500
