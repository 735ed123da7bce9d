"""One dict of attacks. A decorator fills it and hands the function back unchanged."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from nonmember.errors import SpecError, unknown
from nonmember.types import Scores

Family = Literal["language", "classifier", "transfer", "blind"]
F = TypeVar("F", bound=Callable[..., Scores])


@dataclass(frozen=True)
class Attack:
    """A published method: arrays in, scores out. ``needs`` name the signals, in order."""

    family: Family
    name: str
    score: Callable[..., Scores]
    paper: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The name under which it is registered, e.g. ``language.loss``."""
        return f"{self.family}.{self.name}"

    @property
    def learned(self) -> bool:
        """Whether it is fitted to candidates whose membership is known, and scores others.

        The population of a classifier is no part of the candidates.
        """
        prefixes = ("known_",) if self.family == "classifier" else ("known_", "pop_")
        return any(need.startswith(prefixes) for need in self.needs)

    @property
    def rowwise(self) -> bool:
        """Whether a candidate's score depends on its own signals only, so that a part will do."""
        whole = any(need.startswith("ref_") for need in self.needs) or "features" in self.needs
        return not self.learned and not whole


ATTACKS: dict[str, Attack] = {}


def attack(*, family: Family, paper: str) -> Callable[[F], F]:
    """Register a scoring function under its family and its own name.

    Its positional parameters name the signals it needs and so state its threat model; its
    keyword-only parameters are its options.

    Raises:
        SpecError: the name is taken in its family.
    """

    def register(fn: F) -> F:
        parameters = inspect.signature(fn).parameters.values()
        needs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if any(need.startswith("known_") for need in needs) and "known_member" not in needs:
            raise SpecError(
                f"attack {fn.__name__!r}: asks for known records but not whether they are members; "
                "add known_member to what it needs"
            )
        made = Attack(family, fn.__name__, fn, paper, needs, options)
        if made.key in ATTACKS:
            raise SpecError(f"attack {made.key!r} is already registered; give yours another name")
        ATTACKS[made.key] = made
        return fn

    return register


FAMILIES: dict[str, tuple[Family, ...]] = {
    "language": ("language", "blind"),
    "classifier": ("classifier", "blind"),
    "transfer": ("transfer", "blind"),
}
"""Which families attack a kind of model."""


def of_families(families: Iterable[Family]) -> dict[str, Attack]:
    """The attacks of these families by short name."""
    wanted = set(families)
    return {a.name: a for a in ATTACKS.values() if a.family in wanted}


def get(name: str, families: Iterable[Family]) -> Attack:
    """Look up an attack by its full name, or by its short name within ``families``.

    Raises:
        SpecError: there is none; the message names the closest.
    """
    if name in ATTACKS:
        return ATTACKS[name]
    known = of_families(families)
    if name not in known:
        raise SpecError(unknown("attack", name, known))
    return known[name]
