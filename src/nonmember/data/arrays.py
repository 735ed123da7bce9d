"""Files of arrays and of columns of numbers, none of them ever unpickled."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from nonmember.errors import DataError

PICKLED = (".pkl", ".pickle", ".joblib", ".dill", ".bin", ".pt", ".pth", ".ckpt")
"""Endings of files that run whatever code they hold when they are opened."""


def read_arrays(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an .npz file by name; that of an .npy file under the name "".

    Raises:
        DataError: there is no such file, it is damaged, or it holds pickled objects.
    """
    _there(path)
    try:
        with path.open("rb") as stream:
            found = np.load(stream, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"": found}
            return {name: found[name] for name in found.files}
    except Exception as error:  # whatever a damaged archive makes of its readers
        if "allow_pickle" not in str(error):
            raise DataError(f"{path}: no readable array file ({error}); write it again") from None
        raise DataError(
            f"{path}: holds Python objects, or no arrays at all, and no file is unpickled; save "
            "plain arrays of numbers or of fixed-length strings with numpy.savez"
        ) from None


def read_table(path: Path) -> pa.Table:
    """The columns of a .csv or .parquet file; the first line of a CSV file names them.

    Raises:
        DataError: there is no such file, it is damaged, or two columns have one name.
    """
    _there(path)
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.ParquetFile(path).read()
        else:
            table = pyarrow.csv.read_csv(path)
        names = table.column_names
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: no readable table ({why}); write it again") from None
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise DataError(f"{path}: two columns are named {twice[0]!r}; rename one of them")
    return table


def numbers(path: Path, table: pa.Table, names: list[str], remedy: str) -> np.ndarray:
    """The columns called so, float64 (rows columns).

    Raises:
        DataError: one of them holds something else than numbers, or lacks some.
    """
    columns = []
    for name in names:
        column = table[name]
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or _boolean(kind)):
            raise DataError(f"{path}: column {name!r} holds {kind} and no numbers; {remedy}")
        if column.null_count:
            raise DataError(
                f"{path}: column {name!r} lacks {column.null_count} values; fill them in, or "
                "leave those rows out"
            )
        columns.append(np.asarray(column.to_numpy(), dtype=np.float64))
    return np.stack(columns, axis=1) if columns else np.zeros((len(table), 0))


def _boolean(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind))


def _there(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
