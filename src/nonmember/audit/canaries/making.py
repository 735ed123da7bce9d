"""From training data to the folder of an audit in one run: data with canaries, and who they are."""

import json
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property, reduce
from importlib.metadata import version
from operator import and_
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.audit import whole
from nonmember.audit.canaries.manifest import (
    ALL,
    COINS,
    MANIFEST,
    PRIVATE,
    SCHEMA,
    SPARE,
    Manifest,
    Sealed,
    digest_of,
)
from nonmember.data import labelled, texts
from nonmember.data.canaries import Form, flipped, sealing_key, stream
from nonmember.data.canaries import labelled as labelled_canaries
from nonmember.data.canaries import texts as text_canaries
from nonmember.data.canaries.joining import joined
from nonmember.data.canaries.rows import Chosen, opened
from nonmember.data.labelled import Class, Fields
from nonmember.data.records import Completion, Content
from nonmember.data.writing import write_like
from nonmember.errors import DataError, RunError
from nonmember.signals.store import half, sweep
from nonmember.types import Member


@dataclass(frozen=True)
class Order:
    """What is asked: so many canaries of a form, by a secret, in this data, into that folder."""

    data: Path
    output: Path
    form: Form
    count: int
    secret: str = field(repr=False)
    settings: Mapping[str, str]

    @cached_property
    def coins(self) -> Member:
        """Which canaries go in; thrown once it is known that so many can be made."""
        return flipped(self.secret, self.count)


def make(order: Order, length: int | None) -> dict[str, Any]:
    """Write the folder of canaries and return its manifest; it appears when it is whole.

    Raises:
        DataError: the data cannot be read, is named as a part of the folder is, or so many
            canaries cannot be made.
        RunError: something is where the folder should be.
    """
    if _taken(order.output):
        raise RunError(f"{order.output}: exists already; remove it, or choose another --output")
    name = order.data.absolute().name
    if name.casefold() in (MANIFEST, PRIVATE):
        raise DataError(f"{order.data}: a folder of canaries has a {name} of its own; rename it")
    with _beside(order.output) as part:
        private = part / PRIVATE
        private.mkdir(mode=0o700)
        if order.form.kind == "language":
            about = _texts(order, part, length)
        else:
            about = _examples(order, part)
        _as_open(order.data, part / name)
        held = {"secret": order.secret, "coins": order.coins.tolist()}
        whole.write(private / COINS, json.dumps(held).encode(), 0o600)
        manifest = asdict(_manifest(order, part, about))
        whole.write(part / MANIFEST, json.dumps(manifest, indent=1).encode())
    return manifest


def _taken(output: Path) -> bool:
    """Whether anything is there but an empty folder; also a link, whatever it leads to."""
    there = any(output.iterdir()) if output.is_dir() else output.exists()
    return there or output.is_symlink()


@contextmanager
def _beside(output: Path) -> Iterator[Path]:
    """A folder beside ``output`` that takes its place in the end, or is gone after an error."""
    place = output.absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep(place.parent, place.name)
    part = Path(tempfile.mkdtemp(".part", half(place.name), place.parent))
    try:
        yield part
        part.chmod(0o755)
        part.rename(place)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _as_open(data: Path, target: Path) -> None:
    """Let those read the new data who may read the old; a new shard, who may read all old ones."""
    shutil.copymode(data, target)
    if not data.is_dir():
        return
    old = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.iterdir()}
    least = reduce(and_, old.values())
    for path in target.iterdir():
        path.chmod(old.get(path.name, least))


@dataclass(frozen=True)
class _Data:
    """What the data was: its records, its classes by name, and how many labels it has."""

    records: int
    classes: tuple[str, ...] | None = None
    labels: int = 0


