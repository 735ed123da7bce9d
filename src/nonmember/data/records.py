"""What a candidate is, and many of them kept in a file instead of in memory."""

import json
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias, overload

import numpy as np
import pyarrow as pa
from jaxtyping import Int, UInt8

from nonmember.errors import DataError

DIGEST_BYTES = 16
BLOCK_RECORDS, BLOCK_CHARACTERS = 1024, 1 << 22  # held in memory while records are written


class Message(NamedTuple):
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True)
class Completion:
    """A prompt and the answer to it, which alone is trained on."""

    prompt: str
    completion: str


Content: TypeAlias = str | Completion | tuple[Message, ...]


@dataclass(frozen=True)
class Record:
    """A candidate: a plain text, a prompt with its completion, or a chat.

    ``id`` is where it stands ("train.jsonl:17", counted from 1) or its name in a corpus;
    ``group`` its document or person, None if it stands alone.
    """

    id: str
    content: Content
    group: str | None = None

    def plain(self) -> str:
        """The text; prompt and completion in one; of a chat the contents, joined by line breaks."""
        if isinstance(self.content, str):
            return self.content
        if isinstance(self.content, Completion):
            return self.content.prompt + self.content.completion
        return "\n".join(message.content for message in self.content)


def spoken(content: Content) -> tuple[str, ...]:
    """What of a content is trained on: its text, its completion, or the assistant's turns."""
    if isinstance(content, str):
        return (content,)
    if isinstance(content, Completion):
        return (content.completion,)
    return tuple(turn.content for turn in content if turn.role == "assistant")


def respoken(content: Content, parts: Sequence[str]) -> Content:
    """The content with ``parts`` in the place of what is ``spoken``, one for one."""
    if isinstance(content, str):
        return parts[0]
    if isinstance(content, Completion):
        return replace(content, completion=parts[0])
    rest = iter(parts)
    return tuple(
        turn._replace(content=next(rest)) if turn.role == "assistant" else turn for turn in content
    )


@dataclass(frozen=True, eq=False)
class Records(Sequence[Record]):
    """Records that are read from a file when they are asked for; 24 bytes of memory each.

    The file is a temporary one without a name, so that no other process can open it and
    nothing is left of it afterwards; the environment variable TMPDIR says on which disk.
    Slices, ``take`` and ``+`` share the files of what they are made from.
    """

    _table: pa.Table
    _digests: UInt8[np.ndarray, "all bytes"]
    _places: Int[np.ndarray, "n"]

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Records":
        """The records, written as they come: no more than a block of them is in memory.

        Raises:
            DataError: the disk cannot hold them.
        """
        # A temporary file's mode is 600: its owner alone can read it, as long as it has a name.
        with _room(), tempfile.TemporaryFile(prefix="nonmember-") as file:
            digests = _write(file, records)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped))) as stored:
            table = stored.read_all()
        return cls(table, digests, np.arange(len(digests)))

    def save(self, path: Path) -> None:
        """Write the records to a file that ``load`` reads."""
        with path.open("wb") as file:
            _write(file, self)

    @classmethod
    def load(cls, path: Path) -> "Records":
        """The records of a file that ``save`` wrote, read when they are asked for.

        Raises:
            DataError: it is missing or damaged.
        """
        try:
            with pa.memory_map(str(path)) as stored, pa.ipc.open_file(stored) as file:
                table = file.read_all()
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: damaged or missing ({error}); make it anew") from None
        kinds, contents = table["kind"].to_pylist(), table["content"].to_pylist()
        marks = b"".join(map(_digest, kinds, contents))
        digests = np.frombuffer(marks, dtype=np.uint8).reshape(-1, DIGEST_BYTES)
        return cls(table, digests, np.arange(len(digests)))

    @property
    def digests(self) -> UInt8[np.ndarray, "n bytes"]:
        """A digest of 16 bytes of each record's content: its kind and every part of it."""
        return self._digests[self._places]

    def take(self, places: Sequence[int] | Int[np.ndarray, "_"]) -> "Records":
        """The records at these positions, in their order."""
        chosen = self._places[np.asarray(places, dtype=np.int64)]
        return Records(self._table, self._digests, chosen)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> "Records": ...

    def __getitem__(self, place: int | slice) -> "Record | Records":
        if isinstance(place, slice):
            return Records(self._table, self._digests, self._places[place])
        row = int(self._places[place])
        name, group, kind, content = (column[row].as_py() for column in self._table.columns)
        return Record(name, _unpacked(kind, content), group)

    def __iter__(self) -> Iterator[Record]:
        return (self[place] for place in range(len(self)))

    def __add__(self, other: "Records") -> "Records":
        table = pa.concat_tables([self._table, other._table])
        digests = np.concatenate([self._digests, other._digests])
        places = np.concatenate([self._places, other._places + len(self._digests)])
        return Records(table, digests, places)


@dataclass(frozen=True, eq=False)
class Strings(Sequence[str]):
    """Many texts, kept as ``Records`` are; ``take`` shares their file."""

    _records: Records

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Strings":
        """The texts, written as they come."""
        return cls(Records.of(Record("", text) for text in texts))

    def take(self, places: Sequence[int] | Int[np.ndarray, "_"]) -> "Strings":
        """The texts at these positions, in their order."""
        return Strings(self._records.take(places))

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> "Strings": ...

    def __getitem__(self, place: int | slice) -> "str | Strings":
        if isinstance(place, slice):
            return Strings(self._records[place])
        return self._records[place].plain()


SCHEMA = pa.schema(
    {"id": pa.string(), "group": pa.string(), "kind": pa.string(), "content": pa.string()}
)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{tempfile.gettempdir()}: cannot hold a copy of the records ({error}); make room "
            "there, or set TMPDIR to a folder on a larger disk"
        ) from error


def _write(file: IO[bytes], records: Iterable[Record]) -> UInt8[np.ndarray, "n bytes"]:
    digests = bytearray()
    with pa.ipc.new_file(file, SCHEMA) as writer:
        for block in _blocks(records):
            rows = [(one.id, one.group, *_packed(one.content)) for one in block]
            columns = [list(column) for column in zip(*rows, strict=True)]
            writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
            for _, _, kind, content in rows:
                digests += _digest(kind, content)
    file.flush()
    return np.frombuffer(bytes(digests), dtype=np.uint8).reshape(-1, DIGEST_BYTES)


def _blocks(records: Iterable[Record]) -> Iterator[list[Record]]:
    block: list[Record] = []
    characters = 0
    for record in records:
        block.append(record)
        characters += len(record.plain())
        if len(block) == BLOCK_RECORDS or characters >= BLOCK_CHARACTERS:
            yield block
            block, characters = [], 0
    if block:
        yield block


def _packed(content: Content) -> tuple[str, str]:
    """A content's kind, and all of it as one string."""
    if isinstance(content, str):
        return "text", content
    if isinstance(content, Completion):
        return "completion", json.dumps([content.prompt, content.completion])
    return "chat", json.dumps(content)


def _unpacked(kind: str, content: str) -> Content:
    if kind == "text":
        return content
    parts = json.loads(content)
    return Completion(*parts) if kind == "completion" else tuple(Message(*part) for part in parts)


def digest_of(content: Content) -> bytes:
    """The digest that ``Records.digests`` has of a content."""
    return _digest(*_packed(content))


def _digest(kind: str, content: str) -> bytes:
    return blake2b(content.encode(), digest_size=DIGEST_BYTES, person=kind.encode()).digest()
