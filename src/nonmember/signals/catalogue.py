"""What can be asked of a model. Whatever queries a model is a signal, not an attack.

A signal's name says what it is; a prefix says of whom: ``base_`` of the public model the
target was fine-tuned from, ``self_`` of a reference tuned on what the target writes, ``ref_``
of m reference models, whose axis comes first, ``ref_base_`` of what these were fine-tuned
from; ``known_`` of records whose membership the attacker knows, ``pop_`` of known non-members.
``ref_`` stands before these.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from inspect import Parameter, signature
from typing import Any, Literal, TypeVar

import numpy as np

from nonmember.errors import SpecError, unknown
from nonmember.signals.derive import DERIVED
from nonmember.types import ACCESS, Access

F = TypeVar("F", bound=Callable[..., Mapping[str, np.ndarray]])
Whose = Literal["target", "base", "self", "reference", "parents"]
Of = Literal["candidates", "known", "population"]

INPUTS = (
    "model",
    "encoded",
    "contents",
    "shots",
    "member_shots",
    "rewrites_cache",
    "classifier",
    "examples",
    "students",
    "diffused",
    "diffusion",
)
"""What an audit can hand to an extractor: whom to ask, about what (as the model meets it, and
whole), known records, and the rewrites that were made before. Of a classifier: itself, labelled
inputs, the students that were distilled from it, epoch by epoch, what regenerates inputs for
the attacker, and the defender's diffusion model."""

FACTS = (
    "texts",
    "whole_texts",
    "token_ids",
    "token_frequency",
    "token_embedding",
    "token_kept",
    "features",
    "labels",
    "input_features",
    "ref_member",
    "member",
)
"""Known without asking the target; ``member`` of known records only."""

RECORDS: dict[str, Of] = {"known_": "known", "pop_": "population"}
MODELS: dict[str, Whose] = {
    "base_": "base",
    "self_": "self",
    "ref_base_": "parents",
    "ref_": "reference",
}
REFERENCES = "ref_"
MANY = tuple(prefix for prefix in MODELS if prefix.startswith(REFERENCES))
"""Prefixes of what many models say, the longest first; they stand before all others."""


