"""A ledger comes back as it was written, holds no text, and is its owner's alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nonmember.audit.defended import ledger
from nonmember.audit.records import ROLES
from nonmember.data.records import Record, Records
from nonmember.errors import DataError

SECRET = "0123456789abcdef"
ABOUT = {"defense": "soft", "options": {"ratio": 0.5}, "rewriter": "synonyms", "how": {}}
TEXTS = ("the cat sat", "on the mat", "and the dog", "the log")


def row(text: str, role: str, key: bytes = b"") -> dict[str, Any]:
    (mark,) = Records.of([Record("", text)]).digests
    raw = ledger.keyed(key or ledger.key_of(SECRET), mark.tobytes())
    return {
        "record": f"in.jsonl:{len(text)}",
        "role": role,
        "defense": "" if role == "raw" else "soft",
        "exposure": None if role == "raw" else -1.25,
        "attempts": 0 if role == "raw" else 2,
        "failed": ["run", "length"] if role == "dropped" else [],
        "why": "",
        "raw": raw,
        "trained": None if role == "dropped" else raw,
        "measures": None,
    }


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [row(text, role) for text, role in zip(TEXTS, ROLES, strict=True)]


@pytest.fixture
def folder(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    ledger.write(tmp_path / ledger.LEDGER, rows, ABOUT)
    (tmp_path / ledger.SECRET).write_text(SECRET)
    return tmp_path


def digests(*texts: str) -> np.ndarray:
    return Records.of(Record("", text) for text in texts).digests


def test_it_comes_back_as_it_was_written(folder: Path, rows: list[dict[str, Any]]) -> None:
    assert ledger.table(folder / ledger.LEDGER).to_pylist() == rows
    found = ledger.read(folder)
    assert found.about == ABOUT
    assert found.of(digests(*TEXTS)).tolist() == list(ROLES)


def test_it_does_not_know_who_is_not_in_it(folder: Path) -> None:
    found = ledger.read(folder)
    assert found.of(digests("the cat", TEXTS[2])).tolist() == ["", "kept"]
    assert found.of(digests()).tolist() == []


def test_with_another_secret_it_knows_nobody(folder: Path) -> None:
    (folder / ledger.SECRET).write_text("fedcba9876543210")
    assert ledger.read(folder).of(digests(*TEXTS)).tolist() == [""] * 4


def test_hashes_follow_from_the_key_and_the_digest_alone() -> None:
    first, other = ledger.key_of("a"), ledger.key_of("b")
    assert len({ledger.keyed(key, mark) for key in (first, other) for mark in (b"x", b"y")}) == 4
    assert ledger.keyed(first, b"x") == ledger.keyed(ledger.key_of("a"), b"x")
    assert len(first) == 32 and b"a" not in first


def test_no_text_stands_in_it_and_nobody_else_may_read_it(folder: Path) -> None:
    path = folder / ledger.LEDGER
    assert path.stat().st_mode & 0o777 == 0o600
    columns = pq.read_table(path).to_pydict()
    assert not [text for text in TEXTS if text in str(columns)]
    assert SECRET not in str(columns) and SECRET.encode() not in path.read_bytes()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def another(path: Path) -> None:
    pq.write_table(pa.table({"record": ["a"]}), path)


@pytest.mark.parametrize("harm", [Path.unlink, cut, another])
def test_a_ledger_that_cannot_be_read_is_named(folder: Path, harm: Callable[[Path], None]) -> None:
    harm(folder / ledger.LEDGER)
    with pytest.raises(DataError, match=r"ledger\.parquet: no ledger that can be read") as caught:
        ledger.read(folder)
    assert "\n" not in str(caught.value) and "give the private folder" in str(caught.value)


def test_a_ledger_without_its_secret_is_refused(folder: Path) -> None:
    (folder / ledger.SECRET).unlink()
    with pytest.raises(DataError, match=r"secret: cannot be read .* it lies beside the ledger"):
        ledger.read(folder)


def test_of_copies_the_one_that_is_most_exposed_counts(tmp_path: Path) -> None:
    pairs = [("a", "raw"), ("b", "rewritten"), ("a", "dropped"), ("b", "kept"), ("c", "dropped")]
    ledger.write(tmp_path / ledger.LEDGER, [row(text, role) for text, role in pairs], ABOUT)
    (tmp_path / ledger.SECRET).write_text(SECRET)
    assert ledger.read(tmp_path).of(digests("a", "b", "c")).tolist() == ["raw", "kept", "dropped"]
