"""What is fuzzed: readers, the good files to begin with, and where a changed content is put."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from faults_audit import undisturbed

from nonmember.audit import kinds, manifest, records
from nonmember.data import labelled, texts
from nonmember.models import source
from nonmember.models.classifiers import skops_file

LINES = [json.dumps({"text": f"record {number}", "group": number // 2}) for number in range(4)]
CHAT = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'
PAIR = '{"prompt": "a", "completion": "b"}'
CLASSES = '{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n'
TABLE = {"a": [0.1, 0.9, 0.5], "b": [0.9, 0.1, 0.5], "label": [0, 1, 1]}


@dataclass(frozen=True)
class Reader:
    """Good contents, which may be made in a folder; where a content is put; what reads it there."""

    seeds: Callable[[Path], Iterable[bytes]]
    put: Callable[[Path, bytes], Path]
    read: Callable[[Path], Any]


def _plain(name: str, folder: Path, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _compressed(folder: Path, content: bytes) -> Path:
    return _plain("r.jsonl.gz", folder, gzip.compress(content, 1))


def _within(name: str, member: str, folder: Path, content: bytes) -> Path:
    """In an archive of its own, beside what else the good one has."""
    good, file = folder / f"good-{name}", io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        if good.exists():
            with zipfile.ZipFile(good) as other:
                for one in other.namelist():
                    if one != member:
                        archive.writestr(one, other.read(one))
        archive.writestr(member, content)
    return _plain(name, folder, file.getvalue())


def _given(*contents: str | bytes) -> Callable[[Path], Iterable[bytes]]:
    encoded = [one.encode() if isinstance(one, str) else one for one in contents]
    return lambda _folder: encoded


def _parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(TABLE), file)
    return file.getvalue()


def _array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _arrays(folder: Path) -> Iterable[bytes]:
    np.savez(folder / "good-a.npz", allow_pickle=False, y=np.array([0, 1, 0]))
    kinds_of = (np.ones((3, 4), dtype=np.float32), np.ones((3, 2, 2), dtype=np.uint8))
    return [_array(one) for one in (*kinds_of, np.array(["a", "bc", "d"]))]


def _skops(folder: Path) -> Iterable[bytes]:
    from sklearn.tree import DecisionTreeClassifier
    from skops import io as skops

    model = DecisionTreeClassifier(max_depth=2, random_state=0)
    skops.dump(model.fit(np.array([[0.0], [1.0], [2.0]]), [0, 1, 0]), folder / "good-m.skops")
    with zipfile.ZipFile(folder / "good-m.skops") as archive:
        return [archive.read("schema.json")]


def _gguf(folder: Path) -> Iterable[bytes]:
    import gguf

    writer = gguf.GGUFWriter(folder / "good.gguf", "llama")
    writer.add_context_length(32)
    writer.add_token_list(["a", "b"])
    writer.add_tensor("output", np.ones((2, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return [(folder / "good.gguf").read_bytes()]


def _of_run(name: str, folder: Path) -> Iterable[bytes]:
    undisturbed(folder)
    return [(folder / "run" / name).read_bytes()]


def _spec(name: str) -> bytes:
    return resources.files("nonmember").joinpath(name).read_bytes()


def _records(name: str) -> Reader:
    good = {
        "r.jsonl": ("\n".join([*LINES, CHAT, PAIR]), CHAT, PAIR),
        "r.csv": ("text,group\nfirst,1\nsecond,2\n", 'messages\n"[]"\n'),
        "r.parquet": (_parquet(),),
    }
    return Reader(_given(*good[name]), partial(_plain, name), lambda path: [*texts.read(path)])


def _examples(name: str, *good: str | bytes) -> Reader:
    return Reader(_given(*good), partial(_plain, name), labelled.read)


READERS: dict[str, Reader] = {
    "records of JSON lines": _records("r.jsonl"),
    "records of compressed lines": Reader(
        _given("\n".join(LINES)), _compressed, lambda path: [*texts.read(path)]
    ),
    "records of CSV": _records("r.csv"),
    "records of Parquet": _records("r.parquet"),
    "examples of JSON lines": _examples("m.jsonl", CLASSES),
    "examples of CSV": _examples("m.csv", "a,b,label\n0.1,0.9,0\n0.9,0.1,1\n", "text,label\na,x\n"),
    "examples of Parquet": _examples("m.parquet", _parquet()),
    "examples of arrays": Reader(_arrays, partial(_within, "a.npz", "x.npy"), labelled.read),
    "specs": Reader(
        _given(*map(_spec, ("demo.toml", "transfer.toml", "fence.toml"))),
        partial(_plain, "spec.toml"),
        kinds.read,
    ),
    "results.json": Reader(
        partial(_of_run, "results.json"),
        lambda folder, content: _plain("results.json", folder / "run", content).parent,
        records.load,
    ),
    "manifest.json": Reader(
        partial(_of_run, manifest.MANIFEST),
        lambda folder, content: _plain(manifest.MANIFEST, folder / "run", content).parent,
        manifest.verify,
    ),
    "skops": Reader(_skops, partial(_within, "m.skops", "schema.json"), skops_file.read),
    "GGUF": Reader(_gguf, partial(_plain, "m.gguf"), source.open_gguf),
}
