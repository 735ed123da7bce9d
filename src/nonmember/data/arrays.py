"""Files of arrays and of columns of numbers, none of them ever unpickled."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from nonmember.data.rows import PLAIN_NAME
from nonmember.errors import DataError, unknown

PICKLED = (".pkl", ".pickle", ".joblib", ".dill", ".bin", ".pt", ".pth", ".ckpt")
"""Endings of files that run whatever code they hold when they are opened."""

RAGGED = re.compile(r"(Expected \d+ columns, got \d+).*")
"""What PyArrow says of a row, and then the row, which may be a record's text."""


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an .npz file by name; that of an .npy file under the name "".

    Raises:
        DataError: there is no such file, it may not be read, is damaged, or holds pickled objects.
    """
    _there(path)
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"": found}
            held = {name: found[name] for name in found.files}
    except Exception as error:  # whatever a damaged archive makes of its readers
        if "allow_pickle" not in str(error):
            raise DataError(f"{path}: no readable array file ({error}); write it again") from None
        raise DataError(
            f"{path}: holds Python objects, or no arrays at all, and no file is unpickled; save "
            "plain arrays of numbers or of fixed-length strings with numpy.savez"
        ) from None
    other = [name for name, one in held.items() if not _sound(one)]
    if other:
        raise DataError(
            f"{path}: {other[0]!r} in it is no array, or damaged; write it again with numpy.savez"
        )
    return held


def _sound(one: object) -> bool:
    """Whether it is an array; one of strings may hold numbers that are no characters."""
    try:
        if isinstance(one, np.ndarray) and one.dtype.kind == "U":
            one.tolist()
    except (SystemError, ValueError):
        return False
    return isinstance(one, np.ndarray)


def read_table(path: Path) -> pa.Table:
    """The columns of a .csv or .parquet file; the first line of a CSV file names them.

    Raises:
        DataError: there is no such file, it may not be read, is damaged, or two columns have
            one name.
    """
    _there(path)
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.ParquetFile(path).read()
        else:
            table = pyarrow.csv.read_csv(path)
        names = table.column_names
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        why = RAGGED.sub(r"\1", (str(error).splitlines() or [type(error).__name__])[0])
        raise DataError(f"{path}: no readable table ({why}); write it again") from None
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        which = _told(twice[0], table)
        raise DataError(f"{path}: column {which} has another's name; rename one of them")
    return table


def lacking(name: str, names: Collection[str]) -> str:
    """What to say of a column that is not among those that are there."""
    known = [one for one in names if PLAIN_NAME.fullmatch(one)]
    if known:
        return unknown("column", name, known)
    return f"no column {name!r} among {len(names)}, none with a name; give the file a header"


def _told(name: str, table: pa.Table) -> str:
    """A column's name, or its number where that may be a record's text, for lack of a header."""
    plain = PLAIN_NAME.fullmatch(name)
    return repr(name) if plain else f"number {table.column_names.index(name) + 1}"


def numbers(path: Path, table: pa.Table, names: list[str], remedy: str) -> np.ndarray:
    """The columns called so, float64 (rows columns).

    Raises:
        DataError: one of them holds something else than numbers, or lacks some.
    """
    columns = []
    for name in names:
        column, which = table[name], _told(name, table)
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _boolean(kind)):
            raise DataError(f"{path}: column {which} holds {kind} and no numbers; {remedy}")
        if column.null_count:
            raise DataError(
                f"{path}: column {which} lacks {column.null_count} values; fill them in, or "
                "leave those rows out"
            )
        columns.append(np.asarray(column.to_numpy(), dtype=np.float64))
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _boolean(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind))


def _there(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: no permission to read it; change its mode or owner")
