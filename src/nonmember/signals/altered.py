"""The log-probabilities of altered copies of each record: of a chat, its answers are altered."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, reworded
from nonmember.rewriting import masked, words
from nonmember.rewriting.wordnet import Synonyms
from nonmember.signals.catalogue import signal
from nonmember.signals.language import STATISTICS_VERSION, token_statistics
from nonmember.types import Count, Share

Change = Callable[[str], str]
Vary = Callable[[str], Sequence[str]]
"""From a text to its altered copies."""


@signal(provides={"aug_lowercase_token_logprobs": "logprobs"}, version=2 + STATISTICS_VERSION)
def lowercase(
    model: LanguageModel | Remote, encoded: Sequence[Encoded], *, watch: Watch | None = None
) -> dict[str, np.ndarray]:
    """Log-probabilities (n 1 s), in nats, of each record in small letters, tokenised anew.

    A record without capitals has no copy: it was asked about already.
    """
    capital = ((one, one.text != one.text.lower()) for one in encoded)
    copies = [[_copy(model.tokenizer, one, str.lower)] if has else [] for one, has in capital]
    return {"aug_lowercase_token_logprobs": _logprobs(model, copies, watch)}


@signal(
    provides={"aug_swaps_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def swaps(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 5,
    share: Share = 0.3,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with random pairs of words swapped.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most; one that differs in nothing is left out.
        share: pairs swapped in each copy, as a share of the words; at least one.
        seed: of the drawing.
        watch: told the tokens done after each pass.
    """

    def vary(text: str) -> Sequence[str]:
        return words.swapped(text, copies, share, seed)

    found = _altered(model.tokenizer, encoded, copies, vary)
    return {"aug_swaps_token_logprobs": _logprobs(model, found, watch)}


@signal(
    provides={"aug_neighbours_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def neighbours(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 25,
    swaps: Count = 1,
    candidates: Count = 10,
    filler: str = "wordnet",
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with a few words replaced by likely ones.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most.
        swaps: words replaced in each copy.
        candidates: replacements considered for each word; "wordnet" considers every synonym.
        filler: "wordnet", or the folder of a masked language model, as in the paper.
        seed: of the drawing, and of the masked model's dropout.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: the filler is no masked language model.
    """
    fill = _filler(filler, model, candidates)

    def vary(text: str) -> Sequence[str]:
        return words.neighbours(text, copies, swaps, fill, seed)

    found = _altered(model.tokenizer, encoded, copies, vary)
    return {"aug_neighbours_token_logprobs": _logprobs(model, found, watch)}


@signal(
    provides={"aug_spans_token_logprobs": "logprobs"},
    queries="copies",
    version=1 + STATISTICS_VERSION,
)
def spans(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    copies: Count = 10,
    share: Share = 0.3,
    span: Count = 2,
    filler: str = "wordnet",
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Log-probabilities (n v s), in nats, of copies with spans of words replaced.

    Args:
        model: what is asked.
        encoded: n records.
        copies: of each record, at most.
        share: about this share of the words is replaced in each copy.
        span: words replaced side by side.
        filler: "wordnet", or the folder of a masked language model.
        seed: of the drawing.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: the filler is no masked language model.
    """
    fill = _filler(filler, model)

    def vary(text: str) -> Sequence[str]:
        return words.refilled(text, copies, share, span, fill, seed)

    found = _altered(model.tokenizer, encoded, copies, vary)
    return {"aug_spans_token_logprobs": _logprobs(model, found, watch)}


def _filler(name: str, model: LanguageModel | Remote, candidates: int = 10) -> words.Filler:
    if name == "wordnet":
        return Synonyms()
    return masked.read(name, candidates=candidates, device=getattr(model, "device", "cpu"))


def _altered(
    tokenizer: Any, encoded: Sequence[Encoded], copies: int, vary: Vary
) -> list[list[Encoded]]:
    """Each record's copies; what the model could not tell from the record itself is none."""
    found = []
    for one in encoded:
        once = cache(vary)
        made = (_copy(tokenizer, one, _picking(once, number)) for number in range(copies))
        found.append([copy for copy in made if _key(copy) != _key(one)])
    return found


def _picking(vary: Vary, number: int) -> Change:
    """From a text to its copy of this number; where there are fewer, to itself."""

    def change(text: str) -> str:
        return next(iter(vary(text)[number : number + 1]), text)

    return change


def _copy(tokenizer: Any, one: Encoded, change: Change) -> Encoded:
    """The record changed; if nothing changed, itself: a text that was cut may tokenise anew."""
    changed = []

    def noted(text: str) -> str:
        new = change(text)
        changed.append(new != text)
        return new

    copy = reworded(tokenizer, one, noted)
    return copy if any(changed) else one


def _logprobs(
    model: LanguageModel | Remote, copies: Sequence[Sequence[Encoded]], watch: Watch | None
) -> np.ndarray:
    """Log-probabilities (n v s) of each record's copies, each distinct one asked about once."""
    numbers: dict[tuple[bytes, bytes], int] = {}
    asked: list[Encoded] = []
    for copy in (copy for row in copies for copy in row):
        if numbers.setdefault(_key(copy), len(asked)) == len(asked):
            asked.append(copy)
    found = token_statistics(model, asked, watch=watch)["token_logprobs"]
    views = max([1, *map(len, copies)])
    out = np.full((len(copies), views, found.shape[1]), np.nan, dtype=np.float32)
    for record, row in enumerate(copies):
        for view, copy in enumerate(row):
            out[record, view] = found[numbers[_key(copy)]]
    return out


def _key(one: Encoded) -> tuple[bytes, bytes]:
    """What a model is asked about a record."""
    return one.ids.tobytes(), one.scored.tobytes()
