"""What an engine can be asked to do, each under the address of its output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonmember.audit.sources import Served
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings
from nonmember.signals.catalogue import Signal
from nonmember.training.recipe import Recipe


@dataclass(frozen=True)
class Train:
    """Fine-tune ``base``, on records or on what a model wrote; the output is a model's folder."""

    address: str
    label: str
    base: Source
    encoded: "Encodings | Write"
    recipe: Recipe
    seed: int
    where: Placement
    tokens: int
    work: float


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


Job = Train | Query | Write
