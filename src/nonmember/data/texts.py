"""Records of text: plain or chat, read from files, compared with one another."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from nonmember.data.rows import Row, Wanted, kind, parse, rows
from nonmember.errors import DataError


class Message(NamedTuple):
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Record:
    """A candidate: a plain text or a chat.

    ``id`` is where it stands ("train.jsonl:17", counted from 1) or its name in a corpus;
    ``group`` its document or person, None if it stands alone.
    """

    id: str
    content: str | tuple[Message, ...]
    group: str | None = None

    def plain(self) -> str:
        """The text; of a chat the contents, joined by line breaks."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(message.content for message in self.content)


def read(path: Path, *, field: str | None = None, group: str | None = None) -> tuple[Record, ...]:
    """The records of a file, in its order; a record with an empty text is one of them.

    Args:
        path: .jsonl, .jsonl.gz, .jsonl.xz, .csv, .parquet, or a folder that a Hugging Face
            ``Dataset.save_to_disk`` wrote.
        field: where the text or the chat stands; None: in `messages` if there are any, else
            in `text`. A chat is a list of {"role": ..., "content": ...}; `messages` may hold
            it as a string of JSON, as CSV must.
        group: where the document or person stands, a string or an integer.

    Raises:
        DataError: naming file, line (or row) and remedy, for the first thing that is wrong.
    """
    name = path.absolute().name
    records = []
    for row in rows(path, Wanted(field, group)):
        where = f"{path}:{row.line}"
        of = None if group is None else _group(row.group, group, where)
        records.append(Record(f"{name}:{row.line}", _content(row, where), of))
    if not records:
        raise DataError(f"{path}: holds no records; give a file with at least one")
    return tuple(records)


def normalised(text: str) -> str:
    """The text as duplicates are told by: Unicode NFC, each run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def duplicates(records: Sequence[Record]) -> tuple[int, ...]:
    """Positions of records whose normalised text already stood earlier."""
    seen: set[str] = set()
    again = []
    for position, record in enumerate(records):
        text = normalised(record.plain())
        if text in seen:
            again.append(position)
        seen.add(text)
    return tuple(again)


def overlap(left: Sequence[Record], right: Sequence[Record]) -> tuple[tuple[int, int], ...]:
    """All pairs of positions (left, right) with the same normalised text."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for position, record in enumerate(right):
        places[normalised(record.plain())].append(position)
    return tuple(
        (position, other)
        for position, record in enumerate(left)
        for other in places.get(normalised(record.plain()), ())
    )


def _content(row: Row, where: str) -> str | tuple[Message, ...]:
    what, value = f"`{row.field}`", row.value
    if row.field == "messages" and isinstance(value, str):
        value = parse(value, f"{where}: {what}", 'write [{"role": ..., "content": ...}, ...]')
    elif row.field != "messages" and not _looks_like_a_chat(value):
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
