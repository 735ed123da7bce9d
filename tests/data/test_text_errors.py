"""Whatever is wrong with a file is a DataError that says where, what, and what to do."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nonmember.data.texts import read
from nonmember.errors import DataError

Rows: TypeAlias = list[dict[str, Any]]
Write: TypeAlias = Callable[[str, list[Any]], Path]
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\nyou"}]


BAD_LINES = {
    "not JSON": ('{"text": "b"', r"a\.jsonl:2: not JSON \(.*character 14\); put one JSON object"),
    "too deep": ("[" * 200_000, r"a\.jsonl:2: not JSON .*put one JSON object on each line"),
    "huge number": ("1" * 9_999, r"a\.jsonl:2: not JSON .*put one JSON object on each line"),
    "a list": ("[1]", r"a\.jsonl:2: the line is a list; put a JSON object on each line"),
    "a typo": (
        '{"txet": "b", "id": 3}',
        r"a\.jsonl:2: has the fields txet, id; set `field` to the right one \(no field 'text'; "
        r"did you mean txet\?\)",
    ),
    "no fields": ("{}", r"a\.jsonl:2: has no fields at all, so none for `field`; give it 'text'"),
    "odd names": (r'{"\ud800": 1}', r"a\.jsonl:2: has 1 fields, none with a name"),
    "null": ('{"text": null}', r"a\.jsonl:2: `text` is null; make it a string"),
    "number": ('{"text": 1.5}', r"a\.jsonl:2: `text` is of type float; make it a string"),
    "list": ('{"text": ["b"]}', r"a\.jsonl:2: `text` is a list; make it a string"),
    "surrogate": (
        r'{"text": "ab\ud800"}',
        r"a\.jsonl:2: `text` holds half a surrogate pair at character 3, .*; remove it",
    ),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_named(case: str, tmp_path: Path) -> None:
    line, message = BAD_LINES[case]
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "a.jsonl")
    assert str(caught.value).startswith(str(tmp_path / "a.jsonl"))
    assert str(caught.value).encode()


BAD_CHATS = {
    "null": (None, "`messages` is null; give a list of at least one"),
    "empty": ([], "`messages` is an empty list; give a list of at least one"),
    "an object": ({"role": "user"}, "`messages` is an object; give a list"),
    "a text": ("hello", r"`messages`: not JSON \(Expecting value at character 1\); write \["),
    "a number in a text": ("3", "`messages` is of type int; give a list"),
    "a text inside": ([CHAT[0], "hello"], "message 2 of `messages` is a string, not an object; wr"),
    "no role": ([{"content": "a"}], "message 1 of `messages` has no `role`; add it as a string"),
    "no content": ([{"role": "a"}], "message 1 of `messages` has no `content`; add it"),
    "null role": ([{"role": None, "content": "a"}], "`role` of message 1 of `messages` is null; m"),
    "parts": (
        [CHAT[0], {"role": "a", "content": [{"text": "b"}]}],
        "`content` of message 2 of `messages` is a list; make it a string",
    ),
}


@pytest.mark.parametrize("case", BAD_CHATS)
def test_the_bad_part_of_a_chat_is_named(case: str, write: Write) -> None:
    chat, message = BAD_CHATS[case]
    path = write("a.jsonl", [{"messages": CHAT}, {"messages": chat}])
    with pytest.raises(DataError, match=r"a\.jsonl:2: " + message):
        read(path)


def test_the_bad_half_of_a_pair_is_named(write: Write) -> None:
    path = write(
        "a.jsonl", [{"prompt": "a", "completion": "b"}, {"prompt": CHAT, "completion": ""}]
    )
    with pytest.raises(DataError, match=r"a\.jsonl:2: `prompt` is a list; make it a string"):
        read(path)
    path = write("a.jsonl", [{"prompt": "a", "completion": "b"}, {"prompt": "a"}])
    with pytest.raises(DataError, match=r"a\.jsonl:2: has the fields prompt; set `field` to the"):
        read(path)


BAD_GROUPS = {
    "null": (None, "group `who` is null; give each record a group"),
    "empty": ("", "group `who` is empty; give each record a group"),
    "true": (True, "group `who` is of type bool; make it a string or an integer"),
    "list": (["a"], "group `who` is a list; make it a string or an integer"),
}


@pytest.mark.parametrize("case", BAD_GROUPS)
def test_a_bad_group_is_named(case: str, write: Write) -> None:
    group, message = BAD_GROUPS[case]
    path = write("a.jsonl", [{"text": "a", "who": "b"}, {"text": "b", "who": group}])
    with pytest.raises(DataError, match=r"a\.jsonl:2: " + message):
        read(path, group="who")


def test_a_missing_field_or_group_is_named_in_every_format(
    name: str, write: Write, rows: Rows
) -> None:
    path = write(name, rows)
    for option, wanted in ({"field": "txt"}, "did you mean text"), ({"group": "whom"}, "n who"):
        with pytest.raises(DataError, match=r"has the fields text, who, n; set `") as caught:
            read(path, **option)
        assert wanted in str(caught.value)
        assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("name", ["a.parquet", "a"])
def test_a_null_in_a_table_is_named_by_its_row(name: str, write: Write, rows: Rows) -> None:
    path = write(name, [*rows, {"text": None, "who": "c", "n": 4}])
    with pytest.raises(DataError, match=rf"{name}:4: `text` is null; make it a string"):
        read(path)


BAD_TABLES = {
    "ragged": ("text,who\na,b\nc\n", r"a\.csv:3: 1 values under 2 column names; quote"),
    "unclosed": ('text\na\n"b\nc\n', r"a\.csv:3: not CSV \(unexpected end of data\); quote"),
    "after a quote": ('text\n"a" b\n', r"a\.csv:2: not CSV \(.*\); quote values .* double"),
    "twice": ("text,text\na,b\n", r"a\.csv:1: column 2 repeats another's name; rename it"),
    "header alone": ("text\n", r"a\.csv: holds no records; give a file with at least one"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_csv_row_is_named(case: str, tmp_path: Path) -> None:
    text, message = BAD_TABLES[case]
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.csv")


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.table([["a"], ["b"]], names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet: two columns are named 'text'; rename one"):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_bytes_that_are_not_utf8_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"text\nab\xff\n" if name == "a.csv" else b"\n  \xff\n")
    message = rf"{name}:2: byte 3 of the line \(0xff\) is not UTF-8; save the file as UTF-8"
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_a_missing_file_and_an_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.jsonl: no such file or folder; check the path"):
        read(tmp_path / "b.jsonl")
    (tmp_path / "a.txt").write_text("a")
    known = r"\.jsonl, \.jsonl\.gz, \.jsonl\.xz, \.csv, \.parquet, or a folder"
    with pytest.raises(DataError, match=rf"a\.txt: not a format that can be read; .*{known}"):
        read(tmp_path / "a.txt")
    with pytest.raises(DataError, match=r"a\.txt/b\.jsonl: no such file or folder; check"):
        read(tmp_path / "a.txt" / "b.jsonl")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"{name}: holds no records; give a file with at least"):
        read(tmp_path / name)


def test_a_file_without_permission(
    write: Write, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")  # root may read whatever the mode says

    path = write("a.jsonl", rows)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.jsonl: no permission to read it; change its mode"):
        read(path)


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.xz", "a.parquet"])
def test_a_cut_file_is_named(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"{name}: cannot be read \(.*\); .*so write it again"):
        read(path)


def test_a_folder_of_splits_says_which(tmp_path: Path, rows: Rows) -> None:
    data = datasets.Dataset.from_list(rows)
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "all")
    message = r"all: a folder of the splits test, train; give one of them, such as .*all/test$"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "all")
    assert read(tmp_path / "all/train")[2].id == "train:3"


def test_a_folder_that_is_no_saved_dataset(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no state\.json; give a folder that Dataset\.save_to"):
        read(tmp_path)
    for state, what in (
        ("{", "not JSON"),
        ("[]", "does not list"),
        ('{"_data_files": 3}', "does not"),
    ):
        (tmp_path / "state.json").write_text(state)
        with pytest.raises(DataError, match=rf"state\.json: {what}.*; write the folder again"):
            read(tmp_path)
    (tmp_path / "state.json").write_text('{"_data_files": []}')
    with pytest.raises(DataError, match="holds no records"):
        read(tmp_path)


def test_a_lost_or_damaged_shard_is_named(write: Write, rows: Rows) -> None:
    path = write("a", rows)
    last = path / "data-00001-of-00002.arrow"
    last.write_bytes(b"nothing of the kind")
    with pytest.raises(
        DataError, match=r"data-00001-of-00002\.arrow: cannot be read .*write it ag"
    ):
        read(path)
    last.unlink()
    with pytest.raises(DataError, match=r"data-00001-of-00002\.arrow: no such file"):
        read(path)


def test_damaged_bytes_never_raise_anything_else(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows * 3)
    target = next(path.glob("*00000*"), path)
    whole, outcomes = target.read_bytes(), set()
    for seed in range(150):
        target.write_bytes(_damaged(whole, random.Random(seed)))
        outcomes.add(_outcome(path))
    assert "refused" in outcomes
    assert outcomes <= {"refused", "read"}


def _damaged(whole: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(200))
    data = bytearray(whole)
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data[: rng.randrange(1, 2 * len(data))])


def _outcome(path: Path) -> str:
    try:
        read(path, group="who")
    except DataError as error:
        return "refused" if str(error).encode() else "silent"
    return "read"


def test_a_table_without_a_header_does_not_show_its_first_record(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text('"My secret is that I never sleep, and nobody knows.",42\n"another",7\n')
    with pytest.raises(DataError) as caught:
        read(path)
    assert "secret" not in str(caught.value)
