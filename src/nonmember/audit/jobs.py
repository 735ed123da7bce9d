"""What an engine can be asked to do, each under the address of its output."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nonmember.audit.classifiers.jobs import Gauge, Inquire, Learn, Regenerate, Teach, Work, before
from nonmember.audit.defended.protection import Protection
from nonmember.audit.language.sources import Served
from nonmember.audit.language.subject import Target
from nonmember.data.records import Records
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings
from nonmember.signals.catalogue import Signal, Whose
from nonmember.training.recipe import Recipe
from nonmember.types import RefMember


@dataclass(frozen=True)
class Train:
    """Fine-tune ``base``; the output is a model's folder.

    ``materials`` are what is trained on, one for each epoch or one for all: records, what a
    model wrote, or records protected. With ``stop`` it is the state after so many epochs of
    the whole run; the run at address ``hand_to``, which begins with the same epochs, goes on
    from there.
    """

    address: str
    label: str
    base: Source
    materials: "tuple[Material, ...]"
    recipe: Recipe
    seed: int
    where: Placement
    tokens: int
    work: float
    stop: int | None = None
    hand_to: str | None = None


Model = Source | Served | Train
"""A model on disk, one behind an endpoint, or the job that makes one."""


@dataclass(frozen=True)
class Query:
    """Ask a model for one signal of some candidates; the output is a folder of arrays.

    ``inputs`` are further records that the extractor asks for by name.
    """

    address: str
    label: str
    signal: Signal
    model: Model
    encoded: Encodings
    inputs: Mapping[str, tuple[Encoded, ...]]
    options: Mapping[str, Any]
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Write:
    """Let a model go on from prompts; the output is what it wrote, as token ids."""

    address: str
    label: str
    model: Model
    prompts: tuple[Encoded, ...]
    texts: int
    prompt_tokens: int
    most: int
    seed: int
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Tune:
    """Tune some adapters over ``base`` in one pass; the output is a folder with one of each.

    ``member`` (m n) says which of the records each is tuned on.
    """

    address: str
    label: str
    base: Source
    encoded: Encodings
    member: RefMember
    recipe: Recipe
    seeds: tuple[int, ...]
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Compare:
    """Ask tuned adapters for the log-probabilities of candidates' tokens, (m n t)."""

    address: str
    label: str
    model: Tune
    encoded: Encodings
    where: Placement
    tokens: int
    work: float


@dataclass(frozen=True)
class Selection:
    """What a defender asks of a warm-up about the training records, as if they were candidates."""

    target: Target
    shards: tuple[slice, ...]
    queries: Mapping[tuple[Whose, str], tuple[Query, ...]]

    @property
    def answers(self) -> dict[tuple[str, Whose, str], tuple[str, ...]]:
        """The addresses of the shards' answers, as a plan lists them."""
        return {
            (self.target.name, whose, signal): tuple(job.address for job in jobs)
            for (whose, signal), jobs in self.queries.items()
        }


@dataclass(frozen=True)
class Protect:
    """Decide what becomes of each training record, and rewrite some.

    The output is a ledger, and the new contents. ``secret`` is what rewrites are drawn by.
    """

    address: str
    label: str
    encoded: Encodings
    protection: Protection
    selection: Selection | None
    base: Source
    secret: str
    where: Placement
    tokens: int
    work: float

    @property
    def records(self) -> Records:
        """The training records as they were."""
        assert isinstance(self.encoded.records, Records)
        return self.encoded.records


Material = Encodings | Write | Protect
Job = Train | Query | Write | Protect | Tune | Compare | Work


def needs(job: Job) -> frozenset[str]:
    """The addresses of the outputs that a job reads."""
    if isinstance(job, Train):
        return frozenset(one.address for one in job.materials if isinstance(one, Write | Protect))
    if isinstance(job, Protect):
        asked = job.selection.queries.values() if job.selection else ()
        return frozenset(one.address for queries in asked for one in queries)
    if isinstance(job, Teach | Learn | Regenerate | Inquire | Gauge):
        return before(job)
    model = None if isinstance(job, Tune) else job.model
    return frozenset({model.address} if isinstance(model, Train | Tune) else ())


def waits(jobs: Sequence[Job]) -> dict[str, frozenset[str]]:
    """By address, which of these jobs come before each: what it needs, and its own warm-ups."""
    found = {job.address: needs(job) for job in jobs}
    for job in jobs:
        if isinstance(job, Train) and job.hand_to in found:
            found[job.hand_to] |= {job.address}
    return {address: before.intersection(found) for address, before in found.items()}


@dataclass(frozen=True)
class Plan:
    """Every job, in an order in which each finds what it needs, and where the answers will be.

    ``shards`` are the ranges of candidates that are asked together, per target. ``answers``
    lists, per target, whose answer it is and the signal's name, the addresses of the shards
    in order; ``compared``, per target, those of the references, in blocks, of each shard.
    """

    jobs: tuple[Job, ...]
    shards: Mapping[str, tuple[slice, ...]]
    answers: Mapping[tuple[str, Whose, str], tuple[str, ...]]
    trained: Mapping[str, Train]
    compared: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
