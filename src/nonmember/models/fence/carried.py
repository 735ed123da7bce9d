"""The classifier behind a fence, in the fence's folder: written there, and read without its own."""

import shutil
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import nn

from nonmember.errors import ModelError
from nonmember.models.classifiers import ClassifierSource, estimator, exported, find, skops_file
from nonmember.models.classifiers import network as networks
from nonmember.models.classifiers.answers import Ask, Gives, Target
from nonmember.models.classifiers.source import network as made
from nonmember.models.diffusion import Diffusion
from nonmember.models.functions import first_line
from nonmember.seeds import generator

Form: TypeAlias = Literal["exported", "skops", "factory"]

FILES: dict[Form, str] = {
    "exported": "classifier.pt2",
    "skops": "classifier.skops",
    "factory": "classifier.safetensors",
}
SHOWN = 4
NEAR = 1e-3  # nats


@dataclass(frozen=True)
class Carried:
    """What is to be known of a classifier's file; ``name`` is that of its factory."""

    form: Form
    name: str
    gives: Gives
    classes: int
    class_names: tuple[str, ...] | None
    digest: str


def form(source: ClassifierSource) -> Form:
    """How a classifier is written.

    Raises:
        ModelError: it takes texts, or is a file of answers.
    """
    match source.kind:
        case "network" | "exported":
            return "exported"
        case "estimator" | "skops":
            return "skops"
        case "factory":
            return "factory"
        case _:
            what = "takes texts" if source.kind == "folder" else "is a file of answers"
            raise ModelError(f"{source.name}: {what}; a fence stands around a model of arrays")


def check(source: ClassifierSource, target: Target, rows: np.ndarray) -> None:
    """Refuse a classifier that ``put`` would refuse, before anything is done around it.

    Args:
        source: where it came from.
        target: what it was loaded as.
        rows: inputs such as ``shown`` makes.

    Raises:
        ModelError: as for ``put``.
    """
    form(source)
    with TemporaryDirectory() as folder:
        if source.kind == "network":
            _export(source, target, rows, Path(folder) / FILES["exported"])
        elif source.kind == "estimator":
            _dump(source, Path(folder) / FILES["skops"])


def put(source: ClassifierSource, target: Target, diffusion: Diffusion, folder: Path) -> Carried:
    """Write a classifier into a folder; one in memory is exported.

    Args:
        source: where it came from.
        target: what it was loaded as.
        diffusion: says which inputs it takes.
        folder: of the fence.

    Raises:
        ModelError: it takes texts, is a file of answers, or cannot be written so that it can be
            read without running code.
    """
    kind = form(source)
    path = folder / FILES[kind]
    if source.kind == "network":
        _export(source, target, shown(diffusion.shape, diffusion.low, diffusion.high), path)
    elif source.kind == "estimator":
        _dump(source, path)
    else:
        given = source.weights if kind == "factory" else source.path
        assert given is not None
        shutil.copyfile(given, path)
    names = source.class_names
    return Carried(kind, source.name, target.gives, target.classes, names, source.digest)


def take(folder: Path, held: Carried, device: str) -> Target:
    """Read the classifier in a folder.

    Raises:
        ModelError: its file is damaged, or its factory cannot be had or makes something else.
    """
    path = folder / FILES[held.form]
    return Target(held.name, _asker(path, held, torch.device(device)), held.gives, held.classes)


def _asker(path: Path, held: Carried, device: torch.device) -> Ask:
    match held.form:
        case "exported":
            return exported.asker(path, device)
        case "skops":
            return estimator.asker(held.name, skops_file.read(path))
        case "factory":
            network = made(find(held.name, weights=str(path))).to(device)
            return networks.asker(held.name, network)


def _export(source: ClassifierSource, target: Target, rows: np.ndarray, path: Path) -> None:
    try:
        _trace(source.model, rows, path)
        again = Target(source.name, exported.asker(path, torch.device("cpu")), target.gives, 0)
        answers = again.ask(rows)
    except Exception as error:  # whatever tracing meets in code of the user's
        raise ModelError(_refusal(source, f"cannot be exported ({first_line(error)})")) from None
    expected = target.ask(rows)
    if answers.shape != expected.shape or not np.allclose(answers, expected, atol=NEAR):
        raise ModelError(_refusal(source, "answers otherwise once it is exported"))


def _trace(network: nn.Module, shown: np.ndarray, path: Path) -> None:
    """Export for batches of any size, on the CPU; the network itself is left as it is."""
    copy = deepcopy(network).cpu().eval()
    floats = (one.dtype for one in copy.parameters() if one.is_floating_point())
    rows = torch.from_numpy(shown).to(next(floats, torch.float32))
    sizes: Any = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(copy, (rows,), dynamic_shapes=sizes), path)


def shown(shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """Some inputs of a form and range, to trace a network with and hold it against."""
    return generator(0, "shown").uniform(low, high, (SHOWN, *shape)).astype(np.float32)


def _refusal(source: ClassifierSource, what: str) -> str:
    return (
        f"{source.name}: {what}; give it as package.module:factory with safetensors weights, "
        "which are copied"
    )


def _dump(source: ClassifierSource, path: Path) -> None:
    from skops import io

    io.dump(source.model, path)
    skops_file.read(path)  # refuses what it would refuse later
