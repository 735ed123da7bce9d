"""Writing a data file beside its place, and moving it there once it is whole."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from nonmember.data.rows import Wanted, rows
from nonmember.data.writing.columns import write_parquet, write_saved
from nonmember.data.writing.content import Contents
from nonmember.data.writing.lines import write_csv, write_jsonl
from nonmember.errors import DataError

Writer: TypeAlias = Callable[[Path, Path, Wanted, Contents], None]
WRITERS: dict[str, Writer] = {
    ".jsonl": write_jsonl,
    ".jsonl.gz": write_jsonl,
    ".jsonl.xz": write_jsonl,
    ".csv": write_csv,
    ".parquet": write_parquet,
}


def write_like(source: Path, target: Path, contents: Contents, *, field: str | None = None) -> None:
    """Write ``source`` again as ``target``, with some contents replaced or left out.

    All else stays: other fields and their order, lines that do not change to the byte, the
    schema, compression and metadata of columns, and who may read the file. Records stream
    through. ``target`` appears when it is whole; after an error there is nothing.

    Args:
        source: a file or folder that ``texts.read`` reads.
        target: a place where nothing is, of the same format by its name.
        contents: by position from 0, in reading order: what takes the record's content's
            place, or None to leave the record out.
        field: as it was given to ``texts.read``.

    Raises:
        DataError: ``source`` cannot be read, ``target`` not be written, or ``contents`` does
            not fit the records.
    """
    check_target(source, target)
    _check_contents(contents, sum(1 for _ in rows(source, Wanted(field, None))), source)
    writer = write_saved if source.is_dir() else WRITERS[_suffix(source)]
    try:
        with _beside(target, source) as part:
            writer(source, part, Wanted(field, None), contents)
    except OSError as error:
        remedy = "make room there, or give another place"
        raise DataError(
            f"{target}: cannot be written ({error.strerror or error}); {remedy}"
        ) from error


def check_target(source: Path, target: Path) -> None:
    """Refuse a place to which ``source`` cannot be written again; meant for before any work.

    Raises:
        DataError: something is there, its folder is not, or its name is of another format.
    """
    if target.exists() or target.is_symlink():
        raise DataError(f"{target}: exists already; remove it, or give another place")
    if not target.absolute().parent.is_dir():
        raise DataError(f"{target}: its folder does not exist; make it, or give another place")
    wanted = "" if source.is_dir() else _suffix(source)
    if _suffix(target) != wanted:
        what = f"end it in {wanted}" if wanted else f"leave off {_suffix(target)}"
        raise DataError(f"{target}: named as another format than {source.name}; {what}")


def _suffix(path: Path) -> str:
    return next((suffix for suffix in WRITERS if path.name.lower().endswith(suffix)), "")


def _check_contents(contents: Contents, count: int, source: Path) -> None:
    beyond = next((place for place in contents if not 0 <= place < count), None)
    if beyond is not None:
        raise DataError(f"{source}: has {count} records and none at {beyond}; count from 0")
    if sum(content is None for content in contents.values()) == count:
        raise DataError(f"{source}: no record would be left; keep at least one")


@contextmanager
def _beside(target: Path, like: Path) -> Iterator[Path]:
    """A place for a file, or a folder as ``like`` is one, that becomes ``target`` in the end.

    It lies beside ``target``, hence on the same disk, and in a folder that is the owner's alone.
    """
    place = target.absolute()
    room = Path(tempfile.mkdtemp(".part", f".{place.name}-", place.parent))
    part = room / place.name
    try:
        if like.is_dir():
            part.mkdir()
        yield part
        _settle(part, like)
        part.rename(place)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _settle(part: Path, like: Path) -> None:
    """Force it to the disk, and let those read it who may read ``like``."""
    for file in [*part.iterdir()] if part.is_dir() else [part]:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        shutil.copymode(like / file.relative_to(part), file)
    if part.is_dir():  # one that its owner cannot write to could not be moved
        part.chmod(stat.S_IMODE(like.stat().st_mode) | stat.S_IRWXU)
