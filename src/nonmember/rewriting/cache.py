"""Rewrites that were made, kept in one file, so that no interruption has them made again.

It holds private text, and is readable by its owner only. A rewrite is looked up by a digest
of the text, of who rewrites it and of the seed.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nonmember.errors import RunError
from nonmember.rewriting.protocols import Rewrite

PATIENCE = 60.0  # seconds for which another process may be writing
ASKED_AT_ONCE = 500  # keys; SQLite takes no more than 999 in a question of old

TABLE = """CREATE TABLE IF NOT EXISTS rewrites (
    key BLOB PRIMARY KEY, text TEXT, why TEXT NOT NULL,
    tokens_read INTEGER NOT NULL, tokens_written INTEGER NOT NULL
) WITHOUT ROWID"""
QUESTION = "SELECT key, text, why, tokens_read, tokens_written FROM rewrites WHERE key IN ({})"


def key(text: str, identity: str, seed: int) -> bytes:
    """Under which a rewrite is kept: 32 bytes that any change of text, rewriter or seed changes."""
    digest = blake2b(f"{seed} {len(identity)} {identity}".encode(), digest_size=32)
    digest.update(text.encode())
    return digest.digest()


@dataclass(frozen=True)
class Cache:
    """A file of rewrites by their keys, which processes may share.

    Each call opens and closes the file, so that nothing is held over a fork or a kill. Every
    ``put`` is one transaction: after a kill at any moment it is there whole or not at all.
    SQLite's rollback journal does that where its write-ahead log would not, on disks that
    two machines share, and leaves no second file with private text behind.
    """

    path: Path

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Rewrite]:
        """What there is under these keys.

        Raises:
            RunError: the file is damaged, or cannot be used.
        """
        found, wanted = {}, list(dict.fromkeys(keys))
        with self._opened() as file:
            for start in range(0, len(wanted), ASKED_AT_ONCE):
                some = wanted[start : start + ASKED_AT_ONCE]
                rows = file.execute(QUESTION.format(",".join("?" * len(some))), some)
                found.update({row[0]: Rewrite(*row[1:]) for row in rows})
        return found

    def put(self, rewrites: Mapping[bytes, Rewrite]) -> None:
        """Keep these; what is already there stays, so that processes agree on the first.

        Raises:
            RunError: the file is damaged, or cannot be used.
        """
        rows = [(one, *rewrite) for one, rewrite in rewrites.items()]
        with self._opened() as file:
            file.execute("BEGIN IMMEDIATE")  # a lock that is taken later may be refused for good
            file.executemany("INSERT OR IGNORE INTO rewrites VALUES (?, ?, ?, ?, ?)", rows)
            file.execute("COMMIT")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # its journals follow it
            file = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            with closing(file):
                file.execute(TABLE)
                yield file
        except (OSError, sqlite3.OperationalError) as error:
            raise RunError(
                f"{self.path}: this cache of rewrites cannot be used ({error}); make sure that it "
                "is writable and has room, and that no other process keeps it locked"
            ) from error
        except sqlite3.DatabaseError as error:
            raise RunError(
                f"{self.path}: this cache of rewrites is damaged ({error}); delete it, and what "
                "it held is rewritten anew"
            ) from error
