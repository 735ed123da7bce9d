"""Runs of words that texts have in common, and those among them that tell two sides apart."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array

from nonmember.data.texts import WORD
from nonmember.types import KnownMember

Run = tuple[str, ...]
Places = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class Runs:
    """Which text holds which run of words: texts are rows, runs are columns, 1 where held.

    ``starts`` and ``lengths`` say where in ``flat``, all words of all texts, a run is first.
    """

    held: csr_array
    flat: Sequence[str]
    starts: Places
    lengths: Places

    def words(self, column: int) -> Run:
        """The run that a column is of."""
        start = self.starts[column]
        return tuple(self.flat[start : start + self.lengths[column]])


def common(texts: Sequence[str], longest: int, least: float) -> Runs:
    """The runs of up to ``longest`` words, without case, that at least ``least`` texts hold.

    A run of words is common only if it is so without its last word and without its first, so
    that few runs are left to count at each length.
    """
    words = [WORD.findall(text.lower()) for text in texts]
    flat = list(chain.from_iterable(words))
    numbers = {word: i for i, word in enumerate(dict.fromkeys(flat))}
    run = np.array([numbers[word] for word in flat], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), [len(own) for own in words])
    rows, columns, starts = [row[:0]], [row[:0]], [row[:0]]
    for _ in range(longest):
        run, holders, held = _common(run, row, least)
        found, first = np.unique(run, return_index=True)
        rows.append(holders)
        columns.append(held + sum(map(len, starts)))
        starts.append(first[found >= 0])
        both = (run[:-1] >= 0) & (run[1:] >= 0) & (row[: len(run) - 1] == row[1 : len(run)])
        run = np.where(both, run[:-1] * len(starts[-1]) + run[1:], -1)
    cells = np.concatenate(rows), np.concatenate(columns)
    lengths = np.repeat(np.arange(len(starts)), [len(one) for one in starts])
    shape = len(texts), len(lengths)
    matrix = csr_array((np.ones(len(cells[0])), cells), shape=shape)
    return Runs(matrix, flat, np.concatenate(starts), lengths)


def _common(run: Places, row: Places, least: float) -> tuple[Places, Places, Places]:
    """The runs that enough texts hold, renumbered.

    At each place (-1: none of them), then which text holds which.
    """
    there = np.flatnonzero(run >= 0)
    _, number = np.unique(run[there], return_inverse=True)
    span = int(row[-1]) + 1 if len(row) else 1
    held, holder = np.divmod(np.unique(number * span + row[there]), span)
    enough = np.bincount(held, minlength=int(number.max(initial=-1)) + 1) >= least
    renumbered = np.where(enough, np.cumsum(enough) - 1, -1)
    places = np.full(len(run), -1)
    places[there] = renumbered[number]
    return places, holder[enough[held]], renumbered[held[enough[held]]]


def greedy(held: csr_array, member: KnownMember, most: int) -> Int[np.ndarray, "g"]:
    """The columns chosen one by one, each for the members per non-member it adds."""
    sides = np.array([member.sum(), (~member).sum()])
    waiting = np.ones(len(member), dtype=bool)
    chosen: list[int] = []
    added = np.array([held[side].sum(axis=0) for side in (member, ~member)])
    by_column = held.tocsc()
    while sides.all() and added.size and len(chosen) < most:
        best = int(np.argmax(added[0] / (added[1] + 1)))
        if added[0, best] * sides[1] <= added[1, best] * sides[0]:
            break
        chosen.append(best)
        holders = by_column.indices[by_column.indptr[best] : by_column.indptr[best + 1]]
        new = holders[waiting[holders]]
        waiting[new] = False
        for side, own in enumerate((new[member[new]], new[~member[new]])):
            added[side] -= np.bincount(held[own].indices, minlength=held.shape[1])
    return np.array(chosen, dtype=np.int64)


def holding(runs: Sequence[Run], texts: Sequence[str]) -> csr_array:
    """Which of these texts, read one by one, hold which of these runs: rows by columns."""
    beginning: defaultdict[str, list[int]] = defaultdict(list)
    for column, run in enumerate(runs):
        beginning[run[0]].append(column)

    def held(text: str) -> Iterator[int]:
        words = WORD.findall(text.lower())
        for place, word in enumerate(words):
            for column in beginning.get(word, ()):
                run = runs[column]
                if tuple(words[place : place + len(run)]) == run:
                    yield column

    columns = [sorted(set(held(text))) for text in texts]
    ends = np.cumsum([0, *map(len, columns)])
    cells = np.fromiter(chain.from_iterable(columns), dtype=np.int64)
    shape = len(texts), len(runs)
    return csr_array((np.ones(len(cells)), cells, ends), shape=shape)
