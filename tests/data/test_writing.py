"""Files written again: what changed is changed, and everything else is as it was."""

import errno
import gzip
import json
import lzma
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nonmember.data.records import Completion, Message, Record
from nonmember.data.texts import read
from nonmember.data.writing import check_target, columns, like, lines, with_content, write_like
from nonmember.errors import DataError

Rows: TypeAlias = list[dict[str, Any]]
Write: TypeAlias = Callable[[str, list[Any]], Path]

NEW = 'größer,\r\n"neu" \u2028 🙂'
CHAT = [
    {"role": "user", "content": "Hi", "name": "ada"},
    {"role": "assistant", "content": "Hello\nyou", "name": None},
]
REPLY = (Message("user", "Hi"), Message("assistant", NEW))


def beside(path: Path, stem: str = "b") -> Path:
    """A place for the same format in the same folder."""
    return path.with_name(stem + "".join(path.suffixes))


def contents(path: Path, **options: Any) -> list[Any]:
    return [record.content for record in read(path, **options)]


def plain(path: Path) -> bytes:
    opened: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "rb") as stream:
        return stream.read()


def again(path: Path, changes: dict[int, Any], **options: Any) -> Path:
    target = beside(path)
    write_like(path, target, changes, **options)
    return target


def test_texts_are_replaced_and_left_out(name: str, write: Write, rows: Rows) -> None:
    target = again(write(name, rows), {0: NEW, 1: None})
    first, last = read(target, group="who")
    assert (first.content, first.group) == (NEW, "ada")
    assert (last.content, last.group) == (rows[2]["text"], "ada")
    assert contents(target, field="who") == ["ada", "ada"]


def test_every_text_may_be_replaced(name: str, write: Write, rows: Rows) -> None:
    new = {place: f"{place} {NEW}" for place in range(3)}
    assert contents(again(write(name, rows), new)) == [*new.values()]


def test_a_text_may_become_empty(name: str, write: Write) -> None:
    rows = [{"text": "a"}, {"text": "b"}]
    assert contents(again(write(name, rows), {0: ""})) == ["", "b"]


def test_chats_keep_what_turns_have_besides(name: str, write: Write) -> None:
    chat: Any = json.dumps(CHAT) if name == "a.csv" else CHAT
    path = write(name, [{"n": 1, "messages": chat}, {"n": 2, "messages": chat}])
    target = again(path, {1: REPLY})
    old, new = read(target)
    assert new.content == REPLY and old == Record(
        f"{target.name}:{old.id.split(':')[1]}", old.content
    )
    assert old.content == read(path)[0].content
    if name == "a.jsonl":
        row = json.loads(target.read_text().splitlines()[1])
        assert [turn["name"] for turn in row["messages"]] == ["ada", None]


def test_prompts_and_completions_are_replaced_together(name: str, write: Write) -> None:
    rows = [{"prompt": "2 +", "n": i, "completion": " 2"} for i in range(3)]
    target = again(write(name, rows), {1: Completion("2 +", NEW), 2: None})
    assert contents(target) == [Completion("2 +", " 2"), Completion("2 +", NEW)]
    assert contents(target, field="prompt") == ["2 +", "2 +"]


def test_another_field(name: str, write: Write, rows: Rows) -> None:
    target = again(write(name, rows), {2: "eve"}, field="who")
    assert contents(target, field="who") == ["ada", "bob", "eve"]
    assert contents(target) == [row["text"] for row in rows]


def test_no_change_is_the_same_file(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    same = {place: content for place, content in enumerate(contents(path))}
    for stem, changes in {"b": {}, "c": same}.items():
        write_like(path, beside(path, stem), changes)
        if path.suffix in (".jsonl", ".gz", ".xz", ".csv"):
            assert plain(beside(path, stem)) == plain(path)
        assert contents(beside(path, stem)) == [*same.values()]


# JSONL ----------------------------------------------------------------------------------------

ODD = (
    b'\xef\xbb\xbf{"z": 1e5, "text":"one" ,"a":[1,2.0]}\r\n'
    b"\r\n"
    b'  {"text": "caf\\u00e9"}  \n'
    b"\n"
    b'{"text": "na\xc3\xafve", "big": 123456789012345678901234567890}\n'
    b'{"\\u0074ext" : "x" , "n": -0.0}'
)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.xz"])
def test_only_the_value_changes_in_a_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    opened: Any = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "wb") as stream:
        stream.write(ODD)
    expected = ODD.replace(b'"one"', b'"\\u00fc"').replace(b'"na\xc3\xafve"', b'"\xc3\xbc"')
    expected = expected.replace(b'"x"', b'"y"')
    assert plain(again(path, {0: "ü", 2: "ü", 3: "y"})) == expected


