"""``manifest.json`` of a folder of canaries: what may be shared of it, and that it is whole.

Of every file it holds an HMAC-SHA256 whose key comes from the private secret, as the files are
somebody's records: without the secret nobody can check a guess at them, and an audit reads it
anyway. It is no signature: whoever has the private folder can write all of it anew.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge
from pydantic import Field, TypeAdapter, ValidationError

from nonmember.data.canaries.forms import Kind
from nonmember.errors import DataError

SCHEMA: Final = 1
MANIFEST, PRIVATE, COINS, SPARE = "manifest.json", "private", "coins.json", "spare.npz"
ALL: Mapping[Kind, str] = {"language": "canaries.jsonl", "classifier": "canaries.npz"}
REMEDY = "restore the folder that `nonmember canaries` wrote, or make and train on a new one"
BLOCK = 1 << 20


@dataclass(frozen=True)
class Sealed:
    """A file, or a folder of shards, and the keyed digest of what it holds."""

    name: Annotated[str, Field(pattern=r"^[^/\\\x00]+$")]
    hmac: str


@dataclass(frozen=True)
class Manifest:
    """What may be shared of canaries; ``private`` has the keyed digest of each private file.

    How many coins came up is not in it: guesses at coins are told nothing of them. Whoever has the
    data can count its records, and an audit's results say it when all guesses are made.
    ``settings`` are how the data is read, ``classes`` the names of its classes if it has any, and
    ``labels`` is how many there are, 0 of texts.
    """

    manifest: Literal[1]
    nonmember: str
    created: str
    kind: Kind
    form: str
    what: str
    paper: str
    canaries: Annotated[int, Ge(1)]
    coins: str
    records: Annotated[int, Ge(0)]
    source: Sealed
    output: Sealed
    private: Mapping[str, str]
    settings: Mapping[str, str]
    classes: tuple[str, ...] | None
    labels: Annotated[int, Ge(0)]


_ADAPTER = TypeAdapter(Manifest)


def read(folder: Path) -> Manifest:
    """The manifest of a folder of canaries.

    Raises:
        DataError: there is none, or it is damaged, of a newer version, or lacks a private file.
    """
    path = folder / MANIFEST
    try:
        held = json.loads(path.read_text("utf-8"))
        _refuse_newer(path, held)
        found = _ADAPTER.validate_python(held)
    except FileNotFoundError:
        raise DataError(
            f"{folder}: has no {MANIFEST}; give the folder that `nonmember canaries` wrote"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise DataError(f"{path}: damaged ({where}: {first['msg']}); {REMEDY}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged ({error}); {REMEDY}") from None
    wanted = {COINS, ALL[found.kind], *([SPARE] if found.kind == "classifier" else [])}
    if wanted != {*found.private}:
        raise DataError(f"{path}: private is not {', '.join(sorted(wanted))}; {REMEDY}")
    return found


def _refuse_newer(path: Path, held: Any) -> None:
    version = held.get("manifest") if isinstance(held, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise DataError(
            f"{path}: of version {version}, and {SCHEMA} is the newest known here; upgrade "
            "nonmember"
        )


def digest_of(path: Path, key: bytes) -> str:
    """The keyed digest of a file, or of all files of a folder by their names and sizes."""
    state = hmac.new(key, digestmod=sha256)
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            state.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(BLOCK):
                state.update(block)
    return state.hexdigest()


def is_whole(path: Path, digest: str, key: bytes) -> bool:
    """Whether what lies there has this keyed digest."""
    return path.exists() and hmac.compare_digest(digest_of(path, key), digest)
