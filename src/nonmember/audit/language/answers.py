"""The answers of a finished plan, by the names under which attacks ask for them.

Arrays of tokens are read a shard of candidates at a time; only what is small, a few numbers
per record, is ever put together for all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from typing import Any

import numpy as np

from nonmember.audit.jobs import Plan
from nonmember.audit.language.facts import Facts
from nonmember.audit.language.sources import Served
from nonmember.audit.language.subject import Target
from nonmember.audit.records import Fit
from nonmember.data.records import Strings
from nonmember.data.split import Split
from nonmember.evaluation.intervals import mean_interval
from nonmember.models.text import Encoded
from nonmember.signals.catalogue import FACTS, REFERENCES, ask, extractor
from nonmember.signals.derive import DERIVED
from nonmember.signals.ragged import mean
from nonmember.signals.store import Store
from nonmember.types import LOGPROB_FLOOR, Scores

Fetch = Callable[[str], Any]
"""The signal of that name for some candidates, in their order."""


@dataclass(frozen=True)
class Answers:
    """Everything that is known, or was answered, about the candidates of one target."""

    target: Target
    facts: Facts
    todo: Plan
    store: Store
    held: dict[str, Any] = field(default_factory=dict)

    def shards(self) -> Iterator[tuple[slice, Fetch]]:
        """Each range of candidates, and what fetches signals of just those."""
        for number, rows in enumerate(self.todo.shards[self.target.name]):
            yield rows, self._fetcher(number, rows)

    def _fetcher(self, number: int, rows: slice) -> Fetch:
        held: dict[str, Any] = {}

        @cache
        def encoded() -> tuple[Encoded, ...]:
            return self.target.candidates[rows]

        def fetch(name: str) -> Any:
            if name not in held:
                question = ask(name)
                if question.name in FACTS:
                    held[name] = getattr(self.facts, question.name)(encoded())
                elif question.whose == "reference":
                    blocks = self.todo.compared[self.target.name][number]
                    arrays = [self.store.array(one, question.name) for one in blocks]
                    held[name] = np.concatenate(arrays)
                elif question.needs:
                    held[name] = DERIVED[question.name](*map(fetch, question.needs))
                else:
                    signal = extractor(question.name).name
                    addresses = self.todo.answers[self.target.name, question.whose, signal]
                    held[name] = self.store.array(addresses[number], question.name)
            return held[name]

        return fetch

    def whole(self, name: str) -> Any:
        """A signal of all candidates, an array or texts; put together once."""
        if name == "ref_member":
            assert self.target.references is not None
            return self.target.references.member
        if name not in self.held:
            parts = (fetch(name) for _, fetch in self.shards())
            first = next(parts)
            everything = chain([first], parts)
            if isinstance(first, list):
                self.held[name] = Strings.of(chain.from_iterable(everything))
            elif name.startswith(REFERENCES):
                rows = _stacked([np.swapaxes(part, 0, 1) for part in everything])
                self.held[name] = np.swapaxes(rows, 0, 1)
            else:
                self.held[name] = _stacked([*everything])
        return self.held[name]

    def each(self, name: str, reduce: Callable[[np.ndarray], Scores]) -> Scores:
        """One number per candidate from a signal that is read a shard at a time."""
        return np.concatenate([reduce(fetch(name)) for _, fetch in self.shards()])

    def has(self, name: str) -> bool:
        """Whether the signal was asked for, and is one that the model answers."""
        question, source = ask(name), self.target.source
        signal = extractor(question.name).name
        if question.whose == "target" and isinstance(source, Served) and name not in source.gives:
            return False
        return (self.target.name, question.whose, signal) in self.todo.answers


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays of some candidates each, padded with NaN to one shape and put below one another."""
    shape = np.max([part.shape[1:] for part in parts], axis=0).astype(int)
    whole = np.full((sum(map(len, parts)), *shape), np.nan, dtype=parts[0].dtype)
    start = 0
    for part in parts:
        whole[(slice(start, start + len(part)), *map(slice, part.shape[1:]))] = part
        start += len(part)
    return whole


def fit(
    logprobs: str, answers: Answers, split: Split, there: np.ndarray, *, level: float
) -> Fit | None:
    """Mean loss of both sides under the model that ``logprobs`` are of, where there is one.

    Only candidates that are ``there`` count: who was dropped from the training is on no side.
    ``level`` is that of the intervals.
    """
    if not answers.has(logprobs):
        return None
    loss = -answers.each(logprobs, mean)
    sides = [side & there & ~np.isnan(loss) for side in (split.member, ~split.member)]
    if any(len(np.unique(split.group[side])) < 2 for side in sides):
        return None  # no mean has an interval there
    members, non_members = (
        mean_interval(loss[side], split.group[side], level=level) for side in sides
    )
    return Fit(members, non_members, (int(sides[0].sum()), int(sides[1].sum())))


def _cut_off(logprobs: np.ndarray) -> Scores:
    return (logprobs <= LOGPROB_FLOOR).sum(axis=1, dtype=float)


def impossible(answers: Answers) -> int:
    """Tokens that the target holds to be impossible, whose log-probability was cut off."""
    if not answers.has("token_logprobs"):
        return 0
    return int(answers.each("token_logprobs", _cut_off).sum())


def unanswered(answers: Answers) -> list[int]:
    """Candidates with tokens to score for which the target answered none."""
    if not answers.has("token_logprobs"):
        return []
    silent = np.isnan(answers.each("token_logprobs", mean))
    return np.flatnonzero(silent & (answers.target.met.scored > 0)).tolist()
