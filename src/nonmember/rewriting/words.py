"""The words of a text where they stand, and copies of it with some of them exchanged.

Whatever is not a word that was exchanged stays byte for byte. All that is drawn depends on
the seed and the text alone: not on other texts, and not on where the text stands.
"""

import re
import unicodedata
from collections.abc import Sequence
from math import floor
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from nonmember.seeds import generator

MARK = "\u0300"
"""What every combining mark is read as, so that a pattern can name them all by one."""

JOINERS = "\u200c\u200d"
PART = rf"\w[\w{MARK}]*"
WORD = re.compile(rf"(?<![\w{MARK}]['’]){PART}(?:[-'’](?![sS]\b){PART})*")
"""Letters and digits, with hyphens and apostrophes inside; a possessive s is no part of it."""


class Word(NamedTuple):
    """``text[start:end]``."""

    start: int
    end: int
    text: str


class Swap(NamedTuple):
    """The number of a word in its text, and what is to stand there instead."""

    place: int
    new: str


@runtime_checkable
class Filler(Protocol):
    """Whoever knows what could stand in the place of a word; never the word itself."""

    def ranked(self, text: str, words: Sequence[Word], draw: np.random.Generator) -> list[Swap]:
        """All single exchanges that it proposes, the best first; no two of them alike."""

    def replaceable(self, words: Sequence[Word]) -> list[int]:
        """The numbers, ascending, of the words that it can replace."""

    def filled(
        self, text: str, words: Sequence[Word], places: Sequence[int], draw: np.random.Generator
    ) -> list[Swap]:
        """One exchange, drawn, for each of these words (ascending), all to be made at once."""


def split(text: str) -> list[Word]:
    """The words of a text in their order."""
    return [Word(*m.span(), text[m.start() : m.end()]) for m in WORD.finditer(_evened(text))]


def _evened(text: str) -> str:
    """The text, of the same length, with one mark standing for all: Python has no class of them."""
    if text.isascii():
        return text
    return "".join(
        MARK if c in JOINERS or unicodedata.category(c).startswith("M") else c for c in text
    )


def shaped(new: str, old: str) -> str:
    """``new`` in small, capital or initial capital letters as ``old`` is, else as it is."""
    if old.islower():
        return new.lower()
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def spliced(text: str, words: Sequence[Word], swaps: Sequence[Swap]) -> str:
    """The text with these exchanges made, at most one of each word."""
    parts, end = [], 0
    for place, new in sorted(swaps):
        parts += [text[end : words[place].start], new]
        end = words[place].end
    return "".join([*parts, text[end:]])


def swapped(text: str, copies: int, share: float, seed: int) -> tuple[str, ...]:
    """Copies in which ``max(1, floor(share * words))`` random pairs have changed places in turn.

    Words are what white space separates, and the white space stays. A copy that came out as
    the text itself is left out; of a text of fewer than two words there is none.
    """
    pieces = re.split(r"(\S+)", text)  # the words at odd numbers, white space around them
    count = len(pieces) // 2
    if count < 2:
        return ()
    size = (copies, max(1, floor(share * count + 1e-9)))
    draw = generator(seed, "swaps", text)
    left, right = draw.integers(count, size=size), draw.integers(count - 1, size=size)
    right += right >= left
    found = []
    for firsts, seconds in zip((2 * left + 1).tolist(), (2 * right + 1).tolist(), strict=True):
        copy = pieces.copy()
        for i, j in zip(firsts, seconds, strict=True):
            copy[i], copy[j] = copy[j], copy[i]
        found.append("".join(copy))
    return tuple(copy for copy in found if copy != text)


def neighbours(text: str, copies: int, swaps: int, filler: Filler, seed: int) -> tuple[str, ...]:
    """The filler's best copies, no two alike, in each of which ``swaps`` words are replaced.

    No exchange is used twice: the second copy is made of the best that the first has left.
    Fewer copies where the filler proposes too little; where it can replace fewer words than
    ``swaps``, each copy replaces those.
    """
    words = split(text)
    ranked = filler.ranked(text, words, generator(seed, "neighbours", text))
    size = min(swaps, len({swap.place for swap in ranked}))
    return tuple(spliced(text, words, group) for group in _groups(ranked, copies, size))


def _groups(ranked: Sequence[Swap], copies: int, size: int) -> list[list[Swap]]:
    """Whole groups of exchanges of different words, each exchange in the first that takes it."""
    groups: list[list[Swap]] = []
    room = copies * size
    for swap in ranked:
        if not room:
            break
        group = next((one for one in groups if _takes(one, swap, size)), None)
        if group is None:
            if len(groups) == copies:
                continue
            groups.append(group := [])
        group.append(swap)
        room -= 1
    return [group for group in groups if len(group) == size]


def _takes(group: Sequence[Swap], swap: Swap, size: int) -> bool:
    return len(group) < size and all(swap.place != other.place for other in group)


def refilled(
    text: str, copies: int, share: float, span: int, filler: Filler, seed: int
) -> tuple[str, ...]:
    """Copies in which the filler has replaced random spans of ``span`` words.

    Spans run over the words that the filler can replace, at least one of which stays between
    two of them; there are as many as make up ``share`` of all words, at least one, at most
    what has room. Where the filler can replace fewer words than ``span``, a span is those.
    """
    words = split(text)
    able = filler.replaceable(words)
    size = min(span, len(able))
    if not size:
        return ()
    count = max(1, floor(share * len(words) / size + 1e-9))
    count = min(count, (len(able) + 1) // (size + 1))
    draw = generator(seed, "spans", text)
    found = []
    for _ in range(copies):
        # k places without neighbours among n: k of n - k + 1, spread out again; so for spans.
        gaps = np.sort(draw.permutation(len(able) - count * size + 1)[:count])
        starts = (gaps + size * np.arange(count)).tolist()
        places = [able[start + i] for start in starts for i in range(size)]
        found.append(spliced(text, words, filler.filled(text, words, places, draw)))
    return tuple(copy for copy in found if copy != text)
