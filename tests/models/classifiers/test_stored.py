"""Files of probabilities: what was answered, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from models.classifiers import nets

from nonmember.data.examples import Examples
from nonmember.errors import DataError, ModelError
from nonmember.models.classifiers import find, load

Write = Callable[[Path, np.ndarray], object]


def table(rows: np.ndarray) -> pa.Table:
    return pa.table({f"class {place}": column for place, column in enumerate(rows.T)})


WRITE: dict[str, Write] = {
    "p.npz": lambda path, rows: np.savez(path, probabilities=rows),
    "p.npy": np.save,
    "p.csv": lambda path, rows: pyarrow.csv.write_csv(table(rows), path),
    "p.parquet": lambda path, rows: pq.write_table(table(rows), path),
}


@pytest.fixture
def examples() -> Examples:
    return nets.rows()


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(3), 12)


@pytest.mark.parametrize("name", WRITE)
def test_rows_are_found_again_by_their_inputs(
    name: str, examples: Examples, rows: np.ndarray, tmp_path: Path
) -> None:
    WRITE[name](tmp_path / name, rows)
    found = find(str(tmp_path / name))
    loaded = load(found, "cpu", examples)
    some = np.array([7, 2, 2])
    np.testing.assert_allclose(
        loaded.logits(examples.take(some).inputs), np.log(rows[some]), rtol=1e-5
    )
    assert (found.kind, found.access, found.asks, loaded.classes) == ("answers", "scores", False, 3)


def test_logits_by_that_name_are_kept_as_they_are(examples: Examples, tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    np.savez(tmp_path / "a.npz", logits=logits)
    loaded = load(find(str(tmp_path / "a.npz")), "cpu", examples)
    np.testing.assert_array_equal(loaded.logits(examples.inputs), logits)


def test_other_inputs_are_refused(examples: Examples, rows: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", rows)
    loaded = load(find(str(tmp_path / "p.npy")), "cpu", examples)
    with pytest.raises(ModelError, match="knows nothing of inputs that are not in it"):
        loaded.logits(np.asarray(examples.inputs) + 1)


def with_cell(row: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(rows: np.ndarray) -> np.ndarray:
        rows[row, 0] = value
        return rows

    return change


WRONG: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "a row too few": (lambda rows: rows[1:], "has 11 rows for 12 records"),
    "a number": (lambda rows: np.float64(1), "has 0 rows for 12 records"),
    "a sum of two": (lambda rows: rows * 2, "for input 1 sum to 2;"),
    "negative": (with_cell(3, -0.25), "for input 4 hold -0.25, which is negative"),
    "not finite": (with_cell(11, np.nan), "for input 12 hold nan"),
    "two axes more": (lambda rows: rows[..., None], r"in shape \(12, 3, 1\)"),
    "words": (lambda rows: rows.astype(str), "answers <U"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_probability_per_class_is_refused(
    case: str, examples: Examples, rows: np.ndarray, tmp_path: Path
) -> None:
    change, message = WRONG[case]
    np.save(tmp_path / "p.npy", change(rows))
    with pytest.raises(ModelError, match=message):
        load(find(str(tmp_path / "p.npy")), "cpu", examples)


def test_the_same_input_must_have_the_same_answer(rows: np.ndarray, tmp_path: Path) -> None:
    twice = nets.rows().take(np.array([0, 1, 2, 0]))
    np.save(tmp_path / "p.npy", rows[[0, 1, 2, 0]])
    assert load(find(str(tmp_path / "p.npy")), "cpu", twice).classes == 3
    np.save(tmp_path / "p.npy", rows[:4])
    with pytest.raises(ModelError, match="rows 1 and 4 differ and are of the same input"):
        load(find(str(tmp_path / "p.npy")), "cpu", twice)


def test_rounded_probabilities_are_taken(examples: Examples, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.full((12, 3), 0.3333))
    assert load(find(str(tmp_path / "p.npy")), "cpu", examples).classes == 3


def test_objects_and_other_columns_are_refused(examples: Examples, tmp_path: Path) -> None:
    np.save(tmp_path / "p.npy", np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="no file is unpickled"):
        load(find(str(tmp_path / "p.npy")), "cpu", examples)
    np.savez(tmp_path / "p.npz", scores=np.ones((12, 2)))
    with pytest.raises(ModelError, match="holds scores; give one array called probabilities"):
        load(find(str(tmp_path / "p.npz")), "cpu", examples)
    (tmp_path / "p.csv").write_text("name,no,yes\na,0.5,0.5\n")
    with pytest.raises(DataError, match="column 'name' holds string and no numbers"):
        load(find(str(tmp_path / "p.csv")), "cpu", examples)
