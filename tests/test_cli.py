"""The words a user types, and the one sentence that answers a mistake."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nonmember import cli

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Say:
    """Run the command line; returns exit status, standard output, standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nonmember", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capfd.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


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


def test_the_readme_shows_the_table_of_attacks_as_it_is(say: Say) -> None:
    _, table, _ = say("list", "attacks", "--markdown")
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert table.strip() in readme


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
