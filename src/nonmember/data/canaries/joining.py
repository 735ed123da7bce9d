"""Two data files of one format in one: the second's records after the first's."""

import gzip
import io
import json
import lzma
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nonmember.data.rows import lines_of, opened, shards

BLOCK = 1 << 20
MARK = 16  # characters of a Dataset's fingerprint


def joined(first: Path, second: Path, target: Path) -> None:
    """Write the records of both, of which ``write_like`` made the second after the first.

    Lines stay the same bytes, and a CSV file's header stands once; Parquet keeps the first's
    schema and row groups; the folder of a saved Dataset has more shards.
    """
    if first.is_dir():
        _shards(first, second, target)
    elif first.suffix.lower() == ".parquet":
        _row_groups(first, second, target)
    else:
        _lines(first, second, target)


def _lines(first: Path, second: Path, target: Path) -> None:
    last = b"\n"
    lines: Iterator[str] = (line for _, line in lines_of(second))
    if first.suffix.lower() == ".csv":
        lines = _without_header(lines)
    with opened(first) as stream, _packing(target, first.suffix.lower()) as out:
        while block := stream.read(BLOCK):
            out.write(block)
            last = block[-1:]
        out.write(b"" if last == b"\n" else b"\n")
        for line in lines:
            out.write(line.encode())


@contextmanager
def _packing(target: Path, suffix: str) -> Iterator[io.BufferedIOBase]:
    """A file to write to, compressed as its name says, without name and time."""
    with target.open("wb") as file:
        if suffix == ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield packed
        elif suffix == ".xz":
            with lzma.open(file, "wb") as packed:
                yield packed
        else:
            yield file


def _without_header(lines: Iterator[str]) -> Iterator[str]:
    """All but a CSV file's first row, which may have line breaks within quotes."""
    header = ""
    for line in lines:
        header += line
        if header.strip() and header.count('"') % 2 == 0:
            break
    yield from lines


def _row_groups(first: Path, second: Path, target: Path) -> None:
    with (
        pq.ParquetFile(first) as file,
        pq.ParquetFile(second) as other,
        pq.ParquetWriter(target, file.schema_arrow) as writer,
    ):
        for each in (file, other):
            for group in range(each.num_row_groups):
                writer.write_table(each.read_row_group(group))


def _shards(first: Path, second: Path, target: Path) -> None:
    """Both folders' files, under a fingerprint of what they hold now."""
    shutil.copytree(first, target)
    state, content = json.loads((first / "state.json").read_text("utf-8")), sha256()
    for number, shard in enumerate(shards(second)):
        name = f"canaries-{number:05}.arrow"
        content.update(shard.read_bytes())
        with pa.memory_map(str(shard)) as stored, pa.ipc.open_stream(stored) as stream:
            if not stream.read_all().num_rows:
                continue
        shutil.copyfile(shard, target / name)
        state["_data_files"].append({"filename": name})
    content.update(str(state.get("_fingerprint")).encode())
    state["_fingerprint"] = content.hexdigest()[:MARK]
    (target / "state.json").write_text(json.dumps(state, indent=2), "utf-8")
