"""A long text in passages that a model can rewrite, and the white space between them."""

import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple

from nonmember.rewriting.prompts import Kind
from nonmember.rewriting.protocols import Rewrite

# Scripts without spaces between words: a letter of theirs counts as one.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\s\u3040-\u30ff\u3400-\u9fff]+")
ENDS = (
    re.compile(
        r"(?<=[.!?…])[\"'”’)\]]*(\s+)(?![a-z\s])|(?<=[。！？])[」』”]*(\s*)|(\s*\n\s*\n\s*)"
    ),
    re.compile(r"(\s*\n\s*)"),
    re.compile(r"(\s+)"),
)
"""Of sentences and paragraphs; within a sentence that is too long, of lines, else of words."""

BLOCKS = re.compile(r"(\n(?:[ \t]*\n)+)(?=[^\s})\]])(?!(?:else|elif|except|finally|end)\b)")
NOTHING = "nothing in it may change"
FAIR = 0.5  # of the words that a passage should have: from there on, a paragraph's end ends it


class Passage(NamedTuple):
    """A piece of a text, and the white space between it and the next."""

    text: str
    after: str


class Cut(NamedTuple):
    """A text as the white space before it and its passages."""

    before: str
    passages: tuple[Passage, ...]

    @property
    def said(self) -> list[str]:
        """The passages that have a letter in them; there is but one way to say the others."""
        return [passage.text for passage in self.passages if _says(passage.text)]

    def joined(self, news: Sequence[str]) -> str:
        """The text with these in the place of what is ``said``, one for one."""
        left = list(news)
        parts = [
            (left.pop(0) if _says(passage.text) else passage.text) + passage.after
            for passage in self.passages
        ]
        return self.before + "".join(parts)


def cut(text: str, words: int, kind: Kind) -> Cut:
    """The text in passages of at most ``words`` words and of like length.

    Prose is cut at the ends of sentences, of paragraphs where that is fair, and within a
    sentence only if it alone is longer. Code is cut at empty lines before a line that is not
    indented: what hangs together stays whole, however long.
    """
    if not text.strip():
        return Cut(text, ())
    before = text[: len(text) - len(text.lstrip())]
    if kind == "code":  # its first line may be indented: of that, nothing is around the text
        before = before[: before.rfind("\n") + 1]
    body = text.rstrip()[len(before) :]
    pieces = list(_blocks(body) if kind == "code" else _shortened(Passage(body, ""), words, 0))
    *passages, last = _gathered(pieces, words)
    return Cut(before, (*passages, Passage(last.text, text[len(text.rstrip()) :])))


def length(text: str) -> int:
    """Its words."""
    return sum(1 for _ in WORD.finditer(text))


def _pieces(text: str, level: int) -> Iterator[Passage]:
    """The text cut at all ends of this level."""
    begun = 0
    for found in ENDS[level].finditer(text):
        start, end = found.span(found.lastindex or 0)
        yield Passage(text[begun:start], text[start:end])
        begun = end
    if begun < len(text):
        yield Passage(text[begun:], "")


def _blocks(text: str) -> Iterator[Passage]:
    """Code cut where something new begins; never within a string or comment of many lines."""
    begun = 0
    for found in BLOCKS.finditer(text):
        piece = text[begun : found.start(1)]
        if (
            piece.count('"""') % 2
            or piece.count("'''") % 2
            or piece.count("/*") > piece.count("*/")
        ):
            continue
        yield Passage(piece, found[1])
        begun = found.end(1)
    yield Passage(text[begun:], "")


def _shortened(piece: Passage, words: int, level: int) -> Iterator[Passage]:
    """The piece, or its parts if it has more words than that."""
    if length(piece.text) <= words or level == len(ENDS):
        yield piece
        return
    parts = list(_pieces(piece.text, level))
    parts[-1] = Passage(parts[-1].text, piece.after)
    for part in parts:
        yield from _shortened(part, words, level + 1)


def _gathered(pieces: Sequence[Passage], words: int) -> Iterator[Passage]:
    """Neighbours put together, so that passages are as few as may be and none is much shorter."""
    sizes = [length(piece.text) for piece in pieces]
    aim = sum(sizes) / max(1, ceil(sum(sizes) / words))
    fair = FAIR * aim if sum(sizes) > words else words
    held: list[Passage] = []
    size = 0
    for piece, more in zip(pieces, sizes, strict=True):
        ended = size >= fair and held[-1].after.count("\n") > 1
        if held and (ended or size >= aim or size + more > words):
            yield _one(held)
            held, size = [], 0
        held.append(piece)
        size += more
    if held:
        yield _one(held)


def _one(pieces: Sequence[Passage]) -> Passage:
    *rest, last = pieces
    return Passage("".join(one.text + one.after for one in rest) + last.text, last.after)


def rejoined(whole: Cut, news: Sequence[Rewrite]) -> Rewrite:
    """The rewrite of a text from those of what it ``said``, all of which it needs."""
    read = sum(new.tokens_read for new in news)
    written = sum(new.tokens_written for new in news)
    texts = [new.text for new in news if new.text is not None]
    if texts and len(texts) == len(whole.said):
        return Rewrite(whole.joined(texts), "", read, written)
    why = next((new.why for new in news if new.text is None), NOTHING)
    return Rewrite(None, why, read, written)


def _says(text: str) -> bool:
    return any(letter.isalpha() for letter in text)
