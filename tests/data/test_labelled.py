"""Labelled examples from files and packages, and all that can be wrong with them."""

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nonmember.data.labelled import POOLS, read, read_sides
from nonmember.errors import DataError

TEXT = [{"text": "a cat", "label": 1, "group": "p"}, {"text": "a dog", "label": 0, "group": None}]


def lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n\n" for row in rows))
    return path


def csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_arrays_are_read_as_they_are(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for names in (("x", "y"), ("inputs", "labels"), ("images", "label")):
        np.savez(tmp_path / "a.npz", **dict(zip(names, (images, np.array([1, 0])), strict=True)))
        found = read(tmp_path / "a.npz")
        np.testing.assert_array_equal(found.inputs, images)
        assert np.asarray(found.inputs).dtype == np.uint8
        assert (found.labels.tolist(), found.ids) == ([1, 0], ("a.npz:1", "a.npz:2"))
        assert found.groups == (None, None)


def test_arrays_may_have_ids_groups_and_names_of_their_own(tmp_path: Path) -> None:
    rows, path = np.eye(2), tmp_path / "a.npz"
    kept = {"ids": np.array(["one", "two"]), "groups": np.array([7, 7])}
    np.savez(path, x=rows, y=np.array([0.0, 1.0]), **kept)
    found = read(path)
    assert (found.ids, found.groups, found.labels.tolist()) == (("one", "two"), ("7", "7"), [0, 1])
    np.savez(path, x=np.array(["a", "b"]), kind=np.array([1, 0]), person=np.array(["p", "q"]))
    found = read(path, label="kind", group="person")
    assert (found.inputs, found.groups, found.labels.tolist()) == (["a", "b"], ("p", "q"), [1, 0])


def test_columns_of_numbers_are_inputs_but_for_those_that_are_named(tmp_path: Path) -> None:
    text = "id,age,label,hours,person\nr1,30,1,2.5,p\nr2,40,0,3,q\n"
    found = read(csv(tmp_path / "a.csv", text), group="person")
    np.testing.assert_array_equal(found.inputs, [[30, 2.5], [40, 3]])
    assert np.asarray(found.inputs).dtype == np.float64
    assert (found.labels.tolist(), found.ids, found.groups) == ([1, 0], ("r1", "r2"), ("p", "q"))
    table = pa.table({"age": [1, 2], "old": [True, False], "kind": [0, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet", label="kind")
    np.testing.assert_array_equal(found.inputs, [[1, 1], [2, 0]])


def test_texts_are_read_from_lines_and_columns(tmp_path: Path) -> None:
    found = read(lines(tmp_path / "a.jsonl", TEXT))
    assert (list(found.inputs), found.labels.tolist()) == (["a cat", "a dog"], [1, 0])
    assert (found.ids, found.groups) == (("a.jsonl:1", "a.jsonl:3"), ("p", None))
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as packed:
        packed.write((tmp_path / "a.jsonl").read_text())
    assert read(tmp_path / "a.jsonl.gz").inputs == found.inputs
    table = csv(tmp_path / "a.csv", "body,label\na cat,1\na dog,0\n")
    assert read(table, text="body").inputs == found.inputs


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [("digits", (1797, 8, 8), 10), ("breast-cancer", (569, 30), 2), ("wine", (178, 13), 3)],
)
def test_pools_of_installed_packages_are_known_by_name(
    name: str, shape: tuple[int, ...], classes: int
) -> None:
    found = read(name)
    assert np.asarray(found.inputs).shape == shape
    assert sorted(set(found.labels.tolist())) == list(range(classes))
    assert found.ids[0] == f"{name} 1"
    assert name in POOLS


def test_a_file_of_that_name_goes_before_the_pool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    csv(tmp_path / "wine", "a,label\n1,0\n")
    with pytest.raises(DataError, match="not a format of examples"):
        read("wine")


def test_names_of_classes_are_numbered_alike_on_both_sides(tmp_path: Path) -> None:
    one = csv(tmp_path / "a.csv", "x,label\n1,spam\n2,spam\n")
    other = csv(tmp_path / "b.csv", "x,label\n3,ham\n4,spam\n")
    sides = read_sides(one, other)
    assert sides.classes == ("ham", "spam")
    assert (sides.members.labels.tolist(), sides.non_members.labels.tolist()) == ([1, 1], [0, 1])
    sides = read_sides(one, other, classes=["spam", "eggs", "ham"])
    assert (sides.members.labels.tolist(), sides.non_members.labels.tolist()) == ([0, 0], [2, 0])
    with pytest.raises(DataError, match=r"b.csv:1: no class 'ham'; did you mean"):
        read_sides(one, other, classes=["spam", "eggs"])
    assert read(other).labels.tolist() == [0, 1]
    assert read(other, classes=["spam", "ham"]).labels.tolist() == [1, 0]


def test_numbers_are_no_names(tmp_path: Path) -> None:
    one = csv(tmp_path / "a.csv", "x,label\n1,2\n")
    sides = read_sides(one, one, classes=["c", "b", "a"])
    assert (sides.members.labels.tolist(), sides.classes) == ([2], None)
    with pytest.raises(DataError, match="its labels are numbers, and those of"):
        read_sides(one, csv(tmp_path / "b.csv", "x,label\n1,ham\n"))


ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no inputs": ({"y": [0]}, "holds y and no inputs; name that array x or inputs or images"),
    "no labels": ({"x": np.eye(2)}, "holds x and no labels"),
    "lengths": ({"x": np.eye(3), "y": [0, 1]}, "3 inputs, 2 labels, 3 ids and 3 groups"),
    "one axis": ({"x": [1.0, 2.0], "y": [0, 1]}, r"inputs of float64 in shape \(2,\)"),
    "complex": ({"x": np.eye(2) * 1j, "y": [0, 1]}, "inputs of complex128"),
    "not whole": ({"x": np.eye(2), "y": [0.5, 1]}, "the label of example 1 is '0.5'"),
    "one-hot": ({"x": np.eye(2), "y": np.eye(2)}, "labels of more than one axis"),
    "below 0": ({"x": np.eye(2), "y": [0, -1]}, "a label is below 0"),
    "objects": ({"x": np.array([{}, 1], dtype=object), "y": [0, 1]}, "no file is unpickled"),
    "empty": ({"x": np.zeros((0, 2)), "y": []}, "holds no examples"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_are_no_examples_are_refused(case: str, tmp_path: Path) -> None:
    held, message = ARRAYS[case]
    np.savez(tmp_path / "a.npz", **held)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.npz")


TABLES = {
    "no label": ("a,b\n1,2\n", "no column for `label`: no column 'label'; did you mean"),
    "a word": ("a,label\ncat,0\n", "column 'a' holds string and no numbers"),
    "a hole": ("a,label\n1,0\n,1\n", "column 'a' lacks 1 values"),
    "no class": ("a,label\n1,\n2,1\n", "the label of example 1 is 'None'"),
    "two of a name": ("a,a,label\n1,2,0\n", "column 'a' has another's name"),
    "ragged": ("a,label\n1,0\n1\n", "no readable table"),
    "empty": ("", "no readable table"),
    "no rows": ("a,label\n", "holds no examples"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_that_are_no_examples_are_refused(case: str, tmp_path: Path) -> None:
    text, message = TABLES[case]
    with pytest.raises(DataError, match=message):
        read(csv(tmp_path / "a.csv", text))


LINES: dict[str, tuple[list[Any], str]] = {
    "no text": ([{"label": 1}], r"a.jsonl:1: has no 'text'"),
    "no label": ([TEXT[0], {"text": "a"}], r"a.jsonl:3: has no 'label'"),
    "a list": ([[1]], r"a.jsonl:1: has no 'text'"),
    "a number": ([{"text": 3, "label": 1}], "example 1 has no text"),
    "both": ([TEXT[0], {"text": "a", "label": "b"}], "some labels are numbers and some names"),
    "nothing": ([], "holds no examples"),
}


@pytest.mark.parametrize("case", LINES)
def test_lines_that_are_no_examples_are_refused(case: str, tmp_path: Path) -> None:
    rows, message = LINES[case]
    with pytest.raises(DataError, match=message):
        read(lines(tmp_path / "a.jsonl", rows))


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such file, and no such pool"):
        read(tmp_path / "nothing")
    for name in ("a.npz", "a.csv", "a.parquet", "a.jsonl"):
        with pytest.raises(DataError, match="no such file; check the path"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="not a format of examples"):
        read(csv(tmp_path / "a.txt", "a"))
    with pytest.raises(DataError, match="runs whatever code it holds"):
        read(tmp_path / "a.pkl")
    monkeypatch.setattr(os, "access", lambda *_: False)
    for name in ("b.npz", "b.csv"):
        with pytest.raises(DataError, match="no permission to read it; change its mode or owner"):
            read(csv(tmp_path / name, "nothing"))
    monkeypatch.undo()
    for name, message in (("b.npz", "or no arrays at all"), ("b.parquet", "no readable table")):
        with pytest.raises(DataError, match=message):
            read(csv(tmp_path / name, "nothing"))
    np.savez(tmp_path / "c.npz", x=np.eye(200), y=np.arange(200))
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:-50])
    with pytest.raises(DataError, match="no readable array file"):
        read(tmp_path / "c.npz")


def test_an_archive_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", y=np.array([0, 1]))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("x.npy", b"")
    with pytest.raises(
        DataError, match=r"a\.npz: 'x' in it is no array, or damaged; write it again"
    ):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"ids": np.array(5)}, r"`ids` in shape \(\); give one per example, on one axis"),
        ({"groups": np.ones((2, 2))}, r"`groups` in shape \(2, 2\); give one per example"),
        ({"y": np.full(2, 2**64 - 1)}, "a label is above 9,223,372,036,854,775,807; number the"),
        (
            {"x": np.array([0x110000, 97], np.uint32).view("U1")},
            "'x' in it is no array, or damaged",
        ),
    ],
)
def test_arrays_that_cannot_be_taken_are_refused(
    held: dict[str, np.ndarray], message: str, tmp_path: Path
) -> None:
    np.savez(tmp_path / "a.npz", **{"x": np.eye(2), "y": np.array([0, 1]), **held})
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "content",
    [
        "Jane Roe (born 1970),0\nanother,1\n",
        "Jane Roe (born 1970),label\nshe,1\n",
        "a,label\n1,0\nJane Roe,1970,1\n",
        "Jane Roe (born 1970),label\n,1\n2,0\n",
        "Jane Roe (born 1970),Jane Roe (born 1970),label\n1,2,1\n",
    ],
)
def test_of_a_table_without_a_header_no_record_is_told(content: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read(csv(tmp_path / "a.csv", content))
    assert "Jane Roe" not in str(refused.value)
