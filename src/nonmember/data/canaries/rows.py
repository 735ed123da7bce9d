"""A file of labelled rows again, with some left out, some added and some under another class.

The readers of ``data.labelled`` say what such a file may be; what is written, they read.
"""

import gzip
import json
import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from nonmember.data.arrays import read_arrays, read_table
from nonmember.data.labelled import GROUPS, IDS, INPUTS, LABELS, Class, Fields
from nonmember.data.rows import lines_of, parse
from nonmember.errors import DataError


@dataclass(frozen=True)
class Chosen:
    """The rows of a new file, by their places in the old: ``labels`` and inputs may be new.

    ``labels`` has a class for each row. ``inputs`` are those of the last rows; the others keep
    their own.
    """

    places: tuple[int, ...]
    labels: tuple[Class, ...]
    inputs: np.ndarray | None = None

    @property
    def kept(self) -> int:
        """How many rows keep their inputs."""
        return len(self.places) - (0 if self.inputs is None else len(self.inputs))


@runtime_checkable
class Rows(Protocol):
    """An open file of labelled rows."""

    @property
    def labels(self) -> tuple[Class, ...]:
        """The class of each row, as it stands there."""

    def write(self, target: Path, chosen: Chosen) -> None:
        """Write these rows as a file of the same format."""


def opened(path: Path, fields: Fields) -> Rows:
    """The rows of a file that ``labelled.read`` has read.

    Raises:
        DataError: it is of another format, such as a pool that is no file.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: canaries are put into a file; give .npz, .csv, .parquet or .jsonl"
        )
    if path.suffix.lower() == ".npz":
        return _Arrays.read(path, fields)
    if path.suffix.lower() in (".csv", ".parquet"):
        return _Columns(read_table(path), fields, path.suffix.lower())
    return _Lines.read(path, fields)


@dataclass(frozen=True)
class _Arrays:
    held: dict[str, np.ndarray]
    inputs: str
    label: str

    @classmethod
    def read(cls, path: Path, fields: Fields) -> "_Arrays":
        held = dict(read_arrays(path))
        labels = (fields.label,) if fields.label != "label" else LABELS
        inputs = (fields.text,) if fields.text else INPUTS
        first, second = (next(name for name in names if name in held) for names in (inputs, labels))
        return cls(held, first, second)

    @property
    def labels(self) -> tuple[Class, ...]:
        return tuple(self.held[self.label].ravel().tolist())

    def write(self, target: Path, chosen: Chosen) -> None:
        count, places = len(self.held[self.inputs]), np.array(chosen.places, dtype=np.int64)
        new = {
            name: one[places] if one.shape[:1] == (count,) else one
            for name, one in self.held.items()
        }
        new[self.label] = np.array(chosen.labels).astype(self.held[self.label].dtype)
        if chosen.inputs is not None:
            new[self.inputs][chosen.kept :] = chosen.inputs
        with target.open("wb") as file:
            np.savez(file, allow_pickle=False, **new)


@dataclass(frozen=True)
class _Columns:
    table: pa.Table
    fields: Fields
    suffix: str

    @property
    def labels(self) -> tuple[Class, ...]:
        return tuple(self.table[self.fields.label].to_pylist())

    def write(self, target: Path, chosen: Chosen) -> None:
        table = self.table.take(pa.array(chosen.places, pa.int64()))
        table = _with(table, self.fields.label, list(chosen.labels))
        if chosen.inputs is not None:
            for name, column in zip(self._numbers(), chosen.inputs.T, strict=True):
                kept = table[name].to_pylist()[: chosen.kept]
                table = _with(table, name, [*kept, *column.tolist()])
        if self.suffix == ".csv":
            pyarrow.csv.write_csv(table, target)
        else:
            pq.write_table(table, target)

    def _numbers(self) -> list[str]:
        """The columns that inputs are made of, in their order."""
        names = self.table.column_names
        person = self.fields.group or next((name for name in GROUPS if name in names), None)
        beside = {self.fields.label, person, next((name for name in IDS if name in names), None)}
        return [name for name in names if name not in beside]


def _with(table: pa.Table, name: str, values: Sequence[Any]) -> pa.Table:
    """The table with other values in a column, of its type; whole numbers stay whole."""
    place, about = table.column_names.index(name), table.schema.field(name)
    array = pa.array(values).cast(about.type, safe=False)
    return table.set_column(place, about, array)


@dataclass(frozen=True)
class _Lines:
    lines: tuple[str, ...]
    classes: tuple[Class, ...]
    label: str
    suffix: str

    @classmethod
    def read(cls, path: Path, fields: Fields) -> "_Lines":
        lines = [line.rstrip("\r\n") for _, line in lines_of(path) if line.strip()]
        rows = [parse(line, str(path), "put one JSON object on each line") for line in lines]
        suffix = path.suffix.lower()
        return cls(tuple(lines), tuple(row[fields.label] for row in rows), fields.label, suffix)

    @property
    def labels(self) -> tuple[Class, ...]:
        return self.classes

    def write(self, target: Path, chosen: Chosen) -> None:
        told = zip(chosen.places, chosen.labels, strict=True)
        text = "".join(f"{self._line(place, label)}\n" for place, label in told)
        packed = {".gz": lambda raw: gzip.compress(raw, mtime=0), ".xz": lzma.compress}
        target.write_bytes(packed.get(self.suffix, bytes)(text.encode()))

    def _line(self, place: int, label: Class) -> str:
        """The line as it is, or with another class in it."""
        line = self.lines[place]
        if label == self.classes[place]:
            return line
        return json.dumps({**json.loads(line), self.label: label}, ensure_ascii=line.isascii())
