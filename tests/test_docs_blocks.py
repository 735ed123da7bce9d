"""What the documents show can be done as they show it: every block of code runs, or is asked.

Blocks of Python run in the order of their page, in one namespace and an empty folder with the
files that pages speak of. Each line of the shell is read by the command line itself, and tried
with ``--dry-run`` where a command has that. A comment ``<!-- slow: why -->`` above a block leaves
it to ``make slow``, where those of the shell are run, too.
"""

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest
import tiny
import typer
from digits import leaky
from files import sentences, written
from safetensors.torch import save_model
from sklearn.datasets import load_digits
from sklearn.utils import shuffle

from nonmember.attacks.registry import ATTACKS
from nonmember.audit.kinds import parse
from nonmember.audit.parts import toml
from nonmember.cli import app

Say = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(
    r"^(?P<slow><!-- slow: [^\n]+ -->\n)?(?P<indent> *)```(?P<language>\w+)"
    r'(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.M | re.S,
)
NOT_HERE = {"https://host/v1", "ray", "--ledger", "--canaries"}
"""Words of commands that need what is not there to be tried: a server, a cluster, a run before."""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, in which language, and whether it is left to ``slow``."""

    page: str
    line: int
    language: str
    title: str | None
    text: str
    slow: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        code = re.sub(rf"^{found['indent']}", "", found["text"], flags=re.M)
        slow = found["slow"] is not None
        yield Block(page.name, line, found["language"], found["title"], code, slow)


EVERY = [block for page in PAGES for block in blocks(page)]


def of(language: str, *, slow: bool = False) -> list[Block]:
    return [one for one in EVERY if one.language == language and one.slow is slow]


def pages_with(*languages: str, slow: bool) -> list[str]:
    there = {one.page for one in EVERY if one.language in languages and one.slow is slow}
    return sorted(there)


def commands(block: Block) -> list[list[str]]:
    """The words of each line, comments left out and continued lines joined."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


SAID = [(block, words) for block in of("bash") + of("bash", slow=True) for words in commands(block)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: models, records, examples, and a module that makes a network."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("base", "my-finetuned", "its-folder"):
        tiny.llama(folder / name, seed=name == "my-finetuned")
    texts = sentences(48, seed=3)
    written(folder / "train.jsonl", texts[:24])
    written(folder / "held_out.jsonl", texts[24:])
    (folder / "nets.py").write_text("from digits import network as make\n")
    save_model(leaky(), str(folder / "model.safetensors"))
    x, y = shuffle(*load_digits(return_X_y=True), random_state=0)
    sides = zip(("train", "held_out", "others", "task_b"), range(0, 1600, 400), strict=True)
    for name, start in sides:
        part = slice(start, start + 400)
        np.savez(folder / f"{name}.npz", x=(x[part] / 16).astype(np.float32), y=y[part])
    for block in of("toml"):
        if block.title:
            (folder / block.title).write_text(block.text)
    return folder


@pytest.fixture
def here(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of these files to work in; what a page registers is forgotten after it."""
    folder = copytree(files, tmp_path / "here")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("NONMEMBER_STORE", str(tmp_path / "store"))
    before = dict(ATTACKS)
    yield folder
    ATTACKS.clear()
    ATTACKS.update(before)


def run(chosen: list[Block], say: Say) -> None:
    """Run blocks of one page in order; Python's share their names."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in chosen:
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        for words in commands(block) if block.language == "bash" else []:
            status, _, said = say(*words[1:])
            assert (words[0], status) == ("nonmember", 0), said


@pytest.mark.parametrize("page", pages_with("python", slow=False))
def test_the_python_of_a_page_runs(page: str, here: Path, say: Say) -> None:
    run([one for one in of("python") if one.page == page], say)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("python", "bash", slow=True))
def test_what_is_slow_of_a_page_runs(page: str, here: Path, say: Say) -> None:
    run([one for one in EVERY if one.page == page and one.slow], say)


def test_pages_show_code_at_all() -> None:
    assert len(pages_with("python", slow=False)) >= 5
    assert len([words for _, words in SAID if words[0] == "nonmember"]) > 20


def test_every_fence_names_a_language_that_is_looked_at() -> None:
    assert {one.language for one in EVERY} <= {"python", "bash", "toml"}
    for page in PAGES:
        opened = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.M)
        assert len(opened) == 2 * len([*blocks(page)]), page.name


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_toml_is_toml_and_a_titled_one_is_a_spec(block: Block, here: Path) -> None:
    assert tomllib.loads(block.text)
    if block.title:
        assert parse(toml(here / block.title), block.title)


@pytest.mark.parametrize(("block", "words"), SAID, ids=lambda one: str(one)[:40])
def test_a_line_of_the_shell_can_be_said(block: Block, words: list[str]) -> None:
    if words[0] == "make":
        targets = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{target}:", targets, re.M) for target in words[1:2])
        return
    if words[0] == "pip":
        assert words[1] == "install"
        return
    assert words[0] == "nonmember", f"{block}: {words[0]}"
    understood(words[1:])


def understood(words: list[str]) -> set[str]:
    """The flags of the command that these words call, once it has read them all."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    with command.make_context("nonmember", list(words)) as context:
        assert context.args == []
    return {name for one in command.params for name in one.opts}


def tried() -> list[list[str]]:
    """Each different command that can be tried with what the pages speak of."""
    able = {
        tuple(words[1:])
        for _, words in SAID
        if words[0] == "nonmember" and not NOT_HERE & {*words} and words[1] != "demo"
    }
    return [[*one] for one in sorted(able) if "--dry-run" in understood([*one])]


@pytest.mark.parametrize("words", tried(), ids=" ".join)
def test_a_command_with_a_dry_run_is_accepted(words: list[str], here: Path, say: Say) -> None:
    dry = words if "--dry-run" in words else [*words, "--dry-run"]
    status, out, err = say(*dry)
    assert status == 0, err
    assert "job" in out
