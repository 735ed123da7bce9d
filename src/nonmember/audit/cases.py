"""All that judging may assume of a target and its audit, whatever they are of, and its ground."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Int

from nonmember.attacks.registry import Attack
from nonmember.audit.parts import Common
from nonmember.data.split import Split
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.nearness import near_duplicates


@runtime_checkable
class Questioned(Protocol):
    """The candidates that are judged, and the truth about them."""

    @property
    def split(self) -> Split:
        """Who is a member."""

    def ids(self, places: Int[np.ndarray, "_"]) -> list[str]:
        """The names of those at these places."""


@runtime_checkable
class Case(Protocol):
    """A target: who attacks it, who does not and why, and how it meets the candidates."""

    @property
    def name(self) -> str:
        """What the audit calls it."""

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """Those that run."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """Why each other one does not."""

    @property
    def looks(self) -> int:
        """At how many numbers of references its figures may be taken; 1 where it is settled."""

    @property
    def prompts_per_text(self) -> int:
        """How often it is asked where an attack asks once."""

    @property
    def meets(self) -> str:
        """How it meets candidates; equal for targets that meet them alike."""


@runtime_checkable
class Audit(Protocol):
    """What was asked, and of which candidates."""

    @property
    def spec(self) -> Common:
        """What was asked."""

    @property
    def candidates(self) -> Questioned:
        """Whom it was asked of."""

    @property
    def grouped(self) -> bool:
        """Whether the records say whose they are."""

    @property
    def private(self) -> bool:
        """Whether a training is differentially private, so that no seed may be told."""


@runtime_checkable
class Signals(Protocol):
    """What a target and its references answered about the candidates, by signals' names."""

    @property
    def target(self) -> Case:
        """Who answered."""

    def shards(self) -> Iterator[tuple[slice, Any]]:
        """Ranges of candidates, and what fetches signals of just those."""

    def whole(self, name: str) -> Any:
        """A signal of all candidates."""


@dataclass(frozen=True)
class Ground:
    """What a target is judged by: the candidates that are ``there``, and by whom.

    Members that were dropped from the training are on neither side. ``lost`` counts those that
    were dropped for being exposed; ``carrying`` are the attacks that may carry a verdict: all
    on the model, or where some were lost, those that compare with a reference.
    """

    there: np.ndarray
    split: Split
    lost: int
    carrying: frozenset[str]


def within(split: Split, there: np.ndarray) -> Split:
    """The candidates that are ``there``, (n,), alone."""
    return Split(split.member[there], split.group[there])


T = TypeVar("T", bound=Case)


def undefended(target: T, targets: Sequence[T], asked: Mapping[str, Any]) -> T | None:
    """The target that was asked for alike, but without defenses; None where there is none.

    Args:
        target: the one that is looked for is its counterpart.
        targets: all of the audit.
        asked: by target's name what the spec says of it, its ``defenses`` among that.
    """
    own = asked[target.name]
    if not own.defenses:
        return None
    alike = own.model_copy(update={"defenses": ()})
    return next((other for other in targets if asked[other.name] == alike), None)


def about_data(
    spec: Common,
    split: Split,
    copies: Sequence[str],
    pairs: Sequence[tuple[str, str, float]],
) -> tuple[Finding, ...]:
    """What the data alone tell a reader to beware of.

    Args:
        spec: which false-positive rates are asked for.
        split: the truth about the candidates.
        copies: those that repeat another on their side, by name.
        pairs: a member and a non-member that are nearly the same, and how similar they are.
    """
    outsiders = int((~split.member).sum())
    rates = (checks.resolution(fpr, outsiders) for fpr in spec.evaluation.fpr)
    found = (checks.duplicates(copies), near_duplicates(pairs), *rates)
    return tuple(finding for finding in found if finding is not None)
