"""Altered copies of records, and what a model says of their tokens."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from nonmember.models.protocols import LanguageModel, Remote, Watch
from nonmember.models.text import Encoded, reworded
from nonmember.signals.language import token_statistics

Change = Callable[[str], str]
Vary = Callable[[str], Sequence[str]]
"""From a text to its altered copies."""


def varied(
    tokenizer: Any, encoded: Sequence[Encoded], copies: int, vary: Vary
) -> list[list[Encoded]]:
    """Each record's copies, so many at most; ``vary`` is asked about each passage once."""
    found = []
    for one in encoded:
        once = cache(vary)
        changes = [_picking(once, number) for number in range(copies)]
        found.append(changed(tokenizer, one, changes))
    return found


def changed(tokenizer: Any, one: Encoded, changes: Sequence[Change]) -> list[Encoded]:
    """The record after each change; what the model could not tell from it is no copy."""
    return told_apart(one, (copied(tokenizer, one, change) for change in changes))


def told_apart(one: Encoded, copies: Iterable[Encoded]) -> list[Encoded]:
    """The copies that the model can tell from the record."""
    return [copy for copy in copies if _key(copy) != _key(one)]


def _picking(vary: Vary, number: int) -> Change:
    """From a text to its copy of this number; where there are fewer, to itself."""

    def change(text: str) -> str:
        return next(iter(vary(text)[number : number + 1]), text)

    return change


def copied(tokenizer: Any, one: Encoded, change: Change) -> Encoded:
    """The record changed; if nothing changed, itself: a text that was cut may tokenise anew."""
    differs = []

    def noted(text: str) -> str:
        new = change(text)
        differs.append(new != text)
        return new

    copy = reworded(tokenizer, one, noted)
    return copy if any(differs) else one


def logprobs(
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