@dataclass(frozen=True)
class Signal:
    """One way to ask a model. ``provides`` names its arrays and the access each one needs.

    ``queries`` is how many texts are put to the model per record: a number, or the option
    that says so. ``version`` is part of every cached array's address: bump it when the
    numbers change.
    """

    name: str
    extract: Callable[..., Mapping[str, np.ndarray]]
    provides: Mapping[str, Access]
    queries: int | str
    version: int
    inputs: tuple[str, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """A signal's name taken apart: which array, of which model, of which records."""

    name: str
    whose: Whose
    of: Of

    @property
    def needs(self) -> tuple[str, ...]:
        """The full names of what the signal is derived from; none if it is asked or known."""
        if self.name not in DERIVED:
            return ()
        return tuple(self._named(need) for need in signature(DERIVED[self.name]).parameters)

    def _named(self, need: str) -> str:
        """``need`` of the same records and model.

        What is known without asking is of no model, and what says of which it is stays so.
        """
        records = next((p for p, of in RECORDS.items() if of == self.of), "")
        model = next((p for p, whose in MODELS.items() if whose == self.whose), "")
        settled = need in FACTS or need.startswith(tuple(MODELS))
        if model in MANY and not settled:
            return model + records + need
        return records + ("" if settled else model) + need


SIGNALS: dict[str, Signal] = {}


def signal(
    *, provides: Mapping[str, Access], queries: int | str = 1, version: int = 1
) -> Callable[[F], F]:
    """Register an extractor under its own name.

    Its positional parameters are a model, encoded records and further ``INPUTS``; its
    keyword-only ones are its options, and ``watch``, which it tells the tokens done after
    each pass. It returns the arrays it ``provides``, the first axis the n records, padded on
    the right with NaN.

    Raises:
        SpecError: its name, or that of an array, is taken or begins as if it said whose it
            is; it takes no ``watch``, asks for an input that there is not, or says of its
            queries what is no option.
    """

    def register(fn: F) -> F:
        _refuse_taken(fn.__name__, provides)
        parameters = signature(fn).parameters.values()
        inputs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if "watch" not in options:
            raise SpecError(f"signal {fn.__name__!r}: takes no watch; add the keyword watch=None")
        del options["watch"]
        for name in (name for name in inputs if name not in INPUTS):
            raise SpecError(f"signal {fn.__name__!r}: {unknown('input', name, INPUTS)}")
        if Parameter.empty in options.values() or (
            isinstance(queries, str) and queries not in options
        ):
            raise SpecError(
                f"signal {fn.__name__!r}: an option has no default, or queries={queries!r} is none "
                "of its options; give every option a default"
            )
        SIGNALS[fn.__name__] = Signal(
            fn.__name__, fn, dict(provides), queries, version, inputs, options
        )
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
        if array in taken or array.startswith((*RECORDS, *MODELS)):
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
    records, model, rest = _apart(name)
    every = {*DERIVED, *(array for s in SIGNALS.values() for array in s.provides)}
    if not model:
        every.update(FACTS if records == "known_" else FACTS[:-1])
    if rest not in every:
        prefix = name.removesuffix(rest)
        raise SpecError(unknown("signal", name, (prefix + array for array in every)))
    return named(name)


def named(name: str) -> Question:
    """What a signal's full name says by itself, be there such a signal or not."""
    records, model, rest = _apart(name)
    return Question(rest, MODELS.get(model, "target"), RECORDS.get(records, "candidates"))


def _apart(name: str) -> tuple[str, str, str]:
    """What a full name says of the records, of the model, and the rest of it."""
    if name in FACTS:
        return "", "", name
    first = next((prefix for prefix in MANY if name.startswith(prefix)), "")
    rest = name.removeprefix(first)
    records = next((prefix for prefix in RECORDS if rest.startswith(prefix)), "")
    rest = rest.removeprefix(records)
    model = first or next((prefix for prefix in MODELS if rest.startswith(prefix)), "")
    return records, model, rest if first else rest.removeprefix(model)


def extractor(name: str) -> Signal:
    """The pass over a model that provides the array ``name``."""
    return next(signal for signal in SIGNALS.values() if name in signal.provides)


def facts(names: Iterable[str]) -> set[str]:
    """What these signals come down to that is known without asking."""
    questions = [ask(name) for name in names]
    below = [facts(question.needs) for question in questions]
    return {question.name for question in questions if question.name in FACTS}.union(*below)


def queried(names: Iterable[str]) -> set[Question]:
    """The questions to models that these signals come down to."""
    found: set[Question] = set()
    for name in names:
        question = ask(name)
        if question.needs:
            found |= queried(question.needs)
        elif question.name not in FACTS:
            found.add(question)
    return found


def passes(names: Iterable[str]) -> set[tuple[Whose, str]]:
    """Which models these signals ask, and by which extractors."""
    return {(question.whose, extractor(question.name).name) for question in queried(names)}


def access(names: Iterable[str]) -> Access:
    """The least access to the target with which an attacker gets all these signals."""
    needed: list[Access] = ["text"]
    for question in queried(names):
        if question.whose == "target":
            needed.append(extractor(question.name).provides[question.name])
    return max(needed, key=ACCESS.index)


def queries(names: Iterable[str], options: Mapping[str, Mapping[str, Any]]) -> int:
    """How many texts an attacker who needs these signals puts to the target per record.

    Args:
        names: the signals.
        options: of extractors, by their names; defaults hold where none are given.
    """
    total = 0
    for whose, name in passes(names):
        said = SIGNALS[name].queries
        if whose == "target":
            given = {**SIGNALS[name].options, **options.get(name, {})}
            total += said if isinstance(said, int) else int(given[said])
    return total
