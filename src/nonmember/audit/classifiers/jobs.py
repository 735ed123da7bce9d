"""What an engine can be asked to do with classifiers, each under the address of its output."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nonmember.audit.classifiers.candidates import Known
from nonmember.audit.classifiers.defenses import Guard, Learned, Regenerator
from nonmember.audit.classifiers.made import Made
from nonmember.data.examples import Examples
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.signals.catalogue import Signal
from nonmember.training.reference import Model

CLASSIFIER = "classifier"
"""What a signal calls whoever is asked."""


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
class Guarded:
    """A classifier, or several trained here, behind defenses.

    ``known`` are, for each, the examples by which these are set, and ``public`` those of none.
    """

    address: str
    inner: ClassifierSource | Teach
    guard: Guard
    known: tuple[Known, ...]
    public: Examples


Asked = ClassifierSource | Teach | Guarded
"""Whoever is asked."""


@dataclass(frozen=True)
class Learn:
    """Train a diffusion model; the output is its folder."""

    address: str
    label: str
    model: Learned
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Regenerate:
    """Make the copies of some examples that all who ask about them share."""

    address: str
    label: str
    by: Regenerator
    examples: Examples
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Inquire:
    """Ask a classifier, or several trained here, for one signal of some examples.

    The output is a folder of arrays; of several models their axis comes first. ``every`` are
    all the examples that the model can be asked about, as a file of answers has them. With
    ``labels`` only what follows from its labels is wanted, and stored. ``diffused`` regenerate
    inputs for signals that ask about copies of them; ``after`` are the jobs that made copies.
    """

    address: str
    label: str
    signal: Signal
    model: Asked
    examples: Examples
    every: Examples
    options: Mapping[str, Any]
    where: Placement
    tokens: int
    work: float
    labels: bool = False
    diffused: tuple[Regenerator, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gauge:
    """See what defenses do to the answers about some examples, and what they cost."""

    address: str
    label: str
    model: Guarded
    examples: Examples
    where: Placement
    tokens: int
    work: float
    after: tuple[str, ...] = ()


Work = Teach | Learn | Regenerate | Inquire | Gauge
"""All that there is to do."""


@dataclass(frozen=True)
class Plan:
    """Every job in an order in which each finds what it needs, and where the answers will be.

    ``answers`` lists, per target, whose answer it is, the signal's name and of which examples,
    the addresses of blocks of models in order. ``taught`` are the jobs that train targets, and
    ``gauged`` the addresses of what is seen of their defenses.
    """

    jobs: tuple[Work, ...]
    answers: Mapping[tuple[str, str, str, str], tuple[str, ...]]
    taught: Mapping[str, Teach]
    gauged: Mapping[str, str] = field(default_factory=dict)


def before(job: Work) -> frozenset[str]:
    """The addresses of the outputs that a job reads."""
    if isinstance(job, Teach):
        return frozenset(job.after)
    if isinstance(job, Learn):
        return frozenset()
    if isinstance(job, Regenerate):
        return _learned(job.by)
    inner = job.model.inner if isinstance(job.model, Guarded) else job.model
    guard = job.model.guard if isinstance(job.model, Guarded) else None
    by = [*getattr(job, "diffused", ()), *([guard.regenerator] if guard else [])]
    own = [inner.address] if isinstance(inner, Teach) else []
    return frozenset({*own, *job.after}).union(*(_learned(one) for one in by))


def _learned(by: Regenerator | None) -> frozenset[str]:
    trained = by is not None and isinstance(by.model, Learned)
    return frozenset({by.model.digest} if by is not None and trained else ())
