"""Files that are there whole or not at all."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from nonmember.errors import RunError


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file in one step; what is private is so from the first byte.

    Two writers at once do not meet: each has a part of its own, and the last one stays.

    Raises:
        OSError: the folder is missing or not writable; ``path`` is then as it was.
    """
    part = path.with_name(f".{path.name}-{secrets.token_hex(8)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def check_outputs(paths: Sequence[Path], run: Path) -> None:
    """Refuse places that cannot be written to, are the same, or lie in a run, which is sealed.

    Raises:
        RunError: naming the place.
    """
    taken = set[Path]()
    for path in paths:
        check(path)
        apart(path, run)
        if path.resolve() in taken:
            raise RunError(f"{path}: is given for two files; give each its own")
        taken.add(path.resolve())


def apart(path: Path, run: Path) -> None:
    """Refuse a place in a run: its manifest vouches for all that lies there.

    Raises:
        RunError: it is in the run, itself or by what it leads to.
    """
    places = path.resolve(), path.parent.resolve() / path.name
    if any(place.is_relative_to(run.resolve()) for place in places):
        raise RunError(f"{path}: is in the run, which verify checks; give a place outside {run}")


def check(path: Path) -> None:
    """Refuse a place that no file can be written to, before there is anything to write.

    Raises:
        RunError: it is a folder, a device or a pipe, or in no folder.
    """
    place = path.resolve()  # what a link leads to
    if place.is_dir():
        raise RunError(f"{path}: is a folder; give a file in it")
    if place.exists() and not place.is_file():  # which a rename would replace
        raise RunError(f"{path}: is no ordinary file; give a place for one")
    if not place.parent.is_dir():
        raise RunError(f"{path}: its folder does not exist; make it")
