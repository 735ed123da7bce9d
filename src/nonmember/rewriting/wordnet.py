"""Synonyms from WordNet 3.0 (Princeton University; its licence lies beside the table)."""

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

from nonmember.rewriting.words import Swap, Word, shaped

Senses = Mapping[str, Sequence[Sequence[str]]]
"""Part of speech (n, v, a, r) -> synonyms of the first sense, of the second, and so on."""

FUNCTION_WORDS = frozenset(
    """
    a about all an and any are as at be been but by can could did do does either for from had
    has have he her him his how i if in into is it its may me might mine must my neither no nor
    not of off on one or other our out over own same shall she should so some than that the
    their them then there they this those through thus to too under until up upon us very was
    we were what when where which while who whom whose why will with would yet you your
    """.split()  # noqa: SIM905
)
"""Words of which WordNet has, at best, a namesake: "in" is an inch to it, "he" is helium."""


@cache
def table() -> Mapping[str, Senses]:
    """The lemmas, in small letters, that have a synonym of one word; senses by frequency."""
    packed = files("nonmember.rewriting").joinpath("synonyms.json.xz").read_bytes()
    found: dict[str, Senses] = json.loads(lzma.decompress(packed))
    return found


@lru_cache(maxsize=1 << 16)
def synonyms(word: str) -> tuple[str, ...]:
    """Synonyms of any sense of a lemma, in the shape of ``word``; none of another form of it."""
    lemma = word.lower()
    if lemma in FUNCTION_WORDS:
        return ()
    every = (
        shaped(new, word) for senses in table().get(lemma, {}).values() for s in senses for new in s
    )
    distinct = {new.casefold(): new for new in every}
    distinct.pop(word.casefold(), None)
    return tuple(distinct.values())


@dataclass(frozen=True)
class Synonyms:
    """A filler that replaces lemmas by synonyms of any of their senses, and leaves the rest."""

    def ranked(self, text: str, words: Sequence[Word], draw: np.random.Generator) -> list[Swap]:
        """All exchanges in random order: no synonym is better than another."""
        every = [Swap(i, new) for i, word in enumerate(words) for new in synonyms(word.text)]
        return [every[i] for i in draw.permutation(len(every)).tolist()]

    def replaceable(self, words: Sequence[Word]) -> list[int]:
        """Those that have a synonym."""
        return [place for place, word in enumerate(words) if synonyms(word.text)]

    def filled(
        self, text: str, words: Sequence[Word], places: Sequence[int], draw: np.random.Generator
    ) -> list[Swap]:
        """A synonym of each, any with equal chances."""
        options = [synonyms(words[place].text) for place in places]
        drawn = draw.integers([len(some) for some in options]).tolist()
        return [Swap(*one) for one in zip(places, map(_at, options, drawn), strict=True)]


def _at(options: Sequence[str], number: int) -> str:
    return options[number]
