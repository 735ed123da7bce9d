"""`nonmember protect`: the words, the sentence that answers a mistake, and a kill on the way."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import shuffling
import tiny
from files import sentences, written
from shuffling import STUBBORN, Shuffler

from nonmember.audit.defended import ledger

Say = Callable[..., tuple[int, str, str]]
TEXTS = sentences(12, seed=5)

PLUGIN = """
import os, time
from dataclasses import dataclass
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewrite
from nonmember.rewriting.registry import rewriter

@dataclass(frozen=True)
class Slow:
    name: str = "slow"
    identity: str = "slow 1"
    sends_to: str | None = None

    def rewrite(self, texts, seeds, *, watch=None):
        time.sleep(0.3)
        with open(os.environ["SLOW_LOG"], "a") as log:
            log.write("".join(f"{seed} {text}\\n" for text, seed in zip(texts, seeds)))
        return [Rewrite(" ".join(reversed(text.split()))) for text in texts]

@rewriter(limits=Limits(longest=9.0, containment=1.0, run=99, fluency=None, facts=False))
def slow():
    return Slow()
"""


@pytest.fixture(autouse=True)
def shuffler(monkeypatch: pytest.MonkeyPatch) -> Shuffler:
    return shuffling.registered(monkeypatch)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.llama(tmp_path_factory.mktemp("base"))


@pytest.fixture
def words(base: Path, tmp_path: Path) -> list[object]:
    """The command, but for what a test is about."""
    data = written(tmp_path / "in.jsonl", TEXTS)
    places = ["--output", tmp_path / "safer.jsonl", "--store", tmp_path / "store"]
    how = ["--rewriter", "shuffler", "--warmup-epochs", 0, "--max-tokens", 24]
    return ["protect", data, "--model", base, *places, *how, "--precision", "float32"]


def refused(answer: tuple[int, str, str], folder: Path) -> str:
    """The sentence of a refusal that leaves nothing behind."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]
    return err


def test_it_writes_a_data_set_and_says_what_became_of_the_records(
    say: Say, words: list[object], tmp_path: Path
) -> None:
    status, out, err = say(*words, "--ratio", 0.25)
    assert status == 0
    for said in ("9 raw", "3 rewritten", "shuffler, 3 attempts", "may be shared"):
        assert said in " ".join(out.split())
    output = (tmp_path / "safer.jsonl").read_text()
    lines = [json.loads(line)["text"] for line in output.splitlines()]
    assert sum(old != new for old, new in zip(TEXTS, lines, strict=True)) == 3
    assert not [text for text in (*TEXTS, *lines) if text in out + err]
    secret = (tmp_path / "safer.jsonl.private" / "secret").read_text()
    assert secret not in out + err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--rewriter", "synonim"], "no rewriter 'synonim'; did you mean synonyms"),
        (["--rewriter-option", "rate=1"], "no option 'rate'; did you mean"),
        (["--rewriter-option", "rate"], "'rate': not of the form NAME=VALUE"),
        (["--rewriter-option", "identity=7"], "rewriter shuffler.identity: "),
        (["--selector", "lowest"], "no selector 'lowest'; did you mean lowest_loss"),
        (["--selector", "loss_drop"], "compares the warm-up with the base"),
        (["--warmup-epochs", 3], "warmup_epochs = 3 is the whole training of 3"),
        (["--warmup-epochs", 1, "--epochs", 1], "warmup_epochs = 1 is the whole training of 1"),
        (["--method", "qlora"], "method"),
        (["--learning-rate", 0], "learning_rate = 0.0; give more than 0"),
        (["--field", "body"], "set `field` to the right one"),
        (["--output", "safer.csv"], "named as another format"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    say: Say, words: list[object], tmp_path: Path, flags: list[object], said: str
) -> None:
    assert said in refused(say(*words, *flags), tmp_path)


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--on-reject", "keep", "'keep' is not one of 'drop', 'keep-raw'"),
        ("--on-reject", "keep_raw", "'keep_raw' is not one of 'drop', 'keep-raw'"),
        ("--ratio", 1.5, "1"),
        ("--ratio", -0.1, "0"),
        ("--ratio", "nan", "1"),
        ("--attempts", 0, "1"),
        ("--warmup-epochs", -1, "0"),
        ("--epochs", 0, "1"),
        ("--batch-size", 0, "1"),
        ("--max-tokens", 1, "2"),
    ],
)
def test_a_value_that_cannot_be_names_the_flag(
    say: Say, words: list[object], tmp_path: Path, flag: str, value: object, said: str
) -> None:
    status, out, err = say(*words, flag, value)
    assert (status, out) == (2, "")
    plain = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│─╭╮╰╯]", " ", err).split())
    named, _, why = plain.partition(f"Invalid value for '{flag}': ")
    assert named != plain and said in why
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_the_warm_up_is_of_the_training_that_is_to_come(
    say: Say, words: list[object], tmp_path: Path
) -> None:
    how = ["--epochs", 5, "--batch-size", 2, "--warmup-epochs", 3]
    assert say(*words, *how)[0] == 0
    told = json.loads((tmp_path / "safer.jsonl.manifest.json").read_text())["settings"]
    assert (told["recipe"]["epochs"], told["recipe"]["batch_size"]) == (5, 2)
    assert told["defenses"][0]["warmup_epochs"] == 3


