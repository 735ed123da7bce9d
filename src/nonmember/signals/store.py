"""A content-addressed store: an output is complete under its address, or not there.

An address is computed from everything that can change the output. Outputs are folders,
written under another name and renamed when whole, so an interruption leaves nothing half
done and two processes may share a store.
"""

import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from nonmember.errors import RunError

REWRITES = "rewrites.sqlite"
"""The file below a store's root that holds the rewrites that were made."""

HOST = platform.node().replace("-", "_")


@dataclass(frozen=True)
class Store:
    """Outputs of finished jobs below ``root``, which only its owner can read."""

    root: Path

    def folder(self, address: str) -> Path:
        """Where the output of ``address`` is, or will be."""
        return self.root / address[:2] / address

    def has(self, address: str) -> bool:
        """Whether the output is there; if so, it is whole."""
        return self.folder(address).is_dir()

    def scratch(self, address: str) -> Path:
        """A folder for work in progress on ``address``, kept over interruptions."""
        return self._private("unfinished", address)

    @contextmanager
    def writing(self, address: str) -> Iterator[Path]:
        """A folder to write into; it becomes the output when the block ends without error."""
        target = self.folder(address)
        beside = self._private(target.parent.name)
        sweep(beside, address)
        part = Path(tempfile.mkdtemp(prefix=half(address), dir=beside))
        try:
            yield part
            _sync(part)
            try:
                part.rename(target)
            except OSError:  # another process finished the same work first
                if not target.is_dir():
                    raise
            shutil.rmtree(self.root / "unfinished" / address, ignore_errors=True)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def put(self, address: str, arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> None:
        """Store named arrays and what is to be known of how they came about."""
        with self.writing(address) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array, allow_pickle=False)
            note(folder, about)

    def array(self, address: str, name: str) -> np.ndarray:
        """A stored array, mapped from disk.

        Raises:
            RunError: it is missing or damaged.
        """
        path = self.folder(address) / f"{name}.npy"
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, TokenError) as error:  # as the damage has it
            raise _unreadable(path, error) from None

    def provenance(self, address: str) -> dict[str, Any]:
        """What was recorded of how an output came about."""
        path = self.folder(address) / "provenance.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        return found

    def _private(self, *below: str) -> Path:
        """A folder below the root. Made one by one: ``mkdir`` sets the mode of the last only."""
        path = self.root
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in below:
            path = path / name
            path.mkdir(exist_ok=True, mode=0o700)
        return path


def _unreadable(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path}: damaged or missing ({error}); delete the folder {path.parent} and run again"
    )


def note(folder: Path, about: Mapping[str, Any]) -> None:
    """Record in an output's folder how it came about."""
    (folder / "provenance.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def half(name: str) -> str:
    """How the folder begins in which this process writes what is to have that name."""
    return f".{name}-{HOST}-{os.getpid()}-"


def sweep(beside: Path, name: str) -> None:
    """Remove what processes of this machine that were killed have left half written."""
    ours = re.compile(rf"{re.escape(f'.{name}-{HOST}-')}(\d+)-[^-]+")
    for left in beside.iterdir():
        found = ours.fullmatch(left.name)
        if found is None:
            continue
        try:
            os.kill(int(found[1]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except PermissionError:  # it lives, and is somebody else's
            continue


def _sync(folder: Path) -> None:
    """Force every file to the disk before the rename makes it count as done."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                os.fsync(stream.fileno())
