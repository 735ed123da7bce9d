"""The folder that ``nonmember canaries`` leaves, and what an audit reads of it.

It holds the training data with the canaries whose coin came up, ``manifest.json``, which may be
shared, and ``private`` with all canaries, their coins and the secret that both were drawn by.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nonmember.audit.canaries import manifest
from nonmember.audit.canaries.manifest import ALL, COINS, PRIVATE, REMEDY, SPARE
from nonmember.data import labelled, texts
from nonmember.data.canaries import FORMS, Form, flipped, sealing_key
from nonmember.data.canaries.forms import Kind
from nonmember.data.examples import Examples
from nonmember.data.records import Records
from nonmember.errors import DataError
from nonmember.types import Member


@dataclass(frozen=True)
class Canaries:
    """A folder whose files are those of its manifest.

    ``coins`` (n,) say which of the canaries in ``all`` are in ``data``, in their order.
    ``settings`` are how ``data`` is read, ``classes`` the names of its classes if it has any, in
    the order of their numbers; ``labels`` is how many classes there are, 0 of texts. ``key`` is
    that of the ``digest`` of ``data``.
    """

    folder: Path
    form: Form
    coins: Member
    settings: Mapping[str, str]
    classes: tuple[str, ...] | None
    labels: int
    data: Path
    digest: str
    key: bytes = field(repr=False)

    @property
    def all(self) -> Path:
        """The file of all canaries."""
        return self.folder / PRIVATE / ALL[self.form.kind]

    @property
    def spare(self) -> Path:
        """The file of canaries that had no coin and were trained on by nobody."""
        return self.folder / PRIVATE / SPARE

    def checked_data(self) -> Path:
        """The training data, for a model that is to be trained on it here.

        Raises:
            DataError: it is missing, or not what was written.
        """
        if not manifest.is_whole(self.data, self.digest, self.key):
            raise DataError(
                f"{self.data}: missing or not the data that the canaries are in; {REMEDY}"
            )
        return self.data


def read(path: str | Path, kind: Kind) -> Canaries:
    """The canaries of a folder, for an audit of this kind.

    Raises:
        DataError: it is no such folder, of another kind, or not as it was written.
    """
    folder = Path(path).expanduser()
    known = manifest.read(folder)
    form = next((one for one in FORMS if one.name == known.form), None)
    if form is None or form.kind != kind:
        raise DataError(
            f"{folder}: its canaries are {known.form!r}, not of {kind} data; audit a model "
            f"that was trained on {known.output.name}"
        )
    for name in known.private:
        if not (folder / PRIVATE / name).is_file():
            raise DataError(
                f"{folder / PRIVATE / name}: missing; without it nobody knows the canaries; "
                f"{REMEDY}"
            )
    secret, coins = _coins(folder / PRIVATE / COINS, known.canaries)
    key = sealing_key(secret)
    _refuse_tampered(folder / PRIVATE, known.private, key)
    return Canaries(
        folder,
        form,
        _as_drawn(folder / PRIVATE / COINS, coins, secret),
        known.settings,
        known.classes,
        known.labels,
        folder / known.output.name,
        known.output.hmac,
        key,
    )


def _refuse_tampered(private: Path, digests: Mapping[str, str], key: bytes) -> None:
    for name in (COINS, *digests):  # first the one that the key is of
        if not manifest.is_whole(private / name, digests[name], key):
            raise DataError(f"{private / name}: is not what the manifest says; {REMEDY}")


def _coins(path: Path, count: int) -> tuple[str, Member]:
    """The secret, and the coins beside it."""
    try:
        held = json.loads(path.read_text("utf-8"))
        secret, coins = held["secret"], np.array(held["coins"], dtype=bool)
        bytes.fromhex(secret)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); {REMEDY}") from None
    if coins.shape != (count,):
        raise DataError(f"{path}: not {count} coins, as the manifest says; {REMEDY}")
    return secret, coins


def _as_drawn(path: Path, coins: Member, secret: str) -> Member:
    """The coins, which must be those of the secret beside them: none was turned by hand."""
    if not np.array_equal(coins, flipped(secret, len(coins))):
        raise DataError(
            f"{path}: its coins are not those of its secret, so chance did not decide; {REMEDY}"
        )
    return coins


def records_of(found: Canaries) -> Records:
    """All canaries of a language model's folder, in the order of their coins.

    Raises:
        DataError: they are not as many as the coins.
    """
    every = texts.read(found.all)
    _refuse_count(found, len(every))
    return Records.of(
        replace(record, id=f"canary {number}") for number, record in enumerate(every, start=1)
    )


def trained_on(found: Canaries) -> Records:
    """All that a language model is trained on that meets some of the canaries."""
    return texts.read(found.checked_data(), field=found.settings.get("field"))


def examples_of(found: Canaries) -> tuple[Examples, Examples]:
    """All canaries of a classifier's folder, in the order of their coins; and the spare ones.

    Raises:
        DataError: they are not as many as the coins, or of a class that the model has not.
    """
    paths = (found.all, found.spare)
    every, spare = (labelled.read(path, classes=found.classes) for path in paths)
    _refuse_count(found, len(every))
    return every, spare


def rest_of(found: Canaries, canaries: Examples) -> Examples:
    """What a classifier is trained on beside the canaries, each of no group."""
    every = labelled.read(found.checked_data(), **found.settings, classes=found.classes)
    mine, theirs = (one.digests.copy().view("V16")[:, 0] for one in (every, canaries))
    rest = every.take(np.flatnonzero(~np.isin(mine, theirs)))
    return replace(rest, groups=(None,) * len(rest))


def _refuse_count(found: Canaries, count: int) -> None:
    if count != len(found.coins):
        raise DataError(f"{found.all}: {count} canaries for {len(found.coins)} coins; {REMEDY}")
