"""Records of text: plain or chat, read from files, compared with one another."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nonmember.data.records import Completion, Content, Message, Record, Records
from nonmember.data.rows import Row, Wanted, kind, parse, rows
from nonmember.errors import DataError

__all__ = [
    "UNSPACED", "WORD", "Completion", "Content", "Message", "Record", "Records",
    "digests", "duplicates", "normalised", "overlap", "read", "shared_ngrams",
]  # fmt: skip

_SCRIPTS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
UNSPACED = re.compile(f"[{_SCRIPTS}]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: scripts that put no space between words."""

WORD = re.compile(rf"[{_SCRIPTS}]|[^\W{_SCRIPTS}]+")
"""A word, or a character of a script without spaces."""

Gram: TypeAlias = tuple[str, ...]
FEW = 2  # other records that may hold the same words and yet have them from one another


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
    _, first = np.unique(digests(records), return_index=True)
    again = np.ones(len(records), dtype=bool)
    again[first] = False
    return tuple(np.flatnonzero(again).tolist())


def overlap(left: Sequence[Record], right: Sequence[Record]) -> tuple[tuple[int, int], ...]:
    """All pairs of positions (left, right) with the same normalised text."""
    wanted, keys = digests(left), digests(right)
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    starts, stops = (np.searchsorted(ranked, wanted, side) for side in ("left", "right"))
    return tuple(
        (int(position), int(other))
        for position in np.flatnonzero(starts < stops)
        for other in order[starts[position] : stops[position]]
    )


def shared_ngrams(
    known: Sequence[Record], others: Iterable[Record], n: int = 13, *, common: float = 0.05
) -> tuple[int, ...]:
    """Positions in ``known`` of records that share n words in a row with any of the others.

    Words are compared without case, punctuation and white space; in scripts without spaces
    each character is a word. A shorter text is shared if all of it is all of another. Records
    of one group are not held against each other. What is ``known`` is held in memory, the
    others are not.

    Args:
        known: the records asked about.
        others: those they are compared with; ``known`` may be among them, each in a group.
        n: words in a row.
        common: n words that a larger share of the others holds, and more than two of them,
            are nobody's own, such as a prompt before every record: neither they count, nor
            what begins or ends among them.
    """
    places: defaultdict[Gram, set[int]] = defaultdict(set)
    for position, record in enumerate(known):
        for gram in _ngrams(record, n):
            places[gram].add(position)
    groups = [record.group for record in known]
    holders: Counter[Gram] = Counter()
    shared: defaultdict[int, set[Gram]] = defaultdict(set)
    total = 0
    for record in others:
        total += 1
        for gram in {one for one in _ngrams(record, n) if one in places}:
            with_it = [p for p in places[gram] if record.group is None or groups[p] != record.group]
            holders[gram] += bool(with_it)
            for position in with_it:
                shared[position].add(gram)
    most = max(FEW, common * total)
    nobodys = {gram for gram, count in holders.items() if count > most}
    return tuple(p for p in sorted(shared) if _holds(known[p], shared[p], nobodys, n))


def _holds(record: Record, shared: Set[Gram], nobodys: Set[Gram], n: int) -> bool:
    """Whether it has shared words none of which lies in words that are nobody's own."""
    grams = list(_ngrams(record, n))
    taken = np.zeros(len(grams) + n, dtype=bool)
    for start, gram in enumerate(grams):
        if gram in nobodys:
            taken[start : start + n] = True
    return any(
        gram in shared and not taken[start : start + n].any() for start, gram in enumerate(grams)
    )


def digests(records: Iterable[Record]) -> np.ndarray:
    """16 bytes of each normalised text, equal for equal texts."""
    found = (blake2b(normalised(one.plain()).encode(), digest_size=16).digest() for one in records)
    return np.fromiter(found, dtype="V16")


def _ngrams(record: Record, n: int) -> Iterator[Gram]:
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
