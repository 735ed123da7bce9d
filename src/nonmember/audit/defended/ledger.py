"""What became of each training record: private, since it says which of them gave themselves away.

A ledger holds no text. Hashes in it are keyed with the secret that rewrites were drawn by,
so that nobody without it can look a text up.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import UInt8

from nonmember.errors import DataError

LEDGER, SECRET, ABOUT = "ledger.parquet", "secret", "about"
RANK = {"": 0, "dropped": 1, "rewritten": 2, "kept": 3, "raw": 4}
"""Of a record with several, the last counts: once trained on as it is, it is exposed as it is."""

Mark = TypeVar("Mark", str, bytes)
COLUMNS = {
    "record": pa.string(),
    "role": pa.string(),
    "defense": pa.string(),
    "exposure": pa.float64(),
    "attempts": pa.int32(),
    "failed": pa.list_(pa.string()),
    "why": pa.string(),
    "raw": pa.string(),
    "trained": pa.string(),
    "measures": pa.string(),
}


@dataclass(frozen=True)
class Ledger:
    """A ledger as ``nonmember protect`` leaves it: roles by the records' keyed hashes.

    ``about`` names the ``defense`` and its ``options``, the ``rewriter`` and ``how`` it was set.
    """

    key: bytes
    roles: Mapping[str, str]
    about: Mapping[str, Any]

    def of(self, digests: UInt8[np.ndarray, "n bytes"]) -> np.ndarray:
        """The role of each record; "" of one that the ledger does not know."""
        return np.array([self.roles.get(keyed(self.key, one.tobytes()), "") for one in digests])


def keyed(key: bytes, digest: bytes) -> str:
    """A record's digest, hashed with the key."""
    return blake2b(digest, key=key, digest_size=16).hexdigest()


def key_of(secret: str) -> bytes:
    """The key that a secret gives."""
    return blake2b(secret.encode(), person=b"ledger", digest_size=32).digest()


def strongest(pairs: Iterable[tuple[Mark, str]]) -> dict[Mark, str]:
    """Roles by what marks records: copies of one text count as the one that is most exposed."""
    found: dict[Mark, str] = {}
    for mark, role in pairs:
        found[mark] = max(found.get(mark, ""), role, key=RANK.__getitem__)
    return found


def write(path: Path, rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Write a ledger, readable by its owner only."""
    path.touch(mode=0o600)
    schema = pa.schema(COLUMNS, metadata={ABOUT: json.dumps(about)})
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)


def table(path: Path) -> pa.Table:
    """The rows of a ledger.

    Raises:
        DataError: it is missing, damaged, or no ledger.
    """
    try:
        found = pq.read_table(path)
        if not set(COLUMNS) <= set(found.column_names) or _about(found) is None:
            raise ValueError("it lacks columns, or what it is about")
        return found
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: no ledger that can be read ({error}); give the private folder that "
            "`nonmember protect` wrote"
        ) from None


def read(folder: Path) -> Ledger:
    """The ledger in a private folder, with the secret beside it.

    Raises:
        DataError: one of them is missing or damaged.
    """
    rows = table(folder / LEDGER)
    try:
        secret = (folder / SECRET).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / SECRET}: cannot be read ({error}); it lies beside the ledger where "
            "`nonmember protect` wrote both"
        ) from None
    return Ledger(
        key_of(secret),
        strongest(zip(rows["raw"].to_pylist(), rows["role"].to_pylist(), strict=True)),
        _about(rows) or {},
    )


def _about(rows: pa.Table) -> dict[str, Any] | None:
    """What a ledger says of the protection; None if nothing."""
    said = (rows.schema.metadata or {}).get(ABOUT.encode())
    return None if said is None else json.loads(said)
