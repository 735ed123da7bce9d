"""Records read from every format, and how they are compared."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nonmember.data import rows
from nonmember.data.records import Completion, Message, Record, Records
from nonmember.data.texts import digests, duplicates, overlap, read, shared_ngrams
from nonmember.errors import DataError

Rows: TypeAlias = list[dict[str, Any]]
Write: TypeAlias = Callable[[str, list[Any]], Path]
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello\nyou"}]
MESSAGES = (Message("user", "Hi"), Message("assistant", "Hello\nyou"))


def test_text_is_read_in_order_with_ids_and_groups(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    records = read(path, group="who")
    assert [record.content for record in records] == [row["text"] for row in rows]
    assert [record.group for record in records] == ["ada", "bob", "ada"]
    lines = [2, 3, 4] if name == "a.csv" else [1, 2, 3]
    assert [record.id for record in records] == [f"{name}:{line}" for line in lines]


def test_chat_is_preferred_to_text(name: str, write: Write) -> None:
    chat = json.dumps(CHAT) if name == "a.csv" else CHAT
    path = write(name, [{"text": "no", "messages": chat}])
    (record,) = read(path)
    assert record.content == MESSAGES
    assert record.plain() == "Hi\nHello\nyou"
    assert record.group is None


def test_prompts_and_completions_are_read_together(name: str, write: Write) -> None:
    rows = [
        {"text": "no", "prompt": "2 +", "completion": " 2", "who": "a"},
        {"text": "no", "prompt": "naïve", "completion": "", "who": "b"},
    ]
    records = read(write(name, rows), group="who")
    assert isinstance(records, Records)
    assert [one.content for one in records] == [Completion("2 +", " 2"), Completion("naïve", "")]
    assert [one.plain() for one in records] == ["2 + 2", "naïve"]
    assert [one.group for one in records] == ["a", "b"]


def test_one_of_the_pair_is_no_pair(name: str, write: Write) -> None:
    (record,) = read(write(name, [{"text": "yes", "prompt": "no"}]))
    assert record.content == "yes"
    (record,) = read(write(name, [{"completion": "this", "prompt": "no"}]), field="completion")
    assert record.content == "this"


def test_a_chat_is_preferred_to_a_prompt_and_its_completion(write: Write) -> None:
    row = {"prompt": "no", "completion": "no", "messages": CHAT}
    (record,) = read(write("a.jsonl", [row]))
    assert record.content == MESSAGES


def test_another_field_and_integer_groups(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    records = read(path, field="who", group="n")
    assert [record.content for record in records] == ["ada", "bob", "ada"]
    assert [record.group for record in records] == ["1", "2", "3"]


def test_the_text_field_may_be_the_group_too(name: str, write: Write, rows: Rows) -> None:
    path = write(name, rows)
    groups = [record.group for record in read(path, field="who", group="who")]
    assert groups == ["ada", "bob", "ada"]


def test_a_chat_under_another_name(write: Write) -> None:
    path = write("a.jsonl", [{"talk": CHAT}])
    assert read(path, field="talk")[0].content == MESSAGES


def test_blank_lines_byte_order_marks_and_line_ends_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "a"}\r\n\r\n{"text": "b"}')
    assert [r.id for r in read(tmp_path / "a.jsonl")] == ["a.jsonl:1", "a.jsonl:3"]
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbftext\r\n"one\r\ntwo"\r\n\r\n""\r\n')
    records = read(tmp_path / "a.csv")
    assert [(r.id, r.content) for r in records] == [("a.csv:2", "one\r\ntwo"), ("a.csv:5", "")]


def test_long_csv_values_leave_the_limit_of_the_process_alone(write: Write) -> None:
    before = csv.field_size_limit()
    path = write("a.csv", [{"text": "x" * 200_000}] * 2)
    lines = rows.rows(path, rows.Wanted(None, None))
    assert next(lines).values == {"text": "x" * 200_000}
    assert csv.field_size_limit() == before, "between two rows too"
    assert len(read(path)[0].plain()) == 200_000
    assert csv.field_size_limit() == before


def test_only_needed_columns_are_loaded(tmp_path: Path) -> None:
    table = pa.table({"text": ["a"], "junk": [b"\xff"]})
    broken = pa.StringArray.from_buffers(1, *table["junk"].chunk(0).buffers()[1:])
    pq.write_table(table.set_column(1, "junk", broken), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0].content == "a"
    with pytest.raises(
        DataError, match=r"a\.parquet: cannot be read \(.*UTF8.*\); .*write it again"
    ):
        read(tmp_path / "a.parquet", field="junk")


def test_a_saved_selection_is_what_was_selected(tmp_path: Path, rows: Rows) -> None:
    datasets.Dataset.from_list(rows).select([2, 0]).save_to_disk(tmp_path / "a")
    assert [record.content for record in read(tmp_path / "a")] == [rows[2]["text"], "first"]


def test_the_current_folder_gives_ids_its_name(
    write: Write, monkeypatch: pytest.MonkeyPatch, rows: Rows
) -> None:
    path = write("a", rows)
    monkeypatch.chdir(path)
    assert read(Path())[0].id == "a:1"


def test_duplicates_are_later_ones_of_the_same_normalised_text() -> None:
    texts = ["a b", "A b", " a\t\nb ", "caf\u00e9", "cafe\u0301", "", "  "]
    records = [Record(str(place), text) for place, text in enumerate(texts)]
    assert duplicates(records) == (2, 4, 6)
    assert duplicates([Record("x", MESSAGES), Record("y", "Hi Hello you")]) == (1,)
    assert duplicates([]) == ()


def test_overlap_is_every_pair_with_the_same_normalised_text() -> None:
    left = [Record("l", text) for text in ("a", "b", "a ", "c")]
    right = [Record("r", text) for text in ("\na", "c", "a", "d")]
    assert overlap(left, right) == ((0, 0), (0, 2), (2, 0), (2, 2), (3, 1))
    assert overlap(left, []) == ()


def test_many_are_compared_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    draws = rng.integers(0, 400, size=(2, 500))
    left, right = ([Record("", f"text  {word}\n") for word in side] for side in draws.tolist())
    pairs = [(i, j) for i, a in enumerate(draws[0]) for j, b in enumerate(draws[1]) if a == b]
    assert overlap(Records.of(left), right) == tuple(pairs)
    again = [i for i, word in enumerate(draws[0]) if word in draws[0][:i]]
    assert duplicates(Records.of(left)) == tuple(again)


def test_a_run_of_words_is_shared_whatever_stands_around_it() -> None:
    words = [f"w{i}" for i in range(30)]
    known = [
        Record("0", " ".join(words[:13])),
        Record("1", " ".join(words[:12])),
        Record("2", "Said: " + ", ".join(words[10:25]).upper() + "!"),
        Record("3", ""),
        Record("4", " ".join(reversed(words))),
        Record("5", (Message("user", " ".join(words[5:12])), Message("b", " ".join(words[12:18])))),
    ]
    other = Record("x", "\n".join(["once", *words, "and so on"]))
    assert shared_ngrams(known, iter([Record("y", "else"), other])) == (0, 2, 5)
    assert shared_ngrams(known, [other], 12) == (0, 1, 2, 5)
    assert shared_ngrams(known, [Record("y", "w0 - W1"), Record("z", "")]) == ()
    assert shared_ngrams([other], known) == (0,)
    assert shared_ngrams(known, []) == ()


def test_a_short_text_is_shared_if_it_is_all_of_another() -> None:
    known = [Record("0", "Hello, you"), Record("1", "hello"), Record("2", "?!")]
    assert shared_ngrams(known, [Record("x", "hello you"), Record("y", "...")]) == (0,)
    assert shared_ngrams(known, [Record("x", "and hello you")]) == ()


def test_where_words_are_not_spaced_each_character_is_one() -> None:
    known = [Record("0", "春はあけぼの。やうやう白くなりゆく")]
    assert shared_ngrams(known, [Record("x", "x春はあけぼのやうやう白くなy")]) == (0,)
    assert shared_ngrams(known, [Record("x", "あけぼのやうやう白くな")]) == ()


@pytest.mark.parametrize(
    "signs",
    ["กขคงจฉชซฌญฎฏฐฑฒณดต", "ກຂຄງຈຊຍດຕຖທນບປຜຝພຟ", "កខគឃងចឆជឈញដឋឌឍណតថទ", "ကခဂဃငစဆဇဈညဋဌဍဎဏတထဒ"],
)
def test_thai_lao_khmer_and_burmese_have_a_word_a_character(signs: str) -> None:
    known = [Record("0", signs)]
    assert shared_ngrams(known, [Record("x", f"x {signs[2:16]} y")]) == (0,)
    assert shared_ngrams(known, [Record("x", signs[2:14])]) == ()


PROMPT = "Below is an instruction that describes a task. Write a response that completes it well:"


def asked(count: int, *, seed: int = 0) -> list[Record]:
    """Records that begin alike and go on each in its own way."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 5_000, size=(count, 20)).tolist()
    return [
        Record(str(at), f"{PROMPT} " + " ".join(f"w{i}" for i in row))
        for at, row in enumerate(rows)
    ]


