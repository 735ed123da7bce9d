"""What a shell, a pipe and another program have of the command line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import finished
import pytest
import tiny
import typer.main
from files import sentences, written
from rich.console import Console

from nonmember.attacks.registry import ATTACKS
from nonmember.audit import manifest
from nonmember.cli import app, completion
from nonmember.cli.emitted import emit
from nonmember.console import lists
from nonmember.console.streams import moving
from nonmember.defenses.registry import SELECTORS
from nonmember.rewriting.registry import REWRITERS

Say = Callable[..., tuple[int, str, str]]

WITHOUT = {"schema"}
"""What prints one JSON object whatever it is asked."""


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each command with the words that call it."""
    for name, command in group.commands.items():
        words = f"{path} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, words)
        else:
            yield words, command


EVERY = dict(commands(typer.main.get_command(app)))


def plain(text: str) -> bool:
    """Whether nothing in it moves a terminal's cursor or colours its words."""
    return "\x1b" not in text and "\r" not in text


def answered(answer: tuple[int, str, str]) -> Any:
    """The one object on the one line of standard output, after all went well."""
    status, out, err = answer
    assert status == 0 and out.count("\n") == 1 and plain(out) and plain(err)
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("words", EVERY)
def test_every_command_can_answer_in_json(words: str) -> None:
    flags = {flag for option in EVERY[words].params for flag in option.opts}
    assert words in WITHOUT or "--json" in flags


@pytest.mark.parametrize("what", lists.LISTS)
def test_a_list_in_json_has_the_rows_of_its_table(what: str, say: Say) -> None:
    rows = answered(say("list", what, "--json"))[what]
    _, table, _ = say("list", what)
    assert len(rows) > 3 and len({len(row) for row in rows}) == 1
    assert plain(table)
    assert all(str(next(iter(row.values()))) in table for row in rows)


def test_a_list_in_two_forms_is_refused(say: Say) -> None:
    status, out, err = say("list", "attacks", "--json", "--markdown")
    assert (status, out) == (2, "") and "leave one out" in err


def test_an_audit_in_json_has_its_figures_and_where_its_page_is(say: Say, tmp_path: Path) -> None:
    model = tiny.adapter(tmp_path / "tuned", tiny.llama(tmp_path / "base"))
    sides = [
        written(tmp_path / f"{name}.jsonl", sentences(40, seed=seed)[start : start + 20])
        for name, seed, start in (("in", 1, 0), ("out", 2, 20))
    ]
    run = tmp_path / "run"
    asked = ["audit", "llm", "--model", model, "--members", sides[0], "--non-members", sides[1]]
    asked += ["--output", run, "--store", tmp_path / "store", "--attack", "loss", "--fpr", 0.1]
    planned = answered(say(*asked, "--json", "--dry-run"))
    assert planned["to_do"] and not planned["in_the_store"] and planned["seconds"] > 0
    found = answered(say(*asked, "--json"))
    assert (found["run"], found["page"]) == (str(run), str(run / "report.html"))
    assert found["complete"] is True
    kept = json.loads((run / "results.json").read_text())
    for target in kept["targets"]:
        for attack in target["attacks"]:
            del attack["curve"], attack["histogram"]
    assert found["results"] == kept
    page = answered(say("report", run, "--json"))
    assert page == {"page": str(run / "report.html")}


def test_a_mistake_under_json_is_still_one_sentence_on_standard_error(say: Say) -> None:
    status, out, err = say("report", "nowhere", "--json")
    assert (status, out) == (2, "") and re.fullmatch(r"error: [^\n]+\n", err)