def test_before_texts_go_elsewhere_it_says_so(
    say: Say, words: list[object], tmp_path: Path
) -> None:
    away = ["--rewriter-option", "sends_to=https://a.example/v1", "--attempts", 2]
    status, out, err = say(*words, *away)
    assert status == 0
    assert "Up to 24 texts (records times attempts) go to https://a.example/v1." in err
    attempts = json.loads((tmp_path / "safer.jsonl.manifest.json").read_text())["attempts"]
    assert f"{attempts} texts to https://a.example/v1" in " ".join(out.split())


def test_what_cannot_be_rewritten_is_kept_only_where_that_is_asked_for(
    say: Say, words: list[object], tmp_path: Path
) -> None:
    written(tmp_path / "in.jsonl", [*TEXTS, f"a {STUBBORN} one"])
    status, out, _ = say(*words, "--ratio", 1)
    assert status == 0 and "1 dropped" in out
    assert len((tmp_path / "safer.jsonl").read_text().splitlines()) == 12
    other = ["--output", tmp_path / "kept.jsonl", "--on-reject", "keep-raw", "--ratio", 1]
    status, out, _ = say(*words, *other)
    assert status == 0 and "1 kept" in out
    assert json.loads((tmp_path / "kept.jsonl").read_text().splitlines()[-1]) == {
        "text": f"a {STUBBORN} one"
    }


def test_the_same_words_again_are_refused_and_others_for_the_same_place_too(
    say: Say, words: list[object], tmp_path: Path
) -> None:
    assert say(*words)[0] == 0
    status, _, err = say(*words)
    assert status == 2 and "exists already; remove it" in err
    (tmp_path / "safer.jsonl").unlink()
    status, _, err = say(*words, "--ratio", 0.75)
    assert status == 2 and "belongs to another order" in err
    assert say(*words)[0] == 0


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A folder with an installed package that brings a rewriter."""
    folder = tmp_path / "plugin"
    about = folder / "slow-1.dist-info"
    about.mkdir(parents=True)
    (folder / "slow.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Name: slow\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[nonmember.rewriters]\nslow = slow:slow\n")
    return folder


def test_killed_on_the_way_the_same_command_goes_on_with_the_same_secret(
    say: Say, words: list[object], plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in another process; a rewriter from a plugin takes a while for 32 texts."""
    log, output, private = (tmp_path / n for n in ("log", "safer.jsonl", "safer.jsonl.private"))
    written(tmp_path / "in.jsonl", sentences(96, seed=6))
    monkeypatch.setenv("SLOW_LOG", str(log))
    command = [*words, "--rewriter", "slow", "--ratio", 1]
    calm = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(plugin)}
    start = [sys.executable, "-m", "nonmember", *map(str, command)]
    with subprocess.Popen(start, env=calm, stderr=subprocess.DEVNULL) as process:
        while not log.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.1)  # the first 32 are kept, the next are being made
        process.kill()
    secret, before = (private / "secret").read_text(), log.read_text()
    assert not output.exists() and len(before.splitlines()) == 32
    monkeypatch.syspath_prepend(plugin)
    import_module("slow")
    assert say(*command)[0] == 0
    monkeypatch.delitem(sys.modules, "slow")
    assert (private / "secret").read_text() == secret
    made = log.read_text().splitlines()
    assert log.read_text().startswith(before) and len(made) == len(set(made)) == 96
    rows = ledger.table(private / "ledger.parquet").to_pylist()
    assert {row["role"] for row in rows} == {"rewritten"}
    assert len(output.read_text().splitlines()) == 96
    assert not [path for path in private.iterdir() if path.name.startswith(".")]
