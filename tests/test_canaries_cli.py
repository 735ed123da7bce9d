"""Canaries on the command line: made, trained on elsewhere, audited; and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import digits
import numpy as np
import pytest
from files import sentences, written

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return written(tmp_path / "train.jsonl", sentences(60, seed=3))


def test_texts_gain_canaries_and_the_next_step_is_said(say: Say, data: Path) -> None:
    out = data.parent / "OUT"
    status, told, _ = say("canaries", data, "--count", 30, "--form", "suffix", "-o", out)
    assert status == 0
    assert f"Train on {out / 'train.jsonl'}" in told
    assert f"nonmember audit llm --canaries {out} --model MODEL" in told
    lines = (out / "train.jsonl").read_text().splitlines()
    assert 60 < len(lines) < 90
    held = (out / "private" / "canaries.jsonl").read_text().splitlines()
    assert len(held) == 30


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", 0], "--count 0 is none at all"),
        (["--count", 61], "ask for 1 to 60"),
        (["--form", "mislabelled"], "no form of language canaries 'mislabelled'"),
        (["--length", 0], "1 or more"),
        (["--label", "y"], "label says nothing of language data"),
        (["--kind", "classifier", "--length", 5], "--length is of texts"),
        (["--kind", "classifier", "--field", "text"], "field says nothing of classifier data"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    say: Say, data: Path, words: list[object], said: str
) -> None:
    status, told, err = say("canaries", data, "-o", data.parent / "OUT", *words)
    assert (status, told) == (2, "") and err.startswith("error: ") and err.count("\n") == 1
    assert said in err
    assert not (data.parent / "OUT").exists()


def test_a_classifier_that_never_saw_its_canaries_is_reported_so(say: Say, tmp_path: Path) -> None:
    """By a file of its answers, one row per canary and spare one: those of a coin of its own."""
    rows, labels = (np.concatenate([side[part] for side in digits.sides()]) for part in (0, 1))
    np.savez(tmp_path / "train.npz", x=rows, y=labels)
    out, run = tmp_path / "OUT", tmp_path / "run"
    status, *_ = say(
        "canaries", tmp_path / "train.npz", "--kind", "classifier", "--count", 60, "-o", out
    )
    assert status == 0
    answers = np.random.default_rng(0).dirichlet(np.ones(digits.CLASSES), 60 + 20)
    np.save(tmp_path / "answers.npy", answers)
    words = ["audit", "classifier", "--canaries", out, "--model", tmp_path / "answers.npy"]
    more = ["--claimed-epsilon", 8, "--attack", "loss", "--references", 0, "-o", run]
    status, told, err = say(*words, *more, "--store", tmp_path / "store")
    assert status == 0, err
    assert "E130 note" in told and "E131" not in told
    shown = json.loads((run / "results.json").read_text())["targets"][0]["canaries"]
    assert shown["claimed"] == {"epsilon": 8, "delta": 1e-5, "by": "whoever asked for the audit"}
    assert not shown["refuted"] and not shown["trained_here"]


def test_a_refuted_claim_is_what_the_audit_was_for_and_no_failure(say: Say, tmp_path: Path) -> None:
    """By answers that give every coin away."""
    rows, labels = (np.concatenate([side[part] for side in digits.sides()]) for part in (0, 1))
    np.savez(tmp_path / "train.npz", x=rows, y=labels)
    out, run = tmp_path / "OUT", tmp_path / "run"
    say("canaries", tmp_path / "train.npz", "--kind", "classifier", "--count", 60, "-o", out)
    coins = np.array(json.loads((out / "private" / "coins.json").read_text())["coins"])
    told = np.load(out / "private" / "canaries.npz")["y"]
    answers = np.random.default_rng(0).dirichlet(np.ones(digits.CLASSES), 60 + 20)
    answers[np.flatnonzero(coins), told[coins]] += 20
    np.save(tmp_path / "answers.npy", answers / answers.sum(axis=1, keepdims=True))
    words = ["audit", "classifier", "--canaries", out, "--model", tmp_path / "answers.npy"]
    more = ["--claimed-epsilon", 0.1, "--attack", "loss", "--references", 0, "-o", run]
    status, said, err = say(*words, *more, "--store", tmp_path / "store")
    assert "E131 error" in said and status == 0, err
    status, *_ = say("gate", run, "--fail-if", "claim_refuted > 0")
    assert status == 1
    results = json.loads((run / "results.json").read_text())
    (target,) = results["targets"]
    assert target["risk"] is None and target["canaries"]["refuted"]
    assert not any(one["records"] for one in (*results["findings"], *target["findings"]))


def test_sides_that_are_not_named_or_twice_are_refused(say: Say, tmp_path: Path) -> None:
    status, _, err = say("audit", "llm", "--model", "m", "-o", tmp_path / "run")
    assert status == 2 and "or canaries (a folder)" in err
    both = ["--canaries", "OUT", "--members", "a", "--non-members", "b"]
    status, _, err = say("audit", "classifier", "--model", "m", *both, "-o", tmp_path / "run")
    assert status == 2 and "or canaries (a folder)" in err
    status, _, err = say("audit", "llm", "--model", "m", "--claimed-delta", 0.1, "-o", tmp_path)
    assert status == 2 and "belongs to --claimed-epsilon" in err


def test_more_than_can_be_made_are_refused_before_coins_are_thrown(
    say: Say, tmp_path: Path
) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "a"}\n')
    status, _, err = say(
        "canaries", tmp_path / "train.jsonl", "--count", 10**10, "-o", tmp_path / "o"
    )
    assert status == 2 and "cannot be made" in err