def test_what_is_not_finite_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    emit({"a": float("nan"), "b": np.float32(0.5), "c": np.arange(2), "d": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": 0.5, "c": [0, 1], "d": "x"}


def test_bars_are_drawn_on_a_terminal_alone() -> None:
    terminal = {"force_terminal": True, "_environ": {"TERM": "xterm"}}
    assert moving(Console(**terminal))
    assert not moving(Console(**terminal | {"_environ": {"TERM": "dumb"}}))
    assert not moving(Console(force_terminal=False))


def complete(words: str) -> list[str]:
    """What a shell offers after these words, the last being typed."""
    asked = {"_NONMEMBER_COMPLETE": "complete_bash", "COMP_WORDS": words}
    asked["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    code = "import sys; sys.argv = ['nonmember']; from nonmember.cli import main; main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert not done.stderr
    return done.stdout.split()


def test_a_shell_completes_commands_and_flags() -> None:
    assert complete("nonmember pro") == ["protect"]
    assert "attacks" in complete("nonmember list ")
    assert "--members" in complete("nonmember audit llm --mem")


def test_a_shell_completes_the_names_of_attacks() -> None:
    assert complete("nonmember audit llm --attack min_") == ["min_k", "min_k_plus_plus"]


@pytest.mark.parametrize(
    ("command", "has", "lacks"),
    [("llm", "min_k", "class_thresholds"), ("classifier", "class_thresholds", "min_k")],
)
def test_attacks_are_offered_on_what_a_command_audits(command: str, has: str, lacks: str) -> None:
    context = typer.Context(EVERY[f"audit {command}"], info_name=command)
    offered = dict(completion.attacks(context, ""))
    assert has in offered and lacks not in offered and "bag_of_words" in offered
    assert offered[has] == next(one.paper for one in ATTACKS.values() if one.name == has)


def test_rewriters_and_selectors_are_offered_by_what_they_begin_with() -> None:
    assert completion.rewriters("") == sorted(REWRITERS)
    assert completion.selectors("") == sorted(SELECTORS)
    assert completion.rewriters("syn") == ["synonyms"] and completion.selectors("no") == []


def test_names_of_attacks_are_offered_without_torch() -> None:
    code = (
        "import sys, typer; from nonmember.cli import app, completion;"
        "ctx = typer.Context(typer.main.get_command(app), info_name='llm');"
        "assert completion.attacks(ctx, 'min'); assert completion.rewriters('');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_reads_a_finished_run_does_without_torch(tmp_path: Path) -> None:
    split = finished.split(20)
    own = finished.scores(20, 1.0, seed=0, attacks=["loss"])
    run = finished.folder(tmp_path / "run", [finished.side("model", own, split)], split)
    (run / "spec.json").write_text("{}")
    other = finished.folder(tmp_path / "other", [finished.side("model", own, split)], split)
    manifest.write(run)
    commands = [
        ["verify", run],
        ["report", run],
        ["gate", run, "--fail-if", "auc > 0.99", "--json"],
        ["export", run, "--annex", tmp_path / "annex.md"],
        ["compare", run, other, "--output", tmp_path],
        ["schema"],
    ]
    code = (
        "import json, sys; from pathlib import Path; from nonmember.cli import app\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    assert not app(words, standalone_mode=False), words\n"
        "    assert not {'torch', 'transformers'} & {*sys.modules}, words\n"
        "from nonmember.verbs import view\n"
        "with view.serving(sys.argv[2]):\n"
        "    assert view.respond(Path(sys.argv[2]), '/')[0] == 200\n"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, json.dumps(commands, default=str), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_runs_as_a_module_and_says_its_version() -> None:
    command = [sys.executable, "-m", "nonmember", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.fullmatch(r"nonmember \d+\.\d+\.\d+\S*\n", done.stdout) and not done.stderr


def test_help_says_what_an_exit_status_means(say: Say) -> None:
    status, out, _ = say("--help")
    told = " ".join(out.split())
    assert status == 0 and plain(out)
    for number in ("0,", "1,", "2,", "3,", "130,"):
        assert number in told.partition("Exit status")[2]


def test_a_pipe_that_nobody_reads_is_no_finding() -> None:
    shell = f"set -o pipefail; {sys.executable} -m nonmember list attacks | head -c 0"
    told = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (141, "")


def test_json_is_ascii_whatever_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"run": Path(os.fsdecode(b"odd\xff")), "name": "\u202eü", "level": float("nan")})
    told = capsys.readouterr().out
    assert told.isascii()
    assert json.loads(told) == {"run": "odd\udcff", "name": "\u202eü", "level": None}
