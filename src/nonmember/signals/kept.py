"""Which tokens of a record any paraphrase must keep: of names, numbers, quotations and the like."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from nonmember.data.records import Completion, Content, spoken
from nonmember.models import chats
from nonmember.models.text import Encoded
from nonmember.rewriting.kept import kept
from nonmember.types import TokenKept

Span = tuple[int, int]


def token_kept(tokenizer: Any, encoded: Sequence[Encoded]) -> TokenKept:
    """1 where a scored token is of what a paraphrase must keep, 0 elsewhere; (n t).

    Each passage is judged by itself. A token whose place in the text cannot be told for
    certain counts as 0: those of the last word of a text that was cut within it, and all of
    a chat's answer that the template does not give as it is.
    """
    rows = [_marks(tokenizer, one)[one.scored] for one in encoded]
    found = np.full((len(rows), max([1, *map(len, rows)])), np.nan)
    for row, own in zip(found, rows, strict=True):
        row[: len(own)] = own
    return found


def _marks(tokenizer: Any, one: Encoded) -> Bool[np.ndarray, "t"]:
    """Which tokens of a record, scored or not, share a character with what must be kept."""
    string, spans = _string(tokenizer, one.content)
    must = np.zeros(len(string) + 1, dtype=np.int64)
    for start, text in _placed(spoken(one.content), string, spans):
        for first, last in kept(text):
            must[start + first + 1 : start + last + 1] = 1
    before = np.cumsum(must)
    starts, ends = _bounds(tokenizer, one, string).T
    return before[ends] > before[starts]


def _string(tokenizer: Any, content: Content) -> tuple[str, Sequence[Span]]:
    """What the tokenizer is given of a content, and where in it stands what is trained on."""
    if isinstance(content, str):
        return content, [(0, len(content))]
    if isinstance(content, Completion):
        string = content.prompt + content.completion
        return string, [(len(content.prompt), len(string))]
    found = chats.render(tokenizer, "a chat", content)
    return found.string, found.spans


def _placed(
    passages: Sequence[str], string: str, spans: Sequence[Span]
) -> Iterator[tuple[int, str]]:
    """Where each passage begins; one that does not stand as it is in a span is left out."""
    reached = 0
    for text in passages:
        places = (string.find(text, max(start, reached), end) for start, end in spans)
        start = next((place for place in places if place >= 0), None)
        if start is not None:
            yield start, text
            reached = start + len(text)


def _bounds(tokenizer: Any, one: Encoded, string: str) -> Int[np.ndarray, "t 2"]:
    """The characters (from, to) of each token; none, (0, 0), of one that stands elsewhere.

    The string is tokenised once more. It is not the whole of what was encoded: before it may
    stand a separator, after it an EOS, and a text that was cut may end in other tokens.
    """
    again = tokenizer(
        string,
        add_special_tokens=isinstance(one.content, str | Completion),
        return_offsets_mapping=True,
        verbose=False,
    )
    opening = max((0, 1), key=lambda count: _shared(one.ids[count:], again["input_ids"]))
    shared = _shared(one.ids[opening:], again["input_ids"])
    found = np.zeros((len(one.ids), 2), dtype=np.int64)
    found[opening : opening + shared] = np.reshape(again["offset_mapping"][:shared], (shared, 2))
    return found


def _shared(ids: Int[np.ndarray, "a"], others: Sequence[int]) -> int:
    """How many tokens both begin with."""
    length = min(len(ids), len(others))
    differ = np.flatnonzero(ids[:length] != np.asarray(others[:length], dtype=np.int64))
    return int(differ[0]) if len(differ) else length
