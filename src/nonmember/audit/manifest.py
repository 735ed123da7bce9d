"""``manifest.json``: what a run's files were when it ended, so that a change is noticed.

Of what may be shared it holds a SHA-256. Of what only its owner may read it holds an HMAC whose
key lies in the private folder: without it the manifest tells nothing of them, not even whether a
guess is right. It is no signature: who can write the run can write the manifest too, so its own
digest belongs where they cannot.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Literal

from annotated_types import Ge
from pydantic import Field, TypeAdapter, ValidationError

from nonmember.audit import whole
from nonmember.errors import RunError

SCHEMA: Final = 1
MANIFEST = "manifest.json"
PRIVATE = "private"
KEY = "manifest.key"
SECRET = ".key"  # how what must never be shared ends, wherever it lies
BYTES = 32
BLOCK = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file; of an owner's own the ``digest`` is keyed and the size is kept back."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, Ge(0)] | None = None
    keyed: bool = False


@dataclass(frozen=True)
class Manifest:
    """The files of a run by their path in it."""

    schema: Literal[1]
    nonmember: str
    files: Mapping[str, Entry]


@dataclass(frozen=True)
class Checked:
    """What became of a run's files; ``unchecked`` are an owner's, whose key is not here."""

    digest: str
    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    unchecked: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing differs of what could be checked, and that is all but an owner's own."""
        owned = all(map(_kept_back, self.unchecked))
        return owned and not (self.changed or self.missing or self.added)

    def told(self) -> str:
        """A line for each file that differs or was not checked, and one for the rest."""
        groups = {
            "changed": self.changed,
            "missing": self.missing,
            "added": self.added,
            "not checked, as its key is not here": self.unchecked,
        }
        lines = [f"{said}: {name!r}" for said, names in groups.items() for name in names]
        return "\n".join(
            [*lines, f"as they were: {len(self.same)} files", f"{MANIFEST}: sha256 {self.digest}"]
        )


_ADAPTER = TypeAdapter(Manifest)


def withdraw(run: Path) -> None:
    """Take the manifest away before results change: half a new run is not the old one."""
    (run / MANIFEST).unlink(missing_ok=True)


def write(run: Path) -> None:
    """Write the manifest of all that lies in ``run``, whole or not at all."""
    _put(run, Manifest(SCHEMA, version("nonmember"), _entries(run, _names(run))))


def update(run: Path, *names: str) -> None:
    """Set what the manifest says of these files, and of nothing else; write it if there is none.

    What was changed by others is then still noticed.

    Args:
        run: its folder.
        names: files in it, or folders with all that they hold.

    Raises:
        RunError: the manifest is damaged.
    """
    if not (run / MANIFEST).is_file():
        write(run)
        return
    found = _read(run)
    parts = tuple(f"{name}/" for name in names)
    kept = {
        name: entry
        for name, entry in found.files.items()
        if name not in names and not name.startswith(parts)
    }
    kept |= _entries(run, (one for one in _names(run) if one in names or one.startswith(parts)))
    _put(run, replace(found, files=dict(sorted(kept.items()))))


def verify(run: Path) -> Checked:
    """Hold the files of a run against its manifest.

    Raises:
        RunError: there is no manifest, or a damaged one.
    """
    found, key, there = _read(run), _key(run), set(_names(run))
    groups: dict[str, list[str]] = {
        group: [] for group in ("same", "changed", "missing", "added", "unchecked")
    }
    for name, entry in found.files.items():
        groups[_state(run, name, entry, key, there)].append(name)
    groups["added"] += sorted(there - set(found.files))
    digest = hashlib.sha256((run / MANIFEST).read_bytes()).hexdigest()
    return Checked(digest, **{group: tuple(names) for group, names in groups.items()})


def _state(run: Path, name: str, entry: Entry, key: bytes | None, there: set[str]) -> str:
    if entry.keyed and key is None:
        return "unchecked"
    if name not in there:
        return "missing"
    now = _entry(run, name, key, entry.keyed).digest
    return "same" if hmac.compare_digest(now, entry.digest) else "changed"


def _read(run: Path) -> Manifest:
    path = run / MANIFEST
    if not path.is_file():
        raise RunError(f"{run}: no {MANIFEST} here; give the folder of a finished audit")
    try:
        found = _ADAPTER.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise RunError(
            f"{path}: damaged, or of a newer version ({first['msg']}); it vouches for nothing: "
            "upgrade nonmember, or run the audit again"
        ) from None
    strange = [name for name in found.files if not _inside(name)]
    if strange:
        raise RunError(
            f"{path}: names {strange[0][:80]!r}, which is no file of a run; it is damaged"
        )
    return found


def _inside(name: str) -> bool:
    """Whether a name stays within the run, and is text: of no other can a manifest tell."""
    parts = name.split("/")
    text = not any("\ud800" <= one <= "\udfff" for one in name)  # no byte that is not UTF-8
    return text and "\0" not in name and not {"", ".", ".."} & set(parts) and "\\" not in name


def _names(run: Path) -> Iterator[str]:
    """All files of a run but the manifest, its key, and what is half written."""
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        own = name in (MANIFEST, f"{PRIVATE}/{KEY}")
        if path.is_file() and not own and path.suffix != ".part":
            yield name


def _kept_back(name: str) -> bool:
    """Whether a file is for its owner only; by its name, as any file is under a strict umask."""
    return name.startswith(f"{PRIVATE}/") or name.endswith(SECRET)


def _entries(run: Path, names: Iterable[str]) -> dict[str, Entry]:
    """What a manifest says of these; nothing of strange names, which are then found added."""
    told = [name for name in names if _inside(name)]
    key = _key(run)
    if key is None and any(map(_kept_back, told)):  # a copy without private files needs none
        key = _new_key(run)
    return {name: _entry(run, name, key, _kept_back(name)) for name in told}


def _entry(run: Path, name: str, key: bytes | None, keyed: bool) -> Entry:
    digest = hmac.new(key, digestmod="sha256") if keyed and key else hashlib.sha256()
    with (run / name).open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    size = None if keyed else (run / name).stat().st_size
    return Entry(digest.hexdigest(), size, keyed)


def _key(run: Path) -> bytes | None:
    """The key, if it is here; what is shared comes without it."""
    try:
        return (run / PRIVATE / KEY).read_bytes()
    except (FileNotFoundError, PermissionError):
        return None


def _new_key(run: Path) -> bytes:
    """A key that nobody can guess; kept where private records are, and as they are."""
    (run / PRIVATE).mkdir(mode=0o700, exist_ok=True)
    key = secrets.token_bytes(BYTES)
    whole.write(run / PRIVATE / KEY, key, 0o600)
    return key


def _put(run: Path, manifest: Manifest) -> None:
    whole.write(run / MANIFEST, json.dumps(asdict(manifest), indent=1).encode() + b"\n")