@pytest.mark.parametrize(("holders", "counts"), [(1, True), (2, True), (5, True), (6, False)])
def test_what_more_than_a_share_of_the_others_hold_is_nobodys_own(
    holders: int, counts: bool
) -> None:
    others = [Record("", PROMPT if at < holders else f"another {at}") for at in range(100)]
    assert shared_ngrams([Record("0", PROMPT)], others) == ((0,) if counts else ())
    assert shared_ngrams([Record("0", PROMPT)], others[:20]) == ((0,) if holders <= 2 else ())
    assert shared_ngrams([Record("0", PROMPT)], others, common=0.06) == (0,)


def test_an_overlap_with_one_other_is_found_behind_a_common_prompt() -> None:
    known, others = asked(10), asked(300, seed=1)
    assert shared_ngrams(known, others) == ()
    own = known[3].plain().removeprefix(PROMPT)
    assert shared_ngrams(known, [*others, Record("x", f"and {own}")]) == (3,)


def test_records_of_one_group_are_not_held_against_each_other() -> None:
    own, foreign = Record("0", PROMPT, "ada"), Record("1", PROMPT, "bob")
    alone = Record("2", "quite another text", "cy")
    assert shared_ngrams([own, alone], [own, alone]) == ()
    assert shared_ngrams([own, foreign, alone], [own, alone]) == (1,)
    assert shared_ngrams([own, foreign, alone], [own, foreign, alone]) == (0, 1)
    many = [Record(str(at), PROMPT, "ada") for at in range(9)]
    assert shared_ngrams(many, [*many, Record("x", PROMPT, "bob")]) == tuple(range(9))


def test_a_digest_is_sixteen_bytes_of_the_normalised_text() -> None:
    found = digests(Record("", text) for text in ("a  b", "a b\n", "b a"))
    assert found.itemsize == 16
    assert (found[0] == found[1], found[0] == found[2]) == (True, False)
