"""Labelled examples read from files, or from the pools that installed packages carry."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from nonmember.data.arrays import PICKLED, lacking, numbers, read_arrays, read_table
from nonmember.data.examples import Examples, of
from nonmember.data.images import digits, noisy_digits
from nonmember.data.rows import lines_of, parse
from nonmember.data.tables import breast_cancer, wine
from nonmember.errors import DataError, unknown
from nonmember.types import Inputs

Class: TypeAlias = int | str
"""A class as a file has it: its number from 0, or its name."""

POOLS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "digits": digits,
    "noisy-digits": noisy_digits,
    "breast-cancer": breast_cancer,
    "wine": wine,
}
"""Pools of examples by name."""

INPUTS, LABELS = ("x", "inputs", "images"), ("y", "labels", "label")
IDS, GROUPS = ("ids", "id"), ("groups", "group")
MOST = np.iinfo(np.int64).max
JSON_LINES = (".jsonl", ".jsonl.gz", ".jsonl.xz")


@dataclass(frozen=True)
class Fields:
    """What stands where in a file. Missing: a `label`, any `text`, `groups` if there are any."""

    label: str = "label"
    group: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Sides:
    """Members and non-members whose labels mean the same.

    ``classes`` are the names that the labels stand for; None where they were numbers.
    """

    members: Examples
    non_members: Examples
    classes: tuple[str, ...] | None


def read(
    path: str | Path,
    *,
    label: str = "label",
    group: str | None = None,
    text: str | None = None,
    classes: Sequence[str] | None = None,
) -> Examples:
    """The examples of a file, in its order; names of classes are numbered as they sort.

    Args:
        path: .npz with arrays `x` (or `inputs`, `images`) and `y` (or `labels`), and perhaps
            `ids` and `groups`; .csv or .parquet whose columns are numbers, but for `label`,
            `id`, `group` and one of texts; .jsonl (.gz, .xz) of texts; or a pool of ``POOLS``.
        label: where the class stands.
        group: where the person or document stands.
        text: where the text stands, if inputs are texts; `text` if nothing is said.
        classes: the names of classes in the model's own order, for labels that are names.

    Raises:
        DataError: naming file and remedy, for the first thing that is wrong.
    """
    raw = _raw(path, Fields(label, group, text))
    return raw.coded(_names([raw], classes))


def read_sides(
    members: str | Path,
    non_members: str | Path,
    *,
    label: str = "label",
    group: str | None = None,
    text: str | None = None,
    classes: Sequence[str] | None = None,
) -> Sides:
    """Both sides, each read as ``read`` does, one numbering of the names of classes for both.

    ``classes`` are the names in the model's own order, for labels that are names.

    Raises:
        DataError: as for ``read``; or one side has names and the other numbers, or a name that
            the model has not.
    """
    fields = Fields(label, group, text)
    raw = [_raw(members, fields), _raw(non_members, fields)]
    names = _names(raw, classes)
    mine, theirs = (side.coded(names) for side in raw)
    return Sides(mine, theirs, names)


@dataclass(frozen=True)
class _Raw:
    where: str
    inputs: Inputs
    labels: tuple[Class, ...]
    ids: tuple[str, ...]
    groups: tuple[str | None, ...]

    def coded(self, names: tuple[str, ...] | None) -> Examples:
        if not self.labels:
            raise DataError(f"{self.where}: holds no examples; give a file with at least one")
        sizes = [len(self.inputs), len(self.labels), len(self.ids), len(self.groups)]
        if len(set(sizes)) > 1:
            raise DataError(
                f"{self.where}: {sizes[0]} inputs, {sizes[1]} labels, {sizes[2]} ids and "
                f"{sizes[3]} groups; give one of each per example"
            )
        codes = None if names is None else {name: code for code, name in enumerate(names)}
        labels = [self._code(place, codes) for place in range(len(self.labels))]
        if max(labels) > MOST:
            raise DataError(f"{self.where}: a label is above {MOST:,}; number the classes from 0")
        return Examples(self.inputs, np.array(labels, dtype=np.int64), self.ids, self.groups)

    def _code(self, place: int, codes: dict[str, int] | None) -> int:
        label = self.labels[place]
        if codes is None or isinstance(label, int):
            return int(label)
        if label not in codes:
            raise DataError(f"{self.ids[place]}: {unknown('class', label, codes)}")
        return codes[label]


def _raw(path: str | Path, fields: Fields) -> _Raw:
    place = Path(path).expanduser()
    if str(path) in POOLS and not place.exists():
        pool = of(*POOLS[str(path)](), name=str(path))
        return _Raw(str(path), pool.inputs, tuple(pool.labels.tolist()), pool.ids, pool.groups)
    suffix = place.suffix.lower()
    if suffix in PICKLED:
        raise DataError(
            f"{path}: a pickled file runs whatever code it holds, so it is not opened; save the "
            "examples as .npz, .csv, .parquet or .jsonl"
        )
    if place.name.lower().endswith(JSON_LINES):
        return _lines(place, fields)
    if suffix == ".npz":
        return _arrays(place, fields)
    if suffix in (".csv", ".parquet"):
        return _columns(place, read_table(place), fields)
    what = "not a format of examples" if place.exists() else "no such file, and no such pool"
    raise DataError(f"{path}: {what}; give .npz, .csv, .parquet, .jsonl, or {', '.join(POOLS)}")


def _arrays(path: Path, fields: Fields) -> _Raw:
    held = read_arrays(path)
    label = (fields.label,) if fields.label != "label" else LABELS
    inputs = _first(path, held, (fields.text,) if fields.text else INPUTS, "inputs")
    labels = _first(path, held, label, "labels")
    if inputs.dtype.kind not in "biufU" or (inputs.dtype.kind != "U" and inputs.ndim < 2):
        raise DataError(
            f"{path}: inputs of {inputs.dtype} in shape {inputs.shape}; give numbers, one row or "
            "image per example, or texts"
        )
    count, group = len(inputs), (fields.group,) if fields.group else GROUPS
    ids = next((held[name] for name in IDS if name in held), None)
    groups = _first(path, held, group, "groups") if fields.group or set(group) & set(held) else None
    return _Raw(
        str(path),
        [str(text) for text in inputs] if inputs.dtype.kind == "U" else inputs,
        _classes(path, labels.ravel().tolist() if labels.ndim == 1 else None),
        _numbered(path, count) if ids is None else _names_of(path, ids, "ids"),
        (None,) * count if groups is None else _names_of(path, groups, "groups"),
    )


def _columns(path: Path, table: pa.Table, fields: Fields) -> _Raw:
    if not len(table):
        raise DataError(f"{path}: holds no examples; give a file with at least one")
    names = table.column_names
    text = fields.text or ("text" if "text" in names else None)
    for option, name in (("label", fields.label), ("group", fields.group), ("text", text)):
        if name is not None and name not in names:
            raise DataError(f"{path}: no column for `{option}`: {lacking(name, names)}")
    id_name = next((name for name in IDS if name in names), None)
    group_name = fields.group or next((name for name in GROUPS if name in names), None)
    other = [name for name in names if name not in (fields.label, group_name, id_name)]
    inputs: Inputs
    if text is not None:
        inputs = _texts(path, table[text].to_pylist())
    else:
        remedy = "make numbers of it, leave it out, or set `text` if the inputs are texts"
        inputs = numbers(path, table, other, remedy)
    ids = None if id_name is None else tuple(map(str, table[id_name].to_pylist()))
    groups = (None,) * len(table) if group_name is None else _groups(table[group_name].to_pylist())
    labels = _classes(path, table[fields.label].to_pylist())
    return _Raw(str(path), inputs, labels, ids or _numbered(path, len(table)), groups)


def _lines(path: Path, fields: Fields) -> _Raw:
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    text, rows = fields.text or "text", []
    for number, line in lines_of(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        row = parse(line, where, "put one JSON object on each line")
        for name in (text, fields.label, *([fields.group] if fields.group else [])):
            if not isinstance(row, dict) or name not in row:
                raise DataError(f"{where}: has no {name!r}; give every line a text and its label")
        rows.append((f"{path.name}:{number}", row))
    held = [row for _, row in rows]
    group = fields.group or "group"
    return _Raw(
        str(path),
        _texts(path, [row[text] for row in held]),
        _classes(path, [row[fields.label] for row in held]),
        tuple(name for name, _ in rows),
        _groups([row.get(group) for row in held]),
    )


def _first(
    path: Path, held: Mapping[str, np.ndarray], names: Sequence[str], what: str
) -> np.ndarray:
    found = next((held[name] for name in names if name in held), None)
    if found is None:
        raise DataError(
            f"{path}: holds {', '.join(held) or 'nothing'} and no {what}; name that array "
            f"{' or '.join(names)}"
        )
    return found


def _classes(path: Path, values: Sequence[object] | None) -> tuple[Class, ...]:
    """Class numbers or names, all of one kind."""
    if values is None:
        raise DataError(f"{path}: labels of more than one axis; give one class per example")
    found: list[Class] = []
    for row, value in enumerate(values, 1):
        if isinstance(value, float) and value.is_integer():
            found.append(int(value))
        elif isinstance(value, int | str) and value != "":
            found.append(value if isinstance(value, str) else int(value))
        else:
            raise DataError(
                f"{path}: the label of example {row} is {str(value)[:40]!r}; give a whole number "
                "from 0, or a name"
            )
    if len({type(one) for one in found}) > 1:
        raise DataError(f"{path}: some labels are numbers and some names; give one or the other")
    return tuple(found)


def _names(sides: Sequence[_Raw], classes: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names of classes in their order; None where labels are numbers already."""
    named = [bool(side.labels) and isinstance(side.labels[0], str) for side in sides]
    if not any(named):
        return None
    if not all(named):
        raise DataError(
            f"{sides[named.index(False)].where}: its labels are numbers, and those of "
            f"{sides[named.index(True)].where} names; give both sides in one form"
        )
    if classes is not None:
        return tuple(classes)
    return tuple(sorted({str(label) for side in sides for label in side.labels}))


def _texts(path: Path, values: Sequence[object]) -> list[str]:
    found = [value for value in values if isinstance(value, str)]
    if len(found) < len(values):
        row = next(row for row, value in enumerate(values, 1) if not isinstance(value, str))
        raise DataError(f"{path}: example {row} has no text; give a string, or leave it out")
    return found


def _groups(values: Sequence[object]) -> tuple[str | None, ...]:
    return tuple(None if value is None else str(value) for value in values)


def _names_of(path: Path, array: np.ndarray, what: str) -> tuple[str, ...]:
    if array.ndim != 1:
        raise DataError(
            f"{path}: `{what}` in shape {array.shape}; give one per example, on one axis"
        )
    return tuple(map(str, array.tolist()))


def _numbered(path: Path, count: int) -> tuple[str, ...]:
    return tuple(f"{path.name}:{row}" for row in range(1, count + 1))