def _texts(order: Order, part: Path, length: int | None) -> _Data:
    """Write the data with the canaries that came up, and all of them."""
    field = order.settings.get("field")
    records = texts.read(order.data, field=field)
    rng = stream(order.secret, "canaries")
    found = text_canaries.made(records, order.form.name, order.count, rng, length)
    inserted = {
        place: content
        for place, content, coin in zip(found.places, found.contents, order.coins, strict=True)
        if coin
    }
    target, own = part / order.data.absolute().name, part / PRIVATE / f"own-{order.data.name}"
    if inserted:
        contents = {place: inserted.get(place) for place in range(len(records))}
        write_like(order.data, own, contents, field=field)
        joined(order.data, own, target)
        shutil.rmtree(own) if own.is_dir() else own.unlink()
    else:  # each of a few coins may say no
        write_like(order.data, target, {}, field=field)
    lines = "".join(f"{json.dumps(_row(content))}\n" for content in found.contents)
    whole.write(part / PRIVATE / ALL["language"], lines.encode(), 0o600)
    return _Data(len(records))


def _row(content: Content) -> dict[str, Any]:
    """A canary as a line that ``texts.read`` reads."""
    if isinstance(content, str):
        return {"text": content}
    if isinstance(content, Completion):
        return {"prompt": content.prompt, "completion": content.completion}
    return {"messages": [turn._asdict() for turn in content]}


def _examples(order: Order, part: Path) -> _Data:
    """The same of labelled examples."""
    label, group, text = (order.settings.get(name) for name in ("label", "group", "text"))
    fields = Fields(label or "label", group, text)
    examples = labelled.read(order.data, label=fields.label, group=group, text=text)
    rows = opened(order.data, fields)
    rng = stream(order.secret, "canaries")
    form = order.form.name
    found = labelled_canaries.made(examples, rows.labels, form, order.count, rng)
    chosen = _delivered(rows.labels, found, order.coins)
    rows.write(part / order.data.absolute().name, chosen)
    inputs = examples.inputs if found.inputs is None else found.inputs
    own = found.places if found.inputs is None else tuple(range(len(found.places)))
    for name, some in (
        (ALL["classifier"], slice(order.count)),
        (SPARE, slice(order.count, None)),
    ):
        _save(part / PRIVATE / name, inputs, own[some], found.labels[some])
    named = isinstance(rows.labels[0], str)
    names = tuple(sorted(map(str, set(rows.labels)))) if named else None
    return _Data(len(examples), names, 1 + int(examples.labels.max()))


def _delivered(
    labels: tuple[Class, ...], found: labelled_canaries.LabelledCanaries, coins: Member
) -> Chosen:
    """The rows of the new data: mislabelled ones stay in their place, noise comes last."""
    drawn = found.places[: found.count]
    up = np.flatnonzero(coins).tolist()
    if found.inputs is not None:
        places = (*range(len(labels)), *(drawn[place] for place in up))
        classes = (*labels, *(found.labels[place] for place in up))
        return Chosen(places, classes, found.inputs[: found.count][coins])
    wrong = {drawn[place]: found.labels[place] for place in up}
    gone = set(found.places) - set(wrong)
    kept = tuple(place for place in range(len(labels)) if place not in gone)
    return Chosen(kept, tuple(wrong.get(place, labels[place]) for place in kept))


def _save(path: Path, inputs: Any, places: tuple[int, ...], labels: tuple[Class, ...]) -> None:
    """Canaries as ``labelled.read`` reads them, in a file for their owner alone."""
    if isinstance(inputs, np.ndarray):
        own = inputs[np.array(places, dtype=np.int64)]
    else:
        own = np.array([inputs[place] for place in places])
    ids = np.array([f"{path.stem} {number}" for number in range(1, len(places) + 1)])
    path.touch(mode=0o600)
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, x=own, y=np.array(labels), ids=ids)


def _manifest(order: Order, part: Path, about: _Data) -> Manifest:
    """What may be shared."""
    target, key = part / order.data.absolute().name, sealing_key(order.secret)
    return Manifest(
        manifest=SCHEMA,
        nonmember=version("nonmember"),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        kind=order.form.kind,
        form=order.form.name,
        what=order.form.told,
        paper=order.form.paper,
        canaries=order.count,
        coins="one for each canary, probability 1/2, HMAC-SHA256 of a private secret of 256 bits",
        records=about.records,
        source=Sealed(target.name, digest_of(order.data, key)),
        output=Sealed(target.name, digest_of(target, key)),
        private={path.name: digest_of(path, key) for path in sorted((part / PRIVATE).iterdir())},
        settings=dict(order.settings),
        classes=about.classes,
        labels=about.labels,
    )
