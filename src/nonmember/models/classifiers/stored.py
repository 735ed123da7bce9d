"""A target of which only its answers are to be had: a file with one row per record."""

from pathlib import Path

import numpy as np

from nonmember.data.arrays import numbers, read_arrays, read_table
from nonmember.data.examples import Examples
from nonmember.errors import ModelError
from nonmember.models.classifiers.answers import Ask, Gives
from nonmember.types import Inputs

NAMES: dict[str, Gives] = {"probabilities": "probabilities", "logits": "logits"}


def read(path: Path) -> tuple[np.ndarray, Gives | None]:
    """The rows of an .npz, .npy, .csv or .parquet file, and what its name for them says they are.

    An .npz file holds one array, called `probabilities` or `logits`; a table has a column per
    class, in their order, and no other.

    Raises:
        DataError: it cannot be read, or a column is no numbers.
        ModelError: an .npz file has neither name, or both.
    """
    if path.suffix.lower() not in (".npz", ".npy"):
        table = read_table(path)
        remedy = "leave the columns of the classes only"
        return numbers(path, table, table.column_names, remedy), "probabilities"
    arrays = read_arrays(path)
    if "" in arrays:
        return arrays[""], "probabilities"
    named = [name for name in NAMES if name in arrays]
    if len(named) != 1:
        raise ModelError(
            f"{path}: holds {', '.join(arrays) or 'nothing'}; give one array called "
            "probabilities or logits, (records classes)"
        )
    return arrays[named[0]], NAMES[named[0]]


def asker(name: str, rows: np.ndarray, examples: Examples) -> Ask:
    """Answers about the examples, and about nothing else.

    Raises:
        ModelError: there are not as many rows as examples, or two examples with the same input
            have different answers.
    """
    if not rows.ndim or len(rows) != len(examples):
        count = len(rows) if rows.ndim else 0
        raise ModelError(
            f"{name}: has {count} rows for {len(examples)} records; give one row per record, "
            "members first, each side in the order of its file"
        )
    places: dict[bytes, int] = {}
    for place, digest in enumerate(_keys(examples)):
        before = places.setdefault(digest, place)
        if before < place and not np.array_equal(rows[before], rows[place]):
            raise ModelError(
                f"{name}: rows {before + 1} and {place + 1} differ and are of the same input; "
                "leave repeated inputs out, or answer them alike"
            )

    def ask(inputs: Inputs) -> np.ndarray:
        labels = np.zeros(len(inputs), dtype=np.int64)
        asked = Examples(inputs, labels, ("",) * len(inputs), (None,) * len(inputs))
        found = [places.get(key, -1) for key in _keys(asked)]
        if -1 in found:
            raise ModelError(
                f"{name}: a file of answers knows nothing of inputs that are not in it; for "
                "attacks that ask about others give the model itself"
            )
        return rows[np.array(found, dtype=np.int64)]

    return ask


def _keys(examples: Examples) -> list[bytes]:
    return [row.tobytes() for row in examples.digests]
