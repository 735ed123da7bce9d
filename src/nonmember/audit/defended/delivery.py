"""From a data set to a safer one, with a private ledger and a manifest that may be shared.

Beside the new data set lie ``*.manifest.json`` and, for its owner only, ``*.private`` with the
secret that rewrites were drawn by and the ledger. The secret is drawn once: an interrupted
protection goes on with it, and whoever has it can make the rewrites again.
"""

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nonmember.audit import engine, whole
from nonmember.audit.defended import ledger, protecting
from nonmember.audit.defended.order import Order
from nonmember.audit.defended.protection import Protection, defended, protection
from nonmember.audit.jobs import Job, Protect
from nonmember.audit.language.asking import Setting
from nonmember.audit.language.candidates import in_order
from nonmember.audit.language.making import Making, before
from nonmember.audit.language.met import met
from nonmember.audit.language.subject import Target
from nonmember.audit.parts import Signals
from nonmember.data import texts
from nonmember.data.records import Content, Records
from nonmember.data.writing import check_target, write_like
from nonmember.errors import DataError, RunError, SpecError
from nonmember.models import causal
from nonmember.models.source import Source, digest, locate
from nonmember.models.text import Encodings, Form, fingerprint
from nonmember.signals.store import Store

ORDER, MANIFEST_NAME, MADE = "order.json", "manifest.json", "made"
MANIFEST_SCHEMA = 1


@dataclass(frozen=True)
class Places:
    """Where a protection's files go: the data set, a folder for its owner alone, the manifest.

    ``source`` is where the records are read, if that is not where the order says.
    """

    output: Path
    private: Path
    manifest: Path
    source: Path | None = None


def beside(output: Path) -> Places:
    """Everything beside the data set, under names that begin as its own."""
    return Places(
        output,
        output.with_name(f"{output.name}.private"),
        output.with_name(f"{output.name}.manifest.json"),
    )


@dataclass(frozen=True)
class Delivery:
    """What is to be delivered, checked: the records, and the jobs that protect them."""

    order: Order
    source: Path
    places: Places
    records: Records
    protect: Protect
    jobs: tuple[Job, ...]


def prepare(order: Order, places: Places) -> Delivery:
    """Check all that an order names, and draw the secret; nothing is computed yet.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do.
    """
    guard = _guard(order)
    source = places.source or Path(order.data).expanduser()
    base = locate(order.model)
    where = causal.placement(order.compute.device, order.compute.precision)
    check_target(source, places.output)
    records = texts.read(source, field=order.field)
    target = _target(order, base, in_order(records), guard)
    _claimed(order, records, places.private)
    setting = Setting(order.seed, Signals(), where, _secret(places.private))
    (material,) = Making(target, setting).protected(guard)
    assert isinstance(material, Protect)
    jobs = {job.address: job for job in before(material)}
    return Delivery(order, source, places, records, material, tuple(jobs.values()))


def _guard(order: Order) -> Protection:
    """What is done to the records.

    Raises:
        SpecError: nothing, or what can only be done while a model is trained.
    """
    recipe = defended(order.recipe, order.defenses)
    guard = protection(order.defenses, recipe, order.seed)
    if recipe != order.recipe or guard is None:
        raise SpecError(
            "defenses: protect makes data safer, not training; give those of the data stage, "
            "such as soft"
        )
    if guard.moving:
        raise SpecError(
            "defenses: reselect, after_warmup and views change the data while a model is "
            "trained; leave them out, or train in an audit's targets"
        )
    return guard


def _target(order: Order, base: Source, records: Records, guard: Protection) -> Target:
    """The records as those of a model that is never trained beyond its warm-up."""
    tokenizer = causal.load_tokenizer(base)
    limit = min(order.max_tokens, causal.context_length(base) or order.max_tokens)
    encoded = Encodings(tokenizer, records, Form(limit, order.packed, order.long))
    name = Path(order.data).name
    as_met = met(encoded, [base])
    if not as_met.scored.any():
        raise DataError(f"{order.data}: no record has a token to train on; give longer texts")
    return Target(
        name=name,
        source=None,
        base=base,
        recipe=order.recipe,
        training=encoded,
        candidates=encoded,
        fingerprint=fingerprint(tokenizer),
        shots=(),
        member_shots=(),
        met=as_met,
        attacks=(),
        left_out={},
        findings=(),
        protection=guard,
    )