def test_the_mark_and_blank_lines_stay_when_the_lines_around_them_go(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(ODD)
    kept = ODD.splitlines(keepends=True)
    assert again(path, {0: None, 3: None}).read_bytes() == b"\xef\xbb\xbf" + b"".join(kept[1:5])


def test_a_key_that_is_repeated_keeps_none_of_its_old_values(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "old", "n": {"text": "inner"}, "text": "older"}\n')
    expected = '{"text": "new", "n": {"text": "inner"}, "text": "new"}\n'
    assert again(path, {0: "new"}).read_text() == expected


def test_records_of_several_kinds_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    turns = json.dumps(CHAT)
    kinds = [
        {"text": "a"},
        {"messages": CHAT},
        {"messages": turns},
        {"prompt": "p", "completion": "c"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in kinds))
    new = ["b", REPLY, REPLY, Completion("p", "d")]
    target = again(path, dict(enumerate(new)))
    assert contents(target) == new
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert json.loads(rows[2]["messages"]) == rows[1]["messages"]
    assert again(target.rename(path), {1: REPLY, 2: REPLY}).read_text() == path.read_text()


def test_compressed_files_are_the_same_each_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(ODD)
    write_like(path, tmp_path / "b.jsonl.gz", {0: "new"})
    write_like(path, tmp_path / "c.jsonl.gz", {0: "new"})
    assert (tmp_path / "b.jsonl.gz").read_bytes() == (tmp_path / "c.jsonl.gz").read_bytes()


# CSV ------------------------------------------------------------------------------------------

TABLE = (
    b"\xef\xbb\xbf\r\n"
    b'"id",text,note\r\n'
    b'"1","say ""hi"", you", x\r\n'
    b"\r\n"
    b'2,plain,"a\nb"\n'
    b'3,,5" disk\r\n'
    b"4,last,\xc3\xbc"
)


def test_only_the_cell_changes_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE)
    expected = TABLE.replace(b'"say ""hi"", you"', b'"bye"').replace(b"plain", b"other")
    expected = expected.replace(b"3,,", b'3,"1, ""2""",').replace(b"last", b"first")
    target = again(path, {0: "bye", 1: "other", 2: '1, "2"', 3: "first"})
    assert target.read_bytes() == expected
    assert contents(target) == ["bye", "other", '1, "2"', "first"]


def test_rows_go_with_their_line_breaks_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE)
    expected = TABLE.replace(b'2,plain,"a\nb"\n', b"").replace(b"4,last,\xc3\xbc", b"")
    assert again(path, {1: None, 3: None}).read_bytes() == expected


def test_an_empty_value_alone_in_its_row_is_no_blank_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\na\nb\n")
    target = again(path, {0: ""})
    assert target.read_text() == 'text\n""\nb\n'


def test_a_value_of_many_lines_longer_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text,n\n"' + 'x ""y""\n' * 30_000 + '",1\nb,2\n')
    target = again(path, {0: "short"})
    assert target.read_text() == 'text,n\n"short",1\nb,2\n'


# Parquet and saved Datasets -------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
)
def test_columns_keep_their_type(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array(["a", "b", "a"], kind)}), path)
    target = again(path, {2: "c", 0: None})
    assert contents(target) == ["b", "c"]
    assert pq.read_schema(target) == pq.read_schema(path)


def nested(path: Path) -> None:
    turn = pa.struct(
        [("content", pa.string()), ("role", pa.large_string()), ("tags", pa.list_(pa.int8()))]
    )
    chat = [{"role": "user", "content": "Hi", "tags": [1]}, {"role": "assistant", "content": "Yo"}]
    table = pa.table(
        {
            "about": pa.array([{"x": i, "y": [{"z": b"\xff"}]} for i in range(10)]),
            "messages": pa.array([chat] * 10, pa.list_(turn)),
            "when": pa.array(range(10), pa.timestamp("ns", "UTC")),
        }
    )
    table = table.replace_schema_metadata({"ours": "kept"})
    codecs = {"about.x": "zstd", "messages.list.element.content": "gzip", "when": "none"}
    with pq.ParquetWriter(path, table.schema, compression=codecs) as writer:
        for start in range(0, 10, 4):
            writer.write_table(table.slice(start, 4))
        writer.add_key_value_metadata({"late": "kept too"})


