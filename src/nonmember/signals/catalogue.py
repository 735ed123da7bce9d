"""What can be asked of a model. Whatever queries a model is a signal, not an attack.

A signal's name says what it is; a prefix says of whom: ``base_`` of the public model the
target was fine-tuned from, ``known_`` of records whose membership the attacker knows.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from typing import Literal, TypeVar

import numpy as np

from nonmember.errors import SpecError, unknown
from nonmember.signals.derive import DERIVED
from nonmember.types import ACCESS, Access

F = TypeVar("F", bound=Callable[..., Mapping[str, np.ndarray]])
Whose = Literal["target", "base"]


@dataclass(frozen=True)
class Signal:
    """One pass over a model. ``provides`` names its arrays and the access each one needs.

    ``version`` is part of every cached array's address: bump it when the numbers change.
    """

    name: str
    extract: Callable[..., Mapping[str, np.ndarray]]
    provides: Mapping[str, Access]
    version: int


@dataclass(frozen=True)
class Question:
    """A signal's name taken apart: which array, of which model, of which records."""

    name: str
    whose: Whose
    known: bool


SIGNALS: dict[str, Signal] = {}
PREFIXES = ("known_", "base_")
FACTS = ("texts", "member")
"""Known without asking anyone: what the candidates are, and (of known records only) the truth."""


def signal(*, provides: Mapping[str, Access], version: int = 1) -> Callable[[F], F]:
    """Register an extractor under its own name.

    It takes a model, encoded records and a keyword ``watch``, which it tells the tokens done
    after each pass, and returns the arrays it ``provides``, each of shape (n t), right-padded
    with NaN.

    Raises:
        SpecError: its name, or that of an array, is taken or begins as if it said whose it
            is; or it takes no ``watch``.
    """

    def register(fn: F) -> F:
        _refuse_taken(fn.__name__, provides)
        if "watch" not in signature(fn).parameters:
            raise SpecError(f"signal {fn.__name__!r}: takes no watch; add the keyword watch=None")
        SIGNALS[fn.__name__] = Signal(fn.__name__, fn, dict(provides), version)
        return fn

    return register


def _refuse_taken(name: str, arrays: Iterable[str]) -> None:
    if name in SIGNALS:
        raise SpecError(f"signal {name!r} is already registered; rename yours")
    taken = dict.fromkeys(DERIVED, "is already derived from others")
    taken |= dict.fromkeys(FACTS, "is already known without asking")
    for other in SIGNALS.values():
        taken |= dict.fromkeys(other.provides, f"is already provided by {other.name!r}")
    for array in arrays:
        if array in taken or array.startswith(PREFIXES):
            reason = taken.get(array, "says whose it is, which is for whoever asks")
            raise SpecError(f"signal {array!r} {reason}; rename yours")


def load_plugins() -> None:
    """Import third parties' signals, so that they register themselves."""
    for point in entry_points(group="nonmember.signals"):
        import_module(point.module)


def ask(name: str) -> Question:
    """Take a signal's full name apart.

    Raises:
        SpecError: no such signal; the message names the closest.
    """
    known = name.startswith("known_")
    rest = name.removeprefix("known_")
    whose: Whose = "base" if rest.startswith("base_") else "target"
    rest = rest.removeprefix("base_")
    every = {*DERIVED, *(array for s in SIGNALS.values() for array in s.provides)}
    if whose == "target":
        every.update(FACTS if known else ("texts",))
    if rest not in every:
        prefix = name.removesuffix(rest)
        raise SpecError(unknown("signal", name, (prefix + array for array in every)))
    return Question(rest, whose, known)


def extractor(name: str) -> Signal:
    """The pass over a model that provides the array ``name``."""
    return next(signal for signal in SIGNALS.values() if name in signal.provides)


def queried(names: Iterable[str]) -> set[Question]:
    """The questions to models that these signals come down to."""
    found: set[Question] = set()
    for name in names:
        question = ask(name)
        if question.name in DERIVED:
            prefix = name.removesuffix(question.name)
            found |= queried(prefix + need for need in signature(DERIVED[question.name]).parameters)
        elif question.name not in FACTS:
            found.add(question)
    return found


def access(names: Iterable[str]) -> Access:
    """The least access to the target with which an attacker gets all these signals."""
    needed: list[Access] = ["text"]
    for question in queried(names):
        if question.whose == "target":
            needed.append(extractor(question.name).provides[question.name])
    return max(needed, key=ACCESS.index)