def deliver(delivery: Delivery, store: Store, watch: engine.Watch) -> dict[str, Any]:
    """Do the jobs, write the data set, the ledger and the manifest, and return the manifest.

    The data set appears last: where it is, all is there.

    Raises:
        NonmemberError: a job failed, or the disk cannot hold the files.
    """
    places, protect = delivery.places, delivery.protect
    engine.run(delivery.jobs, store, watch)
    folder = store.folder(protect.address)
    rows = ledger.table(folder / ledger.LEDGER)
    contents = _contents(delivery.records, rows.to_pylist(), protecting.trained(folder))
    kept = (folder / ledger.LEDGER).read_bytes()
    whole.write(places.private / ledger.LEDGER, kept, 0o600)
    part = _room(places.private) / places.output.name
    write_like(delivery.source, part, contents, field=delivery.order.field)
    manifest = _manifest(delivery, store, part)
    whole.write(places.manifest, json.dumps(manifest, indent=1).encode())
    shutil.move(part, places.output)  # a rename, unless they are on two disks
    part.parent.rmdir()
    return manifest


def _manifest(delivery: Delivery, store: Store, made: Path) -> dict[str, Any]:
    """What may be shared: counts, digests and settings; of no record in particular."""
    order, source = delivery.order, delivery.source
    about = store.provenance(delivery.protect.address)
    done = [store.provenance(job.address)["seconds"] for job in delivery.jobs]
    asked = order.model_dump(mode="json", exclude={"data", "model", "seed"})
    for one in asked["defenses"]:
        given = one["rewriter"]["options"]
        one["rewriter"]["options"] = {name: _without_place(value) for name, value in given.items()}
    return {
        "manifest": MANIFEST_SCHEMA,
        "nonmember": version("nonmember"),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": {"name": source.name, "sha256": _sha256(source)},
        "output": {"name": delivery.places.output.name, "sha256": _sha256(made)},
        "base": {"name": Path(order.model).name, "digest": delivery.protect.base.digest},
        "seconds in all": round(sum(done), 3),
        "settings": asked,
        **about,
    }


def _without_place(value: Any) -> Any:
    """Of a path on this machine its last part; anything else as it is."""
    is_path = isinstance(value, str) and "/" in value and "://" not in value
    return Path(value).name if is_path else value


def _claimed(order: Order, records: Records, private: Path) -> None:
    """Make the private folder this order's, for these records.

    Raises:
        RunError: it is that of another order, or of other records.
    """
    asked = {**order.model_dump(mode="json"), "records": digest(records.digests.tobytes())}
    mine = json.dumps(asked, indent=1).encode()
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _first(private / ORDER, mine) != mine:
        raise RunError(
            f"{private}: belongs to another order, or to other records, and its ledger tells of "
            "those; choose another place, or remove it"
        )


def _secret(private: Path) -> str:
    """What rewrites are drawn by; drawn once, and kept beside the ledger."""
    drawn = secrets.token_hex(16)
    return _first(private / ledger.SECRET, drawn.encode()).decode("ascii").strip()


def _first(path: Path, content: bytes) -> bytes:
    """What is in a private file, which is made with this if it is not there: once for all."""
    if not path.is_file():
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            with suppress(FileExistsError):  # another process was first
                os.link(part, path)
        finally:
            Path(part).unlink()
    return path.read_bytes()


def _room(private: Path) -> Path:
    """An empty folder for what is being made, whatever its name; an interruption may leave it."""
    room = private / MADE
    if room.is_dir():
        shutil.rmtree(room)
    room.mkdir(mode=0o700)
    return room


def _sha256(path: Path) -> str:
    """Of a file, or of all files of a folder by their names."""
    state = sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        state.update(f"{file.name} ".encode() if path.is_dir() else b"")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                state.update(block)
    return state.hexdigest()


def _contents(
    records: Records, rows: Sequence[Mapping[str, Any]], trained: Records
) -> dict[int, Content | None]:
    """What changes, by the place of a record in its file; None where it is left out."""
    place = {record.id: at for at, record in enumerate(records)}
    left = iter(trained)
    found: dict[int, Content | None] = {}
    for row in rows:
        if row["role"] == "dropped":
            found[place[row["record"]]] = None
            continue
        record = next(left)
        if row["role"] == "rewritten":
            found[place[row["record"]]] = record.content
    return found
