"""The rows of a data file one by one, whatever its format; all that can be wrong is a DataError."""

import csv
import gzip
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from nonmember.errors import DataError, unknown

DAMAGE = (
    OSError,
    EOFError,
    lzma.LZMAError,
    zlib.error,
    pa.ArrowException,
    ValueError,  # this and the next: an Arrow value that Python cannot hold
    OverflowError,
)
LONGEST_CSV_VALUE = 2**31 - 1

ROWS_AT_ONCE = 1024  # of a Parquet file: what is held in memory

T = TypeVar("T")
Fields: TypeAlias = tuple[str, ...]
USUAL: tuple[Fields, ...] = (("messages",), ("prompt", "completion"), ("text",))
PLAIN_NAME = re.compile(r"[\w .-]{1,40}")
"""What may be said of a field's name: longer or stranger ones may be a record's text."""


class Row(NamedTuple):
    """One record as its file has it. ``line`` counts from 1: lines of text, else rows.

    ``values`` has one field, or `prompt` and `completion`.
    """

    line: int
    values: dict[str, object]
    group: object


class Wanted(NamedTuple):
    """The fields asked for. A missing ``field`` stands for the first of ``USUAL``."""

    field: str | None
    group: str | None

    def among(self, names: Collection[str], where: str) -> Fields:
        """The fields to read of those that ``where`` has; DataError if it lacks one asked for."""
        if self.field is not None:
            fields: Fields = (self.field,)
        else:
            fields = next((own for own in USUAL if set(own) <= set(names)), USUAL[-1])
        for option, name in (*(("field", field) for field in fields), ("group", self.group)):
            if name is not None and name not in names:
                raise DataError(f"{where}: {_lacking(option, name, names)}")
        return fields

    def columns(self, fields: Fields) -> list[str]:
        """The columns to load: ``fields``, and the group's if that was asked for."""
        return list(dict.fromkeys(fields if self.group is None else (*fields, self.group)))

    def row(self, line: int, fields: Fields, record: Mapping[str, object]) -> Row:
        """What was asked for of a record that has it."""
        group = None if self.group is None else record[self.group]
        return Row(line, {field: record[field] for field in fields}, group)


Named: TypeAlias = Iterator[tuple[Fields, Any]]  # what to read, and an Arrow batch that has it


def rows(path: Path, wanted: Wanted) -> Iterator[Row]:
    """The rows of a .jsonl (.gz, .xz), .csv or .parquet file, or of a saved Dataset's folder.

    Raises:
        DataError: before or between rows, for whatever cannot be read.
    """
    yield from guarded(path, _read(path, wanted))


def parse(text: str, where: str, remedy: str) -> Any:
    """The JSON value that ``text`` is; a DataError that ends in ``remedy`` if it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        why = f"{error.msg} at character {error.pos + 1}"
        raise DataError(f"{where}: not JSON ({why}); {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON that can be read ({error}); {remedy}") from error


def kind(value: object) -> str:
    """What a value is, in JSON's words."""
    words = {type(None): "null", list: "a list", dict: "an object", str: "a string"}
    return words.get(type(value), f"of type {type(value).__name__}")


def _lacking(option: str, name: str, names: Collection[str]) -> str:
    known = [each for each in names if PLAIN_NAME.fullmatch(each)]
    if not known and names:
        return (
            f"has {len(names)} fields, none with a name (the first line of a table without a "
            f"header is a record); give it a field {name!r}, or set `{option}`"
        )
    if not known:
        return f"has no fields at all, so none for `{option}`; give it {name!r}"
    why = unknown("field", name, known)
    return f"has the fields {', '.join(known)}; set `{option}` to the right one ({why})"


def guarded(path: Path, items: Iterable[T]) -> Iterator[T]:
    """The items; whatever goes wrong while they are read is a DataError about ``path``."""
    try:
        yield from items
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path}: no such file or folder; check the path") from error
    except PermissionError as error:
        raise DataError(f"{path}: no permission to read it; change its mode or owner") from error
    except DAMAGE as error:
        why = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        remedy = "it is damaged or not what its name says, so write it again"
        raise DataError(f"{path}: cannot be read ({why}); {remedy}") from error


def _read(path: Path, wanted: Wanted) -> Iterator[Row]:
    yield from _reader(path)(path, wanted)


def _reader(path: Path) -> Callable[[Path, Wanted], Iterator[Row]]:
    path.stat()  # a missing file is that first, whatever its suffix
    if path.is_dir():
        return _saved_dataset
    for suffix, reader in READERS.items():
        if path.name.lower().endswith(suffix):
            return reader
    raise DataError(
        f"{path}: not a format that can be read; give one of {', '.join(READERS)}, "
        "or a folder written by Dataset.save_to_disk"
    )


