"""What an engine can be asked to do, each under the address of its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonmember.audit.protection import Protection
from nonmember.audit.sources import Served
from nonmember.audit.subject import Target
from nonmember.data.records import Records
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings
from nonmember.signals.catalogue import Signal, Whose
from nonmember.training.recipe import Recipe


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
Job = Train | Query | Write | Protect


@dataclass(frozen=True)
class Plan:
    """Every job, in an order in which each finds what it needs, and where the answers will be.

    ``shards`` are the ranges of candidates that are asked together, per target. ``answers``
    lists, per target, whose answer it is and the signal's name, the addresses of the shards
    in order.
    """

    jobs: tuple[Job, ...]
    shards: Mapping[str, tuple[slice, ...]]
    answers: Mapping[tuple[str, Whose, str], tuple[str, ...]]
    trained: Mapping[str, Train]
