"""The folder of canaries: the data with those whose coin came up, in every format."""

import csv
import gzip
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, disable_progress_bars
from files import sentences

from nonmember.audit.canaries import folder, making
from nonmember.audit.canaries.making import Order
from nonmember.audit.canaries.manifest import digest_of
from nonmember.data import labelled, texts
from nonmember.data.canaries import flipped, form_named, sealing_key
from nonmember.data.canaries.forms import Kind
from nonmember.errors import DataError, RunError
from nonmember.signals.store import HOST

SECRET, COUNT, NONE = "cd" * 32, 24, {}
Rows = list[dict[str, Any]]
CLASSES = ("cat", "dog", "eel")


def order(data: Path, kind: Kind = "language", form: str | None = None, **reading: str) -> Order:
    return Order(data, data.parent / "OUT", form_named(form, kind), COUNT, SECRET, reading)


def rows(like: str = "text") -> Rows:
    found: Rows = []
    for number, text in enumerate(sentences(60, seed=2)):
        forms: dict[str, dict[str, Any]] = {
            "text": {"text": text},
            "completion": {"prompt": f"{number}?", "completion": text},
            "messages": {
                "messages": [
                    {"role": "user", "content": str(number)},
                    {"role": "assistant", "content": text},
                ]
            },
        }
        found.append({"source": f"shelf {number}", **forms[like]})
    return found


def written(path: Path, values: Rows) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in values)
    match path.suffix:
        case ".gz":
            path.write_bytes(gzip.compress(lines.encode()))
        case ".xz":
            path.write_bytes(lzma.compress(lines.encode()))
        case ".csv":
            with path.open("w", newline="") as file:
                table = csv.DictWriter(file, list(values[0]))
                table.writeheader()
                table.writerows(values)
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(values), path)
        case "":
            disable_progress_bars()
            Dataset.from_list(values).save_to_disk(path)
        case _:
            path.write_text(lines.rstrip("\n"))  # the last line does not end
    return path


@pytest.mark.parametrize("like", ["text", "completion", "messages"])
@pytest.mark.parametrize("name", ["d.jsonl", "d.jsonl.gz", "d.jsonl.xz", "d.csv", "d.parquet", "d"])
def test_texts_keep_their_format_and_gain_what_came_up(
    tmp_path: Path, name: str, like: str
) -> None:
    if (name, like) == ("d.csv", "messages"):
        pytest.skip("CSV has chats as strings only")
    source = written(tmp_path / name, rows(like))
    making.make(order(source), None)
    before, after = texts.read(source), texts.read(tmp_path / "OUT" / name)
    found = folder.read(tmp_path / "OUT", "language")
    canaries = folder.records_of(found)
    up = {canaries[place].content for place in np.flatnonzero(flipped(SECRET, COUNT)).tolist()}
    assert 0 < len(up) < COUNT and len(after) == 60 + len(up)
    assert [one.content for one in after[:60]] == [one.content for one in before]
    assert {one.content for one in after[60:]} == up
    assert folder.trained_on(found).digests.tolist() == after.digests.tolist()


def test_a_canarys_other_fields_are_a_records(tmp_path: Path) -> None:
    source = written(tmp_path / "d.jsonl", rows())
    making.make(order(source), None)
    lines = (tmp_path / "OUT" / "d.jsonl").read_text().splitlines()
    assert lines[:60] == source.read_text().splitlines()
    shelves = [json.loads(line)["source"] for line in lines[60:]]
    assert len(set(shelves)) == len(shelves) and all(one.startswith("shelf ") for one in shelves)


def test_the_private_folder_is_private_and_the_manifest_tells_no_coin(tmp_path: Path) -> None:
    manifest = making.make(order(written(tmp_path / "d.jsonl", rows())), None)
    out = tmp_path / "OUT"
    assert (out / "private").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (out / "private").iterdir()} == {0o600}
    assert json.loads((out / "manifest.json").read_text()) == manifest
    coins = flipped(SECRET, COUNT)
    up = int(coins.sum())
    told = [*leaves(manifest)]
    assert len(told) > 20 and COUNT in told and 60 in told
    assert not {up, 60 + up, COUNT - up} & {one for one in told if isinstance(one, int)}
    assert not any(isinstance(one, bool) for one in told)
    assert not any(SECRET in str(one) or str(tmp_path) in str(one) for one in told)


def leaves(value: Any) -> Iterator[Any]:
    """All that stands in a manifest, and the names of what does, however deep."""
    if isinstance(value, Mapping):
        yield from value
        value = value.values()
    if isinstance(value, str) or not isinstance(value, Iterable):
        yield value
        return
    for one in value:
        yield from leaves(one)