def _jsonl(path: Path, wanted: Wanted) -> Iterator[Row]:
    for number, line in lines_of(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        values = parse(line, where, "put one JSON object on each line")
        if not isinstance(values, dict):
            raise DataError(f"{where}: the line is {kind(values)}; put a JSON object on each line")
        yield wanted.row(number, wanted.among(values.keys(), where), values)


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a UTF-8 file, compressed or not, as they are but for the BOM."""
    with opened(path) as stream:
        for number, raw in enumerate(stream, 1):
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                byte = f"byte {error.start + 1} of the line (0x{error.object[error.start]:02x})"
                message = f"{path}:{number}: {byte} is not UTF-8; save the file as UTF-8"
                raise DataError(message) from error


def opened(path: Path) -> io.BufferedIOBase:
    """The bytes of a file, decompressed as its name says."""
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path, "rb")
        case ".xz":
            return lzma.open(path, "rb")
        case _:
            return path.open("rb")


def _csv(path: Path, wanted: Wanted) -> Iterator[Row]:
    table = _csv_rows(path)
    first, names = next(table, (1, []))
    if not names:
        return
    if len(set(names)) < len(names):
        twice = [place for place, name in enumerate(names, 1) if name in names[: place - 1]]
        raise DataError(f"{path}:{first}: column {twice[0]} repeats another's name; rename it")
    fields = wanted.among(names, f"{path}:{first}")
    for line, values in table:
        if len(values) != len(names):
            count = f"{len(values)} values under {len(names)} column names"
            raise DataError(f"{path}:{line}: {count}; quote values that hold a comma")
        yield wanted.row(line, fields, dict(zip(names, values, strict=True)))


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader((line for _, line in lines_of(path)), strict=True)
    first = 1
    try:
        while (values := unlimited(reader)) is not None:
            if values:
                yield first, values
            first = reader.line_num + 1
    except csv.Error as error:
        remedy = "quote values that hold commas or line breaks, and double the quotes in them"
        raise DataError(f"{path}:{first}: not CSV ({error}); {remedy}") from error


def unlimited(reader: Iterator[list[str]]) -> list[str] | None:
    """The next row of a CSV reader, however long its values; None after the last."""
    # Python's limit of 131,072 characters a value is the whole process's: it is lifted only
    # while a row is parsed.
    limit = csv.field_size_limit(LONGEST_CSV_VALUE)
    try:
        return next(reader, None)
    finally:
        csv.field_size_limit(limit)


def _parquet(path: Path, wanted: Wanted) -> Iterator[Row]:
    yield from _batch_rows(_parquet_batches(path, wanted), wanted)


def _parquet_batches(path: Path, wanted: Wanted) -> Named:
    with pq.ParquetFile(path) as file:
        fields = _columns(file.schema_arrow.names, wanted, path)
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=wanted.columns(fields)):
            yield fields, batch


def _saved_dataset(path: Path, wanted: Wanted) -> Iterator[Row]:
    yield from _batch_rows(_saved_batches(path, wanted), wanted)


def _saved_batches(folder: Path, wanted: Wanted) -> Named:
    for file in shards(folder):
        yield from guarded(file, _arrow_batches(file, wanted))


def _arrow_batches(file: Path, wanted: Wanted) -> Named:
    with pa.memory_map(str(file)) as source, pa.ipc.open_stream(source) as stream:
        fields = _columns(stream.schema.names, wanted, file)
        for batch in stream:
            yield fields, batch


def shards(folder: Path) -> list[Path]:
    """The files of a saved Dataset, in order."""
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(state.parent.name for state in folder.glob("*/state.json"))
        raise DataError(
            f"{folder}: a folder of the splits {', '.join(splits)}; give one of them, "
            f"such as {folder / (splits or ['train'])[0]}"
        )
    state = folder / "state.json"
    if not state.is_file():
        raise DataError(
            f"{folder}: has no state.json; give a folder that Dataset.save_to_disk wrote"
        )
    remedy = "write the folder again with Dataset.save_to_disk"
    saved = parse(state.read_text("utf-8"), str(state), remedy)
    try:
        return [folder / entry["filename"] for entry in saved["_data_files"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{state}: does not list its _data_files; {remedy}") from error


def _columns(names: list[str], wanted: Wanted, path: Path) -> Fields:
    fields = wanted.among(names, str(path))
    for name in wanted.columns(fields):
        if names.count(name) > 1:
            raise DataError(f"{path}: two columns are named {name!r}; rename one of them")
    return fields


def _batch_rows(batches: Named, wanted: Wanted) -> Iterator[Row]:
    before = 0
    for fields, batch in batches:
        columns = batch.select(wanted.columns(fields))
        columns.validate(full=True)  # offsets of a damaged file may point outside its memory
        for row, record in enumerate(columns.to_pylist(), before + 1):
            yield wanted.row(row, fields, record)
        before += len(columns)


READERS = {
    ".jsonl": _jsonl,
    ".jsonl.gz": _jsonl,
    ".jsonl.xz": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
