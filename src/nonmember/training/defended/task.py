"""What is to be trained under an objective, and what one network came to."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonmember.data.examples import Examples
from nonmember.training import fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fleet import Make
from nonmember.types import RefMember

Watch = Callable[[int], None]


@dataclass(frozen=True)
class Task:
    """m networks to be trained: on which rows of the examples each, (m n), and on what reserve."""

    make: Make
    examples: Examples
    member: RefMember
    recipe: ClassifierRecipe
    seeds: tuple[int, ...]
    reserve: Examples | None
    device: str
    scratch: Path | None
    watch: Watch | None


@dataclass(frozen=True)
class One:
    """A trained network: its state, the mean loss of each epoch, nats, and what was done."""

    state: dict[str, Tensor]
    losses: tuple[float, ...]
    about: dict[str, Any]


@dataclass(frozen=True)
class Records:
    """Inputs (n ...) and their classes (n,), on the device of the training."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def records(examples: Examples, device: str) -> Records:
    """Examples as tensors: bytes as they are, all other numbers as float32."""
    inputs = np.asarray(examples.inputs)
    if inputs.dtype != np.uint8:
        inputs = inputs.astype(np.float32)
    labels = examples.labels.astype(np.int64)
    return Records(torch.from_numpy(inputs.copy()).to(device), torch.from_numpy(labels).to(device))


def rows(task: Task, i: int) -> np.ndarray:
    """The places of the records that network ``i`` is trained on."""
    return np.flatnonzero(task.member[i])


def run_of(task: Task, i: int) -> str:
    """Of the training of network ``i``, by all that decides its numbers but its layers' code."""
    network = fleet.fresh(task.make, task.seeds[i])
    told = sha256(f"{task.recipe} {task.seeds[i]} {task.device} {network}".encode())
    own = task.examples.take(rows(task, i))
    for some in (own, task.reserve):
        if some is not None:
            told.update(some.digests.tobytes() + some.labels.astype(np.int64).tobytes())
    return told.hexdigest()