@pytest.mark.parametrize("count", [COUNT, 1])
@pytest.mark.parametrize("name", ["d.jsonl", "d.jsonl.gz", "d.csv", "d.parquet", "d"])
def test_the_data_are_read_by_nobody_else_than_before(
    tmp_path: Path, name: str, count: int
) -> None:
    """With canaries, and where the only coin says no."""
    source = written(tmp_path / name, rows())
    files = [*source.iterdir()] if source.is_dir() else [source]
    for path in files:
        path.chmod(0o600)
    secret = next(one for n in range(9) if flipped(one := f"{n:064x}", 1)[0] == (count > 1))
    out = tmp_path / "OUT"
    making.make(Order(source, out, form_named(None, "language"), count, secret, NONE), None)
    made = [*(out / name).iterdir()] if source.is_dir() else [out / name]
    assert len(texts.read(out / name)) > 60 if count > 1 else len(texts.read(out / name)) == 60
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "d.parquet", "d.jsonl"])
def test_so_are_examples(tmp_path: Path, name: str) -> None:
    source = examples(tmp_path / name)
    source.chmod(0o640)
    making.make(order(source, "classifier"), None)
    assert (tmp_path / "OUT" / name).stat().st_mode & 0o777 == 0o640


def test_digests_tell_nobody_without_the_secret_whether_a_guess_is_right(tmp_path: Path) -> None:
    source = written(tmp_path / "d.jsonl", rows())
    told = {*map(str, leaves(making.make(order(source), None)))}
    out = tmp_path / "OUT"
    files = [source, out / "d.jsonl", *(out / "private").iterdir()]
    assert len(files) == 4
    assert not told & {sha256(path.read_bytes()).hexdigest() for path in files}
    assert {digest_of(path, sealing_key(SECRET)) for path in files} < told


def test_an_order_does_not_show_its_secret(tmp_path: Path) -> None:
    assert SECRET not in repr(order(tmp_path / "d.jsonl"))
    making.make(order(written(tmp_path / "d.jsonl", rows())), None)
    found = folder.read(tmp_path / "OUT", "language")
    assert repr(sealing_key(SECRET)) not in repr(found)


@pytest.mark.parametrize("name", ["private", "Private", "manifest.json"])
def test_data_named_as_a_part_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    source = tmp_path / "in" / name
    source.parent.mkdir()
    source.write_bytes(written(tmp_path / "d.jsonl", rows()).read_bytes())
    with pytest.raises(DataError, match="of its own; rename it"):
        making.make(
            Order(source, tmp_path / "OUT", form_named(None, "language"), 5, SECRET, NONE), None
        )
    assert not (tmp_path / "OUT").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"manifest": 9}, "of version 9, and 1 is the newest known here; upgrade nonmember"),
        ({"manifest": "one"}, "damaged"),
        ({"canaries": "many"}, "damaged .canaries: "),
        ({"canaries": 0}, "damaged .canaries: "),
        ({"canaries": COUNT + 1}, "not 25 coins"),
        ({"private": []}, "damaged .private: "),
        ({"private": {}}, "private is not canaries.jsonl, coins.json"),
        ({"private": {"coins.json": "0"}}, "private is not canaries.jsonl, coins.json"),
        ({"output": {"name": "../d.jsonl", "hmac": "0"}}, "damaged .output.name: "),
        ({"settings": {"field": 3}}, "damaged .settings.field: "),
        ({"kind": "fish"}, "damaged .kind: "),
    ],
)
def test_a_manifest_that_is_none_is_one_sentence(
    tmp_path: Path, change: Mapping[str, Any], said: str
) -> None:
    making.make(order(written(tmp_path / "d.jsonl", rows())), None)
    path = tmp_path / "OUT" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match=said):
        folder.read(tmp_path / "OUT", "language")


@pytest.mark.parametrize("text", ["[]", "7", "null", "{", "\udce9"])
def test_so_is_one_that_is_no_object(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="damaged"):
        folder.read(tmp_path, "language")


def numbers() -> Rows:
    rng = np.random.default_rng(0)
    drawn = rng.random((90, 3)).round(6)
    columns = ("a", "b", "c")
    return [
        {"id": f"row {n}", **dict(zip(columns, row.tolist(), strict=True)), "label": CLASSES[n % 3]}
        for n, row in enumerate(drawn)
    ]


def examples(path: Path) -> Path:
    """A file of labelled examples."""
    values = numbers()
    if path.suffix == ".npz":
        inputs = np.array([[row[name] for name in "abc"] for row in values])
        np.savez(path, x=inputs, y=[CLASSES.index(row["label"]) for row in values], seed=7)
    elif path.suffix == ".jsonl":
        lines = ({"text": str(row["a"]), "label": row["label"]} for row in values)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    elif path.suffix == ".csv":
        pyarrow.csv.write_csv(pa.Table.from_pylist(values), path)
    else:
        pq.write_table(pa.Table.from_pylist(values), path)
    return path