def test_parquet_keeps_schema_metadata_row_groups_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    nested(path)
    changes: dict[int, Any] = {1: REPLY, 4: None, 5: None, 6: None, 7: None, 9: REPLY}
    target = again(path, changes)
    old, new = pq.ParquetFile(path), pq.ParquetFile(target)
    assert new.schema_arrow.equals(old.schema_arrow, check_metadata=True)
    assert (
        new.metadata.metadata[b"ours"] == b"kept" and new.metadata.metadata[b"late"] == b"kept too"
    )
    sizes = [new.metadata.row_group(i).num_rows for i in range(new.num_row_groups)]
    assert sizes == [4, 2], "a group of which nothing is left is none"
    for column in range(old.metadata.num_columns):
        before, after = (f.metadata.row_group(0).column(column) for f in (old, new))
        assert (after.path_in_schema, after.compression) == (
            before.path_in_schema,
            before.compression,
        )
    kept = [0, 1, 2, 3, 8, 9]
    expected = old.read().take(kept)
    assert new.read().drop_columns("messages") == expected.drop_columns("messages")
    replies = new.read()["messages"].to_pylist()
    for place, was, now in zip(kept, expected["messages"].to_pylist(), replies, strict=True):
        was[1]["content"] = NEW if place in (1, 9) else was[1]["content"]
        assert now == was


def test_columns_that_are_not_asked_for_need_not_be_readable(tmp_path: Path) -> None:
    table = pa.table({"text": ["a", "b"], "junk": [b"\xff", b"\xfe"]})
    broken = pa.StringArray.from_buffers(2, *table["junk"].chunk(0).buffers()[1:])
    pq.write_table(table.set_column(1, "junk", broken), tmp_path / "a.parquet")
    target = again(tmp_path / "a.parquet", {0: "c"})
    assert contents(target) == ["c", "b"]
    assert pq.read_table(target)["junk"].cast(pa.binary()).to_pylist() == [b"\xff", b"\xfe"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            "extra": [{"k": datasets.Value("int32")}],
        }
    )
    rows = [{"text": f"t{i}", "label": i % 2, "extra": [{"k": i}]} for i in range(5)]
    whole = datasets.Dataset.from_list(rows, features=features)
    whole.save_to_disk(tmp_path / "a", num_shards=3)
    return tmp_path / "a"


def test_a_saved_dataset_can_be_loaded_again(saved: Path) -> None:
    target = again(saved, {0: NEW, 3: None})
    old, new = (datasets.load_from_disk(str(folder)) for folder in (saved, target))
    assert new.features == old.features
    assert new["text"] == [NEW, "t1", "t2", "t4"]
    assert new.remove_columns("text").to_list() == [
        row for i, row in enumerate(old.remove_columns("text").to_list()) if i != 3
    ]
    assert {file.name for file in target.iterdir()} == {file.name for file in saved.iterdir()}
    info = "dataset_info.json"
    assert (target / info).read_bytes() == (saved / info).read_bytes()


def test_a_shard_of_which_nothing_is_left_stays_as_an_empty_one(saved: Path) -> None:
    target = again(saved, {4: None, 2: "new"})
    loaded = datasets.load_from_disk(str(target))
    assert loaded["text"] == ["t0", "t1", "new", "t3"]
    assert contents(target) == ["t0", "t1", "new", "t3"]


def test_a_changed_dataset_has_another_fingerprint_each_time(saved: Path) -> None:
    prints = {json.loads((saved / "state.json").read_text())["_fingerprint"]}
    for stem, changes in {"b": {0: "x"}, "c": {0: "y"}, "d": {0: "y"}}.items():
        write_like(saved, beside(saved, stem), changes)
        state = json.loads((saved.with_name(stem) / "state.json").read_text())
        prints.add(state.pop("_fingerprint"))
    before = json.loads((saved / "state.json").read_text())
    del before["_fingerprint"]
    assert state == before and len(prints) == 3


def test_what_else_lies_in_the_folder_is_not_copied(saved: Path) -> None:
    (saved / "cache-0123.arrow").write_bytes(b"raw text")
    assert not (again(saved, {0: "x"}) / "cache-0123.arrow").exists()


def test_a_dataset_without_a_description_is_written_without(saved: Path) -> None:
    (saved / "dataset_info.json").unlink()
    target = again(saved, {0: "x"})
    assert contents(target)[0] == "x" and not (target / "dataset_info.json").exists()


# A complete target or none --------------------------------------------------------------------


