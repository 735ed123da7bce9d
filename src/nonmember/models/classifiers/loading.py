"""A classifier that was found, read and asked for the first time."""

from pathlib import Path

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import DataError
from nonmember.models import source as sources
from nonmember.models.classifiers import estimator, exported, sequence, skops_file, stored
from nonmember.models.classifiers import network as networks
from nonmember.models.classifiers.answers import Ask, Gives, Target, target
from nonmember.models.classifiers.source import ClassifierSource
from nonmember.models.classifiers.source import network as made

FIRST = 64  # inputs that are shown to see what comes back


def load(source: ClassifierSource, device: str, examples: Examples) -> Target:
    """Read a classifier and ask it about the first examples, so that what is amiss shows at once.

    A network in memory stays on its own device.

    Args:
        source: what ``find`` or ``of`` found.
        device: where networks from files compute, such as "cpu" or "cuda".
        examples: all that it will be asked about; a file of answers holds theirs.

    Raises:
        ModelError: it cannot be read, refuses the examples, or does not answer as a classifier.
        DataError: a label is no class of it.
    """
    if not len(examples):
        raise DataError(f"{source.name}: there are no examples to ask it about; give some")
    found = _asked(source, torch.device(device), examples)
    highest = int(examples.labels.argmax())
    if examples.labels[highest] >= found.classes:
        raise DataError(
            f"{examples.ids[highest]}: its label is {examples.labels[highest]}, and {source.name} "
            f"knows the {found.classes} classes 0 to {found.classes - 1}; give the labels it was "
            "trained on"
        )
    return found


def _asked(source: ClassifierSource, device: torch.device, examples: Examples) -> Target:
    ask, gives = _ask(source, device, examples)
    first = (
        examples if source.kind == "answers" else examples.take(np.arange(len(examples))[:FIRST])
    )
    return target(source.name, ask, first.inputs, gives)


def _ask(
    source: ClassifierSource, device: torch.device, examples: Examples
) -> tuple[Ask, Gives | None]:
    match source.kind:
        case "network" | "factory":
            network = source.model if source.kind == "network" else made(source).to(device)
            return networks.asker(source.name, network), networks.gives(network)
        case "estimator" | "skops":
            model = source.model if source.kind == "estimator" else skops_file.read(_path(source))
            return estimator.asker(source.name, model), "probabilities"
        case "folder":
            return sequence.asker(sources.locate(str(_path(source))), device), "logits"
        case "exported":
            return exported.asker(_path(source), device), None
        case "answers":
            rows, told = stored.read(_path(source))
            return stored.asker(source.name, rows, examples), told


def _path(source: ClassifierSource) -> Path:
    assert source.path is not None
    return source.path
