"""The words a user types, and the one sentence that answers a mistake."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from files import sentences, written

import nonmember as nm
from nonmember.attacks.registry import ATTACKS
from nonmember.console import results
from nonmember.evaluation import checks
from nonmember.verbs.audits import incomplete

Say = Callable[..., tuple[int, str, str]]


def refused(answer: tuple[int, str, str]) -> str:
    """The sentence of a refusal: status 2, one line, nothing on standard output."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    return err


def lines(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture
def sides(tmp_path: Path) -> list[object]:
    members = lines(tmp_path / "in.jsonl", [f"a member text number {i}" for i in range(4)])
    others = lines(tmp_path / "out.jsonl", [f"another text number {i}" for i in range(4)])
    return ["--members", members, "--non-members", others, "--output", tmp_path / "run"]


def test_help_names_every_command(say: Say) -> None:
    status, out, _ = say("--help")
    assert status == 0
    for command in ("demo", "audit", "report", "list"):
        assert command in out


def test_every_attack_and_signal_is_listed(say: Say) -> None:
    _, attacks, _ = say("list", "attacks")
    _, signals, _ = say("list", "signals")
    for name in ("language.wbc", "blind.bag_of_words", "2601.02751"):
        assert name in attacks
    for name in ("token_logprobs", "zlib_length", "token_entropy", "dist"):
        assert name in signals


def test_the_attacks_can_be_had_as_a_markdown_table(say: Say) -> None:
    _, table, _ = say("list", "attacks", "--markdown")
    head, _, *rows = table.strip().splitlines()
    assert head == "| attack | access | needs | paper |"
    assert [row.split("`")[1] for row in rows] == sorted(ATTACKS)


def test_a_missing_model_is_one_sentence(say: Say, sides: list[object]) -> None:
    said = refused(say("audit", "llm", "--model", "smolm2", *sides))
    assert "smolm2: no such file or folder" in said
    assert "did you mean smollm2" in said


def test_an_unknown_attack_suggests_near_misses_before_any_file_is_read(say: Say) -> None:
    nowhere = ["--members", "no.jsonl", "--non-members", "no.jsonl", "--output", "no"]
    said = refused(say("audit", "llm", "--model", "no", "--attack", "wcb", *nowhere))
    assert "no attack 'wcb'; did you mean wbc" in said


def test_an_audit_of_blind_attacks_alone_is_refused(say: Say, sides: list[object]) -> None:
    said = refused(say("audit", "llm", "--model", "no", "--attack", "bag_of_words", *sides))
    assert "no attack on the model" in said


def test_a_missing_spec_and_a_missing_run_are_one_sentence(say: Say, tmp_path: Path) -> None:
    spec = say("audit", "spec", tmp_path / "no.toml", "--output", tmp_path / "run")
    assert "no such file" in refused(spec)
    assert "no results.json here" in refused(say("report", tmp_path))
    assert not (tmp_path / "run").exists()


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    return tiny.adapter(tmp_path / "tuned", tiny.llama(tmp_path / "base"))


def test_an_audit_of_an_adapter_prints_its_figures_and_where_the_page_is(
    say: Say, tmp_path: Path, tuned: Path
) -> None:
    members = written(tmp_path / "in.jsonl", sentences(24, seed=1))
    others = written(tmp_path / "out.jsonl", sentences(60, seed=2)[24:])
    files = ["--members", members, "--non-members", others, "--max-tokens", 24]
    places = ["--output", tmp_path / "run", "--store", tmp_path / "store"]
    command = ["audit", "llm", "--model", tuned, *files, *places, "--fpr", 0.1]
    status, out, err = say(*command, "--dry-run")
    assert status == 0 and "ask the base of model" in out
    assert not (tmp_path / "run").exists()
    status, out, err = say(*command)
    assert status == 0 and "3 jobs to do" in err
    for said in ("wbc", "bag_of_words", "24+36", "false alarms", str(tmp_path / "run")):
        assert said in out
    assert "sat on" not in out + err  # no record's text
    status, out, _ = say("report", tmp_path / "run", "--show-text")
    assert status == 0 and out.strip() == str(tmp_path / "run" / "report.html")


def test_chats_are_audited_on_what_the_assistant_says(
    say: Say, tmp_path: Path, tuned: Path
) -> None:
    sides = []
    for name, seed in (("in", 1), ("out", 2)):
        rows = [
            {
                "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": text},
                ]
            }
            for text in sentences(12, seed=seed)
        ]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        sides.append(path)
    files = ["--members", sides[0], "--non-members", sides[1], "--fpr", 0.2]
    places = ["--output", tmp_path / "run", "--store", tmp_path / "store"]
    status, out, _ = say("audit", "llm", "--model", tuned, *files, *places)
    assert status == 0 and "12+12" in out


def test_an_attack_that_gives_no_figure_fails_the_audit(
    say: Say, tmp_path: Path, tuned: Path
) -> None:
    spec = {
        "data": {
            "members": str(written(tmp_path / "in.jsonl", sentences(6, seed=1))),
            "non_members": str(written(tmp_path / "out.jsonl", sentences(6, seed=2))),
        },
        "targets": {"mine": {"model": str(tuned)}},
        "attacks": {"run": ["loss", "ez_mia"], "options": {"ez_mia": {"min_errors": 1000}}},
        "evaluation": {"fpr": [0.2], "redraws": 2},
    }
    found = nm.audit_spec(spec, tmp_path / "run", store=tmp_path / "store")
    assert incomplete(found)
    (failed,) = (f for f in found.targets[0].findings if f.code == "E110")
    assert "ez_mia gave no figure" in failed.message


def test_attacks_that_did_not_run_for_one_reason_share_a_line() -> None:
    found = [
        checks.not_run("recall", "it needs more"),
        checks.near_empty(["a:1"], 8),
        checks.not_run("pac", "it costs more"),
        checks.not_run("camia", "it needs more"),
    ]
    lines = results._told([one for one in found if one is not None])
    assert lines[0].startswith("E103 warning: ") and lines[1:] == [
        "E108 note: recall, camia did not run: it needs more",
        "E108 note: pac did not run: it costs more",
    ]
