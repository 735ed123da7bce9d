"""Files that are there whole or not at all."""

import os
import secrets
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


def check(path: Path) -> None:
    """Refuse a place that no file can be written to, before there is anything to write.

    Raises:
        RunError: it is a folder, or in none.
    """
    place = path.resolve()  # what a link leads to
    if place.is_dir():
        raise RunError(f"{path}: is a folder; give a file in it")
    if not place.parent.is_dir():
        raise RunError(f"{path}: its folder does not exist; make it")