def coded(found: labelled.Examples) -> dict[bytes, int]:
    return dict(zip(map(bytes, found.digests), found.labels.tolist(), strict=True))


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "d.parquet", "d.jsonl"])
def test_mislabelled_examples_stand_where_they_stood(tmp_path: Path, name: str) -> None:
    source = examples(tmp_path / name)
    making.make(order(source, "classifier"), None)
    before, after = labelled.read(source), labelled.read(tmp_path / "OUT" / name)
    found = folder.read(tmp_path / "OUT", "classifier")
    canaries, spare = folder.examples_of(found)
    coins, true, told = flipped(SECRET, COUNT), coded(before), coded(after)
    assert (len(canaries), len(spare), len(before)) == (COUNT, 20, 90)
    assert len(after) == 90 - 20 - int((~coins).sum())
    for code, label, coin in zip(canaries.digests, canaries.labels, coins, strict=True):
        assert true[bytes(code)] != label
        assert told.get(bytes(code)) == (label if coin else None)
    assert not set(map(bytes, spare.digests)) & set(told)
    rest = folder.rest_of(found, canaries)
    assert len(rest) == 90 - 20 - COUNT
    assert all(true[code] == label for code, label in coded(rest).items())


@pytest.mark.parametrize("name", ["d.npz", "d.csv", "d.parquet"])
def test_noise_comes_after_all_examples(tmp_path: Path, name: str) -> None:
    source = examples(tmp_path / name)
    making.make(order(source, "classifier", "noise"), None)
    before, after = labelled.read(source), labelled.read(tmp_path / "OUT" / name)
    found = folder.read(tmp_path / "OUT", "classifier")
    canaries, _ = folder.examples_of(found)
    up = canaries.take(np.flatnonzero(found.coins))
    assert np.array_equal(after.inputs[:90], before.inputs)
    assert np.array_equal(after.inputs[90:], up.inputs)
    assert np.array_equal(after.labels[90:], up.labels)


def spoilt(out: Path, change: Mapping[str, Any]) -> None:
    """The folder with other coins, and a manifest that fits them."""
    path = out / "private" / "coins.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["private"]["coins.json"] = digest_of(path, sealing_key(SECRET))
    (out / "manifest.json").write_text(json.dumps(manifest))


def test_a_folder_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    making.make(order(written(tmp_path / "d.jsonl", rows())), None)
    out = tmp_path / "OUT"
    with pytest.raises(DataError, match="not of classifier data"):
        folder.read(out, "classifier")
    found = folder.read(out, "language")
    (out / "d.jsonl").write_text('{"text": "other"}\n')
    with pytest.raises(DataError, match=r"d\.jsonl: missing or not the data"):
        found.checked_data()
    turned = [not coin for coin in flipped(SECRET, COUNT).tolist()]
    spoilt(out, {"coins": turned})
    with pytest.raises(DataError, match="not those of its secret, so chance did not decide"):
        folder.read(out, "language")
    (out / "private" / "canaries.jsonl").write_text('{"text": "mine"}\n')
    with pytest.raises(DataError, match="is not what the manifest says"):
        folder.read(out, "language")
    (out / "private" / "canaries.jsonl").unlink()
    with pytest.raises(DataError, match="nobody knows the canaries"):
        folder.read(out, "language")
    (out / "manifest.json").write_text('{"form": "words"}')
    with pytest.raises(DataError, match=r"damaged .manifest: Field required"):
        folder.read(out, "language")
    with pytest.raises(DataError, match=r"has no manifest\.json"):
        folder.read(tmp_path, "language")


def test_a_place_that_is_taken_is_refused_and_an_error_leaves_nothing(tmp_path: Path) -> None:
    source = written(tmp_path / "d.jsonl", rows())
    with pytest.raises(DataError, match="ask for 1 to 60"):
        making.make(
            Order(source, tmp_path / "OUT", form_named(None, "language"), 61, SECRET, NONE), None
        )
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]
    making.make(order(source), None)
    with pytest.raises(RunError, match="exists already"):
        making.make(order(source), None)


@pytest.mark.parametrize("leads_to", ["empty", "nowhere"])
def test_a_link_is_refused_before_any_work(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "OUT").symlink_to(tmp_path / leads_to)
    with pytest.raises(RunError, match="exists already"):
        making.make(order(tmp_path / "no-data.jsonl"), None)


def test_what_a_killed_run_left_is_removed_and_of_one_that_lives_is_not(tmp_path: Path) -> None:
    source = written(tmp_path / "d.jsonl", rows())
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, alive, foreign = (
        tmp_path / f".OUT-{process}-x.part"
        for process in (f"{HOST}-{child.pid}", f"{HOST}-{os.getpid()}", f"{HOST}-other")
    )
    for left in (dead, alive, foreign):
        left.mkdir()
    making.make(order(source), None)
    assert not dead.exists() and alive.exists() and foreign.exists()
