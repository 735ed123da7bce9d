"""Canaries for classifiers: examples under a wrong class, or noise; spare ones beside them."""

import numpy as np
import pytest

from nonmember.data.canaries.labelled import made, spares
from nonmember.data.examples import Examples, of
from nonmember.errors import DataError

COUNT, CLASSES = 100, 4


def examples(kind: str = "f") -> Examples:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 5)) if kind == "f" else rng.integers(0, 50, (300, 5))
    return of(rows, rng.integers(0, CLASSES, 300))


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_every_canary_is_an_example_under_another_class() -> None:
    data = examples()
    found = made(data, data.labels.tolist(), "mislabelled", COUNT, rng())
    assert (found.count, found.spare, found.inputs) == (COUNT, spares(COUNT), None)
    assert len(set(found.places)) == COUNT + spares(COUNT)
    own = data.labels[list(found.places)]
    assert (np.array(found.labels) != own).all()
    assert set(found.labels) == set(range(CLASSES))


def test_names_of_classes_stay_names() -> None:
    data = examples()
    names = [f"class {label}" for label in data.labels]
    found = made(data, names, "mislabelled", 20, rng())
    assert set(found.labels) <= set(names)
    assert all(names[at] != new for at, new in zip(found.places, found.labels, strict=True))


def test_an_input_that_stands_twice_is_no_canary() -> None:
    data = examples()
    twice = data + data.take(np.arange(200))
    found = made(twice, twice.labels.tolist(), "mislabelled", 50, rng())
    assert min(found.places) >= 200 and max(found.places) < 300


@pytest.mark.parametrize("kind", ["f", "i"])
def test_noise_is_distinct_and_in_the_range_of_the_data(kind: str) -> None:
    data = examples(kind)
    found = made(data, data.labels.tolist(), "noise", COUNT, rng())
    assert isinstance(data.inputs, np.ndarray) and found.inputs is not None
    assert found.inputs.dtype == data.inputs.dtype
    assert (found.inputs >= data.inputs.min(axis=0)).all()
    assert (found.inputs <= data.inputs.max(axis=0)).all()
    assert len(np.unique(found.inputs, axis=0)) == COUNT + spares(COUNT)


def test_what_cannot_be_made_is_refused() -> None:
    data = examples()
    classes = data.labels.tolist()
    for count in (0, 131):  # half of 300, less the spare ones
        with pytest.raises(DataError, match="ask for 1 to 125"):
            made(data, classes, "mislabelled", count, rng())
    with pytest.raises(DataError, match="one class"):
        made(data, [0] * 300, "mislabelled", 10, rng())
    bits = of(np.random.default_rng(0).integers(0, 2, (300, 5)), data.labels)
    with pytest.raises(DataError, match="cannot be made of"):
        made(bits, classes, "noise", 10, rng())
    few = of(np.arange(64).reshape(64, 1) % 64, np.arange(64) % 2)
    with pytest.raises(DataError, match="no room for distinct noise"):
        made(few, few.labels.tolist(), "noise", 20, rng())
    texts = of([f"text {n}" for n in range(300)], data.labels)
    with pytest.raises(DataError, match="range of texts; use mislabelled"):
        made(texts, classes, "noise", 10, rng())
