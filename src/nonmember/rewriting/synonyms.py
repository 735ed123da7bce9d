"""The rewriter that needs no model: WordNet's synonyms, in the form that their place asks for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from nonmember.rewriting.exchanges import Exchange, Options, exchanges
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.kept import facts
from nonmember.rewriting.protocols import Rewrite, Watch
from nonmember.rewriting.registry import rewriter
from nonmember.rewriting.words import shaped
from nonmember.seeds import generator
from nonmember.types import Share

RULES = 1  # to be raised when a text and seed come to give another rewrite

ARTICLE = re.compile(r"(?<![\w'’.-])(an?)(\s+)$", re.IGNORECASE)
OPEN = re.compile(r"(?!uni(?!n|m)|us[ea]|usu|uti|ubi|eu|one|once)[aeiou]|hour|honest|honou?r|heir")
"""How a word begins before which "a" is "an"."""


@dataclass(frozen=True)
class Exchanger:
    """Exchanges words and phrases; the seed decides which, and for what."""

    rate: float

    @property
    def name(self) -> str:
        """As it is registered."""
        return "synonyms"

    @property
    def identity(self) -> str:
        """The rules and the dictionary by version, and the rate."""
        return f"synonyms {RULES}, lemminflect {version('lemminflect')}, rate {self.rate!r}"

    @property
    def sends_to(self) -> str | None:
        """Nowhere."""
        return None

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Watch | None = None
    ) -> list[Rewrite]:
        """One for each text; None where nothing can be exchanged."""
        found = []
        for text, seed in zip(texts, seeds, strict=True):
            new = _rewritten(text, seed, self.rate)
            found.append(Rewrite(new) if new != text else Rewrite(None, "nothing in it may change"))
            if watch is not None:
                watch(1)
        return found


# Names and terms stay, and of a sentence made of them a long run of words: 12 words, as may
# stay of a model's paraphrase, would leave one record in ten of an encyclopedia.
@rewriter(limits=Limits(containment=0.5, run=30))
def synonyms(*, rate: Share = 0.6) -> Exchanger:
    """Exchange words for WordNet's synonyms, and phrases for others that say the same.

    Names, numbers, quotations, formulas and code stay (``kept``), and so does all white
    space. It knows English only.

    Args:
        rate: share of the nouns, verbs, adjectives, adverbs and known phrases to exchange, as
            far as there is something to exchange them for.
    """
    return Exchanger(rate)


def _rewritten(text: str, seed: int, rate: float) -> str:
    """A rewrite with the same facts; the text itself if there is none.

    A word that newly opens a sentence can read as a name. Then those that open one all stay.
    """
    possible, content = exchanges(text)
    inside = [one for one in possible if text[one.start].islower()]
    before = facts(text)
    for some in (possible, inside):
        draw = generator(seed, "synonyms", text)
        new = _spliced(text, some, _spread(len(some), round(rate * content), draw), draw)
        if facts(new) == before:
            return new
    return text


def _spliced(
    text: str, possible: Sequence[Exchange], numbers: Sequence[int], draw: np.random.Generator
) -> str:
    taken: dict[str, str] = {}
    parts, end = [], 0
    for number in numbers:
        start, past, key, options = possible[number]
        if key not in taken:
            taken[key] = _drawn(options, draw)
        old = text[start:past]
        new = shaped(taken[key], old)
        parts += [_agreeing(text[end:start], old, new), new]
        end = past
    return "".join([*parts, text[end:]])


def _spread(count: int, wanted: int, draw: np.random.Generator) -> list[int]:
    """One number at random of each of ``wanted`` equal stretches of the first ``count``."""
    if wanted >= count:
        return list(range(count))
    places = (np.arange(wanted) + draw.random(wanted)) * (count / max(1, wanted))
    return sorted(set(places.astype(int).tolist()))


def _drawn(options: Options, draw: np.random.Generator) -> str:
    goal = draw.random() * sum(weight for _, weight in options)
    for new, weight in options:
        goal -= weight
        if goal < 0:
            return new
    return options[-1][0]


def _agreeing(before: str, old: str, new: str) -> str:
    """What precedes an exchanged word, with its article as the new one asks for."""
    match = ARTICLE.search(before)
    opens = OPEN.match(new.lower()) is not None
    if match is None or opens == (OPEN.match(old.lower()) is not None):
        return before
    return before[: match.start()] + shaped("an" if opens else "a", match[1]) + match[2]
