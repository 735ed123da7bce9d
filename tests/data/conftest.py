"""Files of every format that ``read`` takes, written by the libraries users write them with."""

import csv
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Write: TypeAlias = Callable[[str, list[Any]], Path]


def _jsonl(path: Path, rows: list[Any]) -> None:
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    opened = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opened(path, "wb") as stream:
        stream.write(data)


def _csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)


def _saved(path: Path, rows: list[dict[str, Any]]) -> None:
    datasets.Dataset.from_list(rows).save_to_disk(path, num_shards=min(2, len(rows)))


FORMATS = {
    "a.jsonl": _jsonl,
    "a.jsonl.gz": _jsonl,
    "a.jsonl.xz": _jsonl,
    "a.csv": _csv,
    "a.parquet": _parquet,
    "a": _saved,
}


@pytest.fixture(params=FORMATS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [
        {"text": "first", "who": "ada", "n": 1},
        {"text": "", "who": "bob", "n": 2},
        {"text": 'naïve,\n"third" 🙂', "who": "ada", "n": 3},
    ]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write rows to a file of the format that its name stands for."""

    def to_file(name: str, rows: list[Any]) -> Path:
        FORMATS[name](tmp_path / name, rows)
        return tmp_path / name

    return to_file
