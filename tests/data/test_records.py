"""Records in a file give back what was put in, in any order, and leave nothing behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nonmember.data import records as module
from nonmember.data.records import (
    Completion,
    Message,
    Record,
    Records,
    Strings,
    digest_of,
    respoken,
    spoken,
)
from nonmember.errors import DataError

CHAT = (Message("user", 'Hi, "you"'), Message("assistant", "naïve\n🙂"))
KINDS = (
    Record("a.jsonl:1", "first"),
    Record("a.jsonl:2", "", "ada"),
    Record("a.jsonl:3", CHAT, "bob"),
    Record("a.jsonl:4", Completion("2 + 2 =", " 4\0 猫"), "ada"),
    Record("a.jsonl:5", Completion("", "")),
)


def numbered(count: int, prefix: str = "") -> Iterator[Record]:
    return (Record(str(i), f"{prefix}{i}") for i in range(count))


@pytest.fixture(params=[1, 2, 1024])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many records are written at a time, which changes nothing."""
    monkeypatch.setattr(module, "BLOCK_RECORDS", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block")
def test_every_kind_of_record_comes_back() -> None:
    found = Records.of(KINDS)
    assert len(found) == 5
    assert tuple(found) == KINDS
    assert [found[i] for i in (-1, 2, 0)] == [KINDS[4], KINDS[2], KINDS[0]]
    assert isinstance(found[2].content, tuple)
    assert isinstance(found[3].content, Completion)


def test_past_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Records.of(KINDS)[5]


def test_none_are_records_too() -> None:
    none = Records.of([])
    assert not none
    assert list(none) == []
    assert none.digests.shape == (0, 16)
    assert tuple(none + Records.of(KINDS)) == KINDS
    assert tuple(Records.of(KINDS)[5:]) == ()


@pytest.mark.usefixtures("block")
def test_parts_and_sums_are_views_in_the_order_asked_for() -> None:
    left, right = Records.of(numbered(9)), Records.of(numbered(4, "r"))
    part = left.take(np.array([7, 1, 7]))
    both = part + right[1:3] + left[::4]
    assert [one.content for one in both] == ["7", "1", "7", "r1", "r2", "0", "4", "8"]
    assert [one.content for one in both[2:4].take([1, 0])] == ["r1", "7"]
    assert len(left.take([])) == 0
    for place, one in enumerate(both):
        (alone,) = Records.of([one]).digests
        assert both.digests[place].tolist() == alone.tolist()


def test_digests_tell_contents_apart_and_nothing_else() -> None:
    texts = ["", "a", "a ", '["a", "b"]']
    pairs = [Completion("a", "b"), Completion("", "ab")]
    chats = [(Message("a", "b"),), (Message("a", "b"),) * 2]
    digests = Records.of(Record("", one) for one in (*texts, *pairs, *chats)).digests
    assert digests.shape == (8, 16)
    assert len({one.tobytes() for one in digests}) == 8
    twins = Records.of([Record("x", "a"), Record("y", "a", "group")]).digests
    assert twins[0].tolist() == twins[1].tolist() == digests[1].tolist()


def test_records_are_written_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [len(block) for block in module._blocks(numbered(2500))]
    assert blocks == [1024, 1024, 452]
    monkeypatch.setattr(module, "BLOCK_CHARACTERS", 50)
    long = [Record("", "x" * size) for size in (30, 30, 60, 1)]
    assert [len(block) for block in module._blocks(long)] == [2, 1, 1]


def test_the_file_has_no_name_and_nobody_else_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes: list[int] = []
    write = module._write

    def watched(file: Any, records: Any) -> np.ndarray:
        modes.append(os.fstat(file.fileno()).st_mode & 0o777)
        return write(file, records)

    monkeypatch.setattr(module, "_write", watched)
    found = Records.of(KINDS)
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []
    assert tuple(found) == KINDS


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> Any:
        return Path("/dev/full").open("wb")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    message = rf"^{tmp_path}: cannot hold a copy of the records \(.*No space.*\); make room there"
    with pytest.raises(DataError, match=message):
        Records.of(numbered(10_000))


def test_an_error_between_records_is_passed_on() -> None:
    def broken() -> Iterator[Record]:
        yield KINDS[0]
        raise DataError("a.jsonl:2: not JSON")

    with pytest.raises(DataError, match=r"^a\.jsonl:2: not JSON$"):
        Records.of(broken())


def test_strings_are_kept_on_disk_and_taken_in_any_order() -> None:
    texts = ["a", "", "ü\n", "b" * 1000]
    held = Strings.of(iter(texts))
    assert list(held) == texts and len(held) == 4 and held[-1] == texts[-1]
    assert list(held.take(np.array([3, 0]))) == [texts[3], texts[0]]
    assert list(held[1:3]) == texts[1:3]


TURNS = (Message("system", "be brief"), *CHAT, Message("user", "and?"), Message("assistant", "so"))
SPOKEN = {
    "text": ("first", ("first",)),
    "empty": ("", ("",)),
    "completion": (Completion("2 + 2 =", " 4"), (" 4",)),
    "chat": (TURNS, ("naïve\n🙂", "so")),
    "nobody answers": ((Message("user", "hi"),), ()),
}


@pytest.mark.parametrize("kind", SPOKEN)
def test_what_is_trained_on_of_a_content_can_be_put_back(kind: str) -> None:
    content, parts = SPOKEN[kind]
    assert spoken(content) == parts
    assert respoken(content, parts) == content
    other = tuple(f"other {part}" for part in parts)
    changed = respoken(content, other)
    assert type(changed) is type(content) and spoken(changed) == other


def test_what_is_not_trained_on_stays() -> None:
    assert respoken(Completion("2 + 2 =", " 4"), [" four"]) == Completion("2 + 2 =", " four")
    changed = respoken(TURNS, ["one", "two"])
    assert isinstance(changed, tuple)
    assert [turn.content for turn in changed] == ["be brief", 'Hi, "you"', "one", "and?", "two"]
    assert [turn.role for turn in changed] == [turn.role for turn in TURNS]


@pytest.mark.parametrize("record", KINDS, ids=lambda record: str(record.id))
def test_a_content_has_the_digest_of_its_record(record: Record) -> None:
    (digest,) = Records.of([record]).digests
    assert digest_of(record.content) == digest.tobytes()


@pytest.mark.usefixtures("block")
def test_saved_records_are_loaded_as_they_were(tmp_path: Path) -> None:
    records = Records.of(KINDS).take([4, 2, 0, 3])
    records.save(tmp_path / "records.arrow")
    found = Records.load(tmp_path / "records.arrow")
    assert tuple(found) == tuple(records)
    np.testing.assert_array_equal(found.digests, records.digests)
    assert [one.id for one in found.take([1, 0])] == ["a.jsonl:3", "a.jsonl:5"]
    assert tuple(found + records) == (*records, *records)


def test_none_can_be_saved_too(tmp_path: Path) -> None:
    Records.of([]).save(tmp_path / "none.arrow")
    assert len(Records.load(tmp_path / "none.arrow")) == 0


@pytest.mark.parametrize("left", [0, 40, -1], ids=["nothing", "a bit", "most"])
def test_a_damaged_file_of_records_is_named(tmp_path: Path, left: int) -> None:
    path = tmp_path / "records.arrow"
    Records.of(KINDS).save(path)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=r"records\.arrow: damaged or missing .* make it anew"):
        Records.load(path)


def test_a_missing_file_of_records_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.arrow: damaged or missing"):
        Records.load(tmp_path / "none.arrow")
