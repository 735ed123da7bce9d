"""What an engine can be asked to do with classifiers, each under the address of its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonmember.audit.classifiers.made import Made
from nonmember.data.examples import Examples
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.signals.catalogue import Signal
from nonmember.training.reference import Model


@dataclass(frozen=True)
class Teach:
    """Train some models of a kind together; each is kept under its own address too.

    ``after`` are the addresses of the jobs that train what these are fine-tuned from.
    """

    address: str
    label: str
    kind: Made
    models: tuple[Model, ...]
    where: Placement
    tokens: int
    work: float
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inquire:
    """Ask a classifier, or several trained here, for one signal of some examples.

    The output is a folder of arrays; of several models their axis comes first. ``every`` are
    all the examples that the model can be asked about, as a file of answers has them.
    """

    address: str
    label: str
    signal: Signal
    model: ClassifierSource | Teach
    examples: Examples
    every: Examples
    options: Mapping[str, Any]
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Plan:
    """Every job in an order in which each finds what it needs, and where the answers will be.

    ``answers`` lists, per target, whose answer it is, the signal's name and of which examples,
    the addresses of blocks of models in order. ``taught`` are the jobs that train targets.
    """

    jobs: tuple[Teach | Inquire, ...]
    answers: Mapping[tuple[str, str, str, str], tuple[str, ...]]
    taught: Mapping[str, Teach]
