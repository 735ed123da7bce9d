"""Records of text: plain or chat, read from files, compared with one another."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from nonmember.data.records import Completion, Content, Message, Record, Records
from nonmember.data.rows import Row, Wanted, kind, parse, rows
from nonmember.errors import DataError

__all__ = [
    "Completion", "Content", "Message", "Record", "Records",
    "duplicates", "normalised", "overlap", "read", "shared_ngrams",
]  # fmt: skip

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


def read(path: Path, *, field: str | None = None, group: str | None = None) -> Records:
    """The records of a file, in its order; a record with an empty text is one of them.

    Args:
        path: .jsonl, .jsonl.gz, .jsonl.xz, .csv, .parquet, or a folder that a Hugging Face
            ``Dataset.save_to_disk`` wrote.
        field: where the text or the chat stands; None: in `messages` if there are any, else
            in `prompt` and `completion` if there are both, else in `text`. A chat is a list
            of {"role": ..., "content": ...}; `messages` may hold it as a string of JSON, as
            CSV must.
        group: where the document or person stands, a string or an integer.

    Raises:
        DataError: naming file, line (or row) and remedy, for the first thing that is wrong.
    """
    records = Records.of(_records(path, Wanted(field, group)))
    if not records:
        raise DataError(f"{path}: holds no records; give a file with at least one")
    return records


def normalised(text: str) -> str:
    """The text as duplicates are told by: Unicode NFC, each run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def duplicates(records: Sequence[Record]) -> tuple[int, ...]:
    """Positions of records whose normalised text already stood earlier."""
    _, first = np.unique(_keys(records), return_index=True)
    again = np.ones(len(records), dtype=bool)
    again[first] = False
    return tuple(np.flatnonzero(again).tolist())


def overlap(left: Sequence[Record], right: Sequence[Record]) -> tuple[tuple[int, int], ...]:
    """All pairs of positions (left, right) with the same normalised text."""
    wanted, keys = _keys(left), _keys(right)
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    starts, stops = (np.searchsorted(ranked, wanted, side) for side in ("left", "right"))
    return tuple(
        (int(position), int(other))
        for position in np.flatnonzero(starts < stops)
        for other in order[starts[position] : stops[position]]
    )


def shared_ngrams(
    known: Sequence[Record], others: Iterable[Record], n: int = 13
) -> tuple[int, ...]:
    """Positions in ``known`` of records that share n words in a row with any of the others.

    Words are compared without case, punctuation and white space; in Chinese and Japanese
    each character is a word. A shorter text is shared if all of it is all of another.
    What is ``known`` is held in memory, the others are not.
    """
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, record in enumerate(known):
        for gram in _ngrams(record, n):
            places[gram].append(position)
    found: set[int] = set()
    for record in others:
        for gram in _ngrams(record, n):
            found.update(places.get(gram, ()))
    return tuple(sorted(found))


def _keys(records: Sequence[Record]) -> np.ndarray:
    """A digest of each normalised text: equal for equal texts, and 16 bytes long."""
    digests = (
        blake2b(normalised(one.plain()).encode(), digest_size=16).digest() for one in records
    )
    return np.fromiter(digests, dtype="V16", count=len(records))


def _ngrams(record: Record, n: int) -> Iterator[tuple[str, ...]]:
    words = WORD.findall(normalised(record.plain()).casefold())
    for start in range(max(1, len(words) - n + 1) if words else 0):
        yield tuple(words[start : start + n])


def _records(path: Path, wanted: Wanted) -> Iterator[Record]:
    name = path.absolute().name
    for row in rows(path, wanted):
        where = f"{path}:{row.line}"
        of = None if wanted.group is None else _group(row.group, wanted.group, where)
        yield Record(f"{name}:{row.line}", _content(row, where), of)


def _content(row: Row, where: str) -> Content:
    if len(row.values) > 1:
        parts = {name: _text(value, f"`{name}`", where) for name, value in row.values.items()}
        return Completion(**parts)
    ((field, value),) = row.values.items()
    what = f"`{field}`"
    if field == "messages" and isinstance(value, str):
        value = parse(value, f"{where}: {what}", 'write [{"role": ..., "content": ...}, ...]')
    elif field != "messages" and not _looks_like_a_chat(value):
        return _text(value, what, where)
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else kind(value)
        remedy = 'give a list of at least one {"role": ..., "content": ...}'
        raise DataError(f"{where}: {what} is {found}; {remedy}")
    return tuple(
        _message(each, f"message {number} of {what}", where) for number, each in enumerate(value, 1)
    )


def _looks_like_a_chat(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _message(value: object, what: str, where: str) -> Message:
    if not isinstance(value, dict):
        remedy = 'write {"role": ..., "content": ...}'
        raise DataError(f"{where}: {what} is {kind(value)}, not an object; {remedy}")
    for part in ("role", "content"):
        if part not in value:
            raise DataError(f"{where}: {what} has no `{part}`; add it as a string")
    role = _text(value["role"], f"`role` of {what}", where)
    return Message(role, _text(value["content"], f"`content` of {what}", where))


def _text(value: object, what: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError(
            f"{where}: {what} is {kind(value)}; make it a string, or leave the record out"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        flaw = f"half a surrogate pair at character {error.start + 1}"
        raise DataError(f"{where}: {what} holds {flaw}, which is no text; remove it") from error
    return value


def _group(value: object, name: str, where: str) -> str:
    if value is None or value == "":
        remedy = "give each record a group (its own if it stands alone), or name no `group`"
        raise DataError(
            f"{where}: group `{name}` is {'null' if value is None else 'empty'}; {remedy}"
        )
    if type(value) is int:
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: group `{name}` is {kind(value)}; make it a string or an integer")
    return _text(value, f"group `{name}`", where)
