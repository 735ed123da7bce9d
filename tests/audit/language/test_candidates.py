"""Which records are one unit, and which of them an attacker may know."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import sentences, written

from nonmember.audit.language.candidates import Candidates, read_candidates
from nonmember.audit.language.spec import Data
from nonmember.errors import DataError

PROMPT = "Below is an instruction that describes a task. Write a response that completes it well:"


def two_files(folder: Path, members: list[str], others: list[str], **more: Any) -> Data:
    inside, outside = written(folder / "in.jsonl", members), written(folder / "out.jsonl", others)
    return Data(members=str(inside), non_members=str(outside), **more)


def units(found: Candidates) -> dict[str, int]:
    return dict(zip((r.id for r in found.records), found.split.group.tolist(), strict=True))


def test_copies_on_a_side_are_one_group_without_groups_being_named(tmp_path: Path) -> None:
    texts = sentences(10, seed=1)
    data = two_files(tmp_path, [*texts[:5], f" {texts[1]}\n"], texts[5:])
    of = units(read_candidates(data, seed=0))
    assert of["in.jsonl:2"] == of["in.jsonl:6"]
    assert len(set(of.values())) == 10


def test_groups_that_share_a_text_are_one(tmp_path: Path) -> None:
    texts = sentences(24, seed=2)
    rows = [{"text": text, "who": f"p{at // 2}"} for at, text in enumerate(texts)]
    rows[2]["text"] = rows[1]["text"]  # p0 and p1 hold the same; p1's other record follows
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for seed in range(8):
        data = Data(pool=str(pool), group="who", take={"members": 8, "non_members": 8})
        found = read_candidates(data, seed=seed)
        of = units(found)
        tied = {of[f"pool.jsonl:{line}"] for line in (1, 2, 3, 4) if f"pool.jsonl:{line}" in of}
        assert len(tied) <= 1
        assert not set(found.split.group[found.split.member]) & set(
            found.split.group[~found.split.member]
        )


def aside(found: Candidates) -> list[set[str]]:
    return [{r.id for r in side} for side in (found.known_members, found.known_non_members)]


def test_known_records_are_drawn_and_not_the_first_of_the_file(tmp_path: Path) -> None:
    texts = sentences(200, seed=3)
    data = two_files(tmp_path, texts[:100], texts[100:], known=5)
    lines = [
        int(name.split(":")[1])
        for seed in range(20)
        for side in aside(read_candidates(data, seed=seed))
        for name in side
    ]
    assert len(lines) == 200
    assert abs(np.mean(lines) - 50.5) < 4 * np.sqrt(100**2 / 12 / 200)
    assert aside(read_candidates(data, seed=1)) == aside(read_candidates(data, seed=1))


def test_records_that_share_with_another_are_passed_over_while_there_are_free_ones(
    tmp_path: Path,
) -> None:
    """Pairs within a side share a run of words, so that most draws meet several of them."""
    texts = sentences(120, seed=4)
    for at in range(0, 100, 2):
        run = " ".join(f"r{at}w{i}" for i in range(13))
        texts[at], texts[at + 1] = f"{texts[at]} {run}", f"{texts[at + 1]} {run}"
    members, others = texts[:90] + texts[100:105], texts[90:100] + texts[105:]
    for seed in range(5):
        data = two_files(tmp_path, members, others, known=5)
        inside, _ = aside(read_candidates(data, seed=seed))
        assert inside == {f"in.jsonl:{line}" for line in range(91, 96)}


def test_a_prompt_before_every_record_taints_none(tmp_path: Path) -> None:
    texts = [f"{PROMPT} {text}" for text in sentences(60, seed=5)]
    found = read_candidates(two_files(tmp_path, texts[:30], texts[30:], known=6), seed=0)
    assert [len(side) for side in aside(found)] == [6, 6]


def test_too_few_free_records_are_refused_with_their_number(tmp_path: Path) -> None:
    texts = sentences(40, seed=6)
    for at in range(0, 18, 2):
        run = " ".join(f"r{at}w{i}" for i in range(13))
        texts[at], texts[at + 1] = f"{texts[at]} {run}", f"{texts[at + 1]} {run}"
    data = two_files(tmp_path, texts[:20], texts[20:], known=3)
    with pytest.raises(DataError, match=r"3 members cannot .*: of 20, 2 of 20 looked at share no"):
        read_candidates(data, seed=0)


def test_all_but_two_may_be_known(tmp_path: Path) -> None:
    texts = sentences(12, seed=7)
    found = read_candidates(two_files(tmp_path, texts[:6], texts[6:], known=4), seed=0)
    assert len(found.records) == 4
    with pytest.raises(DataError, match="5 members cannot be set aside for the attacker"):
        read_candidates(two_files(tmp_path, texts[:6], texts[6:], known=5), seed=0)
