"""Fine-tuned classifiers on the command line: to a page, and refusals."""

import re
from collections.abc import Callable
from pathlib import Path

import digits_transfer as small
import pytest

from nonmember.audit import records
from nonmember.errors import SpecError
from nonmember.verbs import transfer
from nonmember.verbs.transfer import transfer_study

Say = Callable[..., tuple[int, str, str]]
RECIPE = [word for pair in small.PARENT.items() for word in ("--recipe", "{}={}".format(*pair))]
PARENTS = ["--architecture", "digits_transfer:narrow", "--references", 8, *RECIPE]
ATTACKS = ["--attack", "tmi_lda", "--attack", "parent_lira", "--fpr", 0.1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return small.written(tmp_path_factory.mktemp("files"))


@pytest.fixture
def asked(files: list[str], tmp_path: Path) -> list[object]:
    names = ("--members", "--non-members", "--downstream")
    pairs = [word for pair in zip(names, files, strict=True) for word in pair]
    return [*pairs, "-o", tmp_path / "run", "--store", tmp_path / "store"]


def refused(answer: tuple[int, str, str]) -> str:
    """The sentence of a refusal: status 2, one line, nothing on standard output."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    return err


def test_files_to_a_page_that_holds_ways_side_by_side(
    say: Say, asked: list[object], tmp_path: Path
) -> None:
    ways = ["--setting", "head:epochs=3", "--setting", "dp_head:epsilon=6.7,epochs=2"]
    words = ["transfer", *asked, *PARENTS, *ATTACKS, *ways]
    status, out, _ = say(*words, "--dry-run")
    assert status == 0 and "pre-train references 1-8" in out and not (tmp_path / "run").exists()
    status, out, err = say(*words)
    assert status == 0 and "jobs to do" in err
    for said in ("Side by side", "the parent's", "references in turn", "downstream examples"):
        assert said in " ".join(out.split())
    found = records.load(tmp_path / "run")
    assert [one.name for one in found.targets] == ["head:epochs=3", "dp_head:epsilon=6.7,epochs=2"]
    assert (tmp_path / "run" / "report.html").is_file()


def test_the_embedded_study_is_planned_as_it_is_described(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = transfer_study("digits")
    assert spec.parents.count == 64 and spec.downstream.merge == 2
    ways = spec.targets.values()
    assert {one.kind for one in ways} == {"head", "last_k", "full", "lora"}  # what is trained,
    assert [one.epsilon for one in ways if one.epsilon] == [6.7, 0.5]  # within which budget,
    assert {one.recipe.epochs for one in ways if one.kind == "head"} > {5, 20}  # how long,
    assert [one.share for one in ways if one.share] == [0.193]  # and on how much
    words = ["transfer", "--study", "digits", "-o", tmp_path / "run", "--store", tmp_path / "s"]
    status, out, _ = say(*words, "--dry-run")
    assert status == 0 and out.count("pre-train references") == 2
    assert "leave these flags out" in refused(say(*words, "--members", "a.npz"))
    assert transfer_study("digits", references=8, seed=3).parents.count == 8
    assert transfer_study("digits", access="topk", k=3).attacks.k == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--study", "cifar"], "no study 'cifar'"),
        (["--setting", "head"], "needs --members, --non-members, --downstream, --architecture"),
    ],
)
def test_without_files_or_a_study(say: Say, tmp_path: Path, words: list[str], said: str) -> None:
    assert said in refused(say("transfer", "-o", tmp_path / "run", *words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no way of fine-tuning; give --setting"),
        (["--setting", "heads"], "no way of fine-tuning 'heads'; did you mean head"),
        (["--setting", "dp_head"], "write it as dp_head:epsilon=6.7"),
        (["--setting", "head:epsilon=1"], "write it as dp_head:epsilon=6.7"),
        (["--setting", "head:epochs"], "not of the form NAME=VALUE"),
        (["--setting", "last_k"], "k belongs to kind 'last_k'"),
        (["--setting", "head", "--setting", "head"], "one stands there twice"),
        (["--setting", "head", "--setting", "full", "--model", "m"], "and 2 are given"),
        (["--setting", "head", "--weights", "w"], "weights are of a model that is there"),
        (["--setting", "head", "--references", "9"], "parents.count"),
        (["--setting", "dp_head:epsilon=0.0001"], "cannot be met"),
        (["--setting", "head", "--access", "topk"], "how many probabilities an attacker"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    say: Say, asked: list[object], words: list[str], said: str, tmp_path: Path
) -> None:
    assert said in refused(say("transfer", *asked, "--architecture", "mlp", *words))
    assert not (tmp_path / "run").exists()


def test_a_way_is_read_as_it_is_written() -> None:
    assert transfer.way("dp_lora:rank=4,epsilon=2,epochs=5") == {
        "kind": "lora",
        "rank": 4,
        "epsilon": 2,
        "recipe": {"epochs": 5},
    }
    assert transfer.way("head:share=0.1")["share"] == 0.1
    with pytest.raises(SpecError, match="--setting dp_tail: no way of fine-tuning"):
        transfer.way("dp_tail")