def folder(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_an_error_in_the_midst_leaves_nothing(
    name: str, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(name, rows)

    def killed(*_: object) -> dict[str, Any]:
        assert len(folder(path)) == 2, "something is being written by now"
        raise KeyboardInterrupt

    monkeypatch.setattr(lines, "with_content", killed)
    monkeypatch.setattr(columns, "with_content", killed)
    with pytest.raises(KeyboardInterrupt):
        again(path, {1: "x"})
    assert folder(path) == [name]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    name: str, write: Write, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(name, rows)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(like.os, "fsync", full)
    with pytest.raises(
        DataError, match=r"cannot be written \(No space left on device\); make room"
    ):
        again(path, {1: "x"})
    assert folder(path) == [name]


def test_who_may_read_the_source_may_read_the_target(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    for file in [*path.glob("*"), path]:
        file.chmod(0o750 if file.is_dir() else 0o640)
    target = again(path, {1: "x"})
    for file in [*target.glob("*"), target]:
        wanted = 0o750 if file.is_dir() else 0o640
        assert stat.S_IMODE(file.stat().st_mode) == wanted


def test_a_folder_that_cannot_be_written_is_written_again(saved: Path) -> None:
    saved.chmod(0o555)
    target = again(saved, {0: "x"})
    assert contents(target)[0] == "x" and stat.S_IMODE(target.stat().st_mode) == 0o755
    saved.chmod(0o755)


def test_what_is_there_is_never_written_over(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    for target in (path, beside(path)):
        if target != path:
            target.symlink_to("nowhere")
        with pytest.raises(DataError, match=r"exists already; remove it, or give another place$"):
            write_like(path, target, {0: "x"})
    assert contents(path) == [row["text"] for row in rows]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("b.jsonl.gz", r"b\.jsonl\.gz: named as another format than a\.jsonl; end it in \.jsonl$"),
        ("b.csv", r"b\.csv: named as another format than a\.jsonl; end it in \.jsonl$"),
        ("b", r"b: named as another format than a\.jsonl; end it in \.jsonl$"),
        ("none/b.jsonl", r"none/b\.jsonl: its folder does not exist; make it, or give another"),
    ],
)
def test_a_target_that_cannot_be_is_refused(write: Write, target: str, said: str) -> None:
    path = write("a.jsonl", [{"text": "a"}])
    with pytest.raises(DataError, match=said):
        check_target(path, path.parent / target)
    with pytest.raises(DataError, match=said):
        write_like(path, path.parent / target, {0: "b"})
    check_target(path, path.with_name("B.JSONL"))


def test_a_folder_is_not_named_like_a_file(saved: Path) -> None:
    with pytest.raises(DataError, match=r"another format than a; leave off \.parquet$"):
        check_target(saved, saved.with_name("b.parquet"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({3: "x"}, r"has 3 records and none at 3; count from 0$"),
        ({-1: None}, r"has 3 records and none at -1; count from 0$"),
        ({0: None, 1: None, 2: None}, r"no record would be left; keep at least one$"),
        ({0: REPLY}, r"^`text`: the new content is of another kind or length than the old; give"),
        ({0: Completion("a", "b")}, r"^`text`: the new content is of another kind"),
    ],
)
def test_contents_that_do_not_fit_are_refused(
    write: Write, rows: Rows, changes: dict[int, Any], said: str
) -> None:
    path = write("a.jsonl", rows)
    with pytest.raises(DataError, match=said):
        again(path, changes)
    assert folder(path) == ["a.jsonl"]


def test_a_source_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl: no such file or folder"):
        again(tmp_path / "a.jsonl", {0: "x"})
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"a\.txt: not a format that can be read"):
        again(tmp_path / "a.txt", {0: "x"})


# One row --------------------------------------------------------------------------------------


def test_a_row_with_another_content() -> None:
    row = {"n": 1, "text": "a"}
    assert with_content(row, ["text"], "b") == {"n": 1, "text": "b"}
    assert row == {"n": 1, "text": "a"}
    pair = with_content(
        {"completion": "c", "prompt": "p"}, ("completion", "prompt"), Completion("q", "d")
    )
    assert pair == {"completion": "d", "prompt": "q"}
    chat = with_content({"talk": CHAT}, ["talk"], REPLY)
    assert chat["talk"][1] == {"role": "assistant", "content": NEW, "name": None}
    assert CHAT[1]["content"] == "Hello\nyou"


@pytest.mark.parametrize(
    ("row", "content"),
    [
        ({"messages": CHAT}, "text"),
        ({"messages": json.dumps(CHAT)}, "text"),
        ({"messages": CHAT}, REPLY[:1]),
        ({"text": "a"}, REPLY),
        ({"prompt": "a", "completion": "b"}, "text"),
        ({"completion": "b"}, Completion("a", "b")),
    ],
)
def test_another_kind_of_content_is_refused(row: dict[str, Any], content: Any) -> None:
    with pytest.raises(DataError, match=r"the new content is of another kind or length"):
        with_content(row, [*row], content)
