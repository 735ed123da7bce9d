"""Deduplication: a text that is trained on once is remembered far less than one that recurs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from jaxtyping import Int, UInt64

from nonmember.data.texts import WORD, normalised
from nonmember.defenses.language.roles import DROP, RAW, ROUNDING, Roles
from nonmember.defenses.registry import defense
from nonmember.types import Count, Share, Texts

Hashes: TypeAlias = UInt64[np.ndarray, "_"]
"""64 bits for each of the words or n-grams of a record."""

Numbers: TypeAlias = Int[np.ndarray, "_"]

BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying loses nothing


@defense(family="language", stage="data", paper="Kandpal et al. 2022, arXiv:2202.06539")
def deduplicate(
    texts: Texts, spoken: Texts | None = None, *, ngram: Count = 13, share: Share = 0.8
) -> Roles:
    """Leave out what repeats an earlier record that is kept: the same text, or most of it.

    Texts are the same up to Unicode form and white space, prompts and all: the answer "yes"
    to another question is no repetition. Most of one is repeated if ``share`` of the distinct
    n-grams of what is trained on of it are in one earlier record, whatever stands before
    either: a prompt that all records share makes no two alike, and a long answer counts as
    repeated after another prompt too. Words are compared without case and punctuation; of
    what is shorter than an n-gram only the same texts count. Deviation: the paper removes
    repeated substrings by suffix array; the threshold is that of Duan et al. 2024
    (arXiv:2402.07841).

    Args:
        texts: the records, whole, n of them; the first of its like is kept.
        spoken: what is trained on of each, in the same order; None: all of it.
        ngram: words in a row.
        share: the least share of a record's n-grams that makes it a repetition, above 0.
    """
    roles = np.full(len(texts), DROP, dtype=np.int8)
    distinct, own = _distinct(texts), texts if spoken is None else spoken
    grams = _hashed((own[place] for place in distinct.tolist()), ngram)
    roles[distinct[_kept(grams, share)]] = RAW
    return roles


def _distinct(texts: Texts) -> Numbers:
    """Positions of the texts that are not the same as an earlier one."""
    digests = [blake2b(normalised(text).encode(), digest_size=16).digest() for text in texts]
    first = {digest: place for place, digest in reversed([*enumerate(digests)])}
    return np.array(sorted(first.values()), dtype=np.int64)


def _hashed(texts: Iterable[str], n: int) -> list[Hashes]:
    """Each text's distinct n-grams, ascending; none of one that is shorter."""
    numbers: dict[str, int] = {}
    found = []
    for text in texts:
        words = WORD.findall(normalised(text).casefold())
        ids = [numbers.setdefault(word, len(numbers)) for word in words]
        found.append(np.unique(_rolled(_mixed(np.array(ids, dtype=np.uint64)), n)))
    return found


def _rolled(words: Hashes, n: int) -> Hashes:
    """A polynomial in ``BASE``, modulo 2^64, of every n words in a row."""
    count = max(0, len(words) - n + 1)
    total = np.zeros(count, dtype=np.uint64)
    for start in range(n):
        total = total * BASE + words[start : start + count]
    return total


def _mixed(numbers: Hashes) -> Hashes:
    """Numbers spread over 64 bits, each to its own (the finaliser of SplitMix64)."""
    mixed = numbers + BASE
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass(frozen=True)
class _Index:
    """Which kept records hold an n-gram: ``counts`` of the ``holders`` from ``starts`` on.

    Filled as records are kept.
    """

    starts: Int[np.ndarray, "g"]
    counts: Int[np.ndarray, "g"]
    holders: Numbers

    def add(self, record: int, grams: Numbers) -> None:
        self.holders[self.starts[grams] + self.counts[grams]] = record
        self.counts[grams] += 1

    def holding_any(self, grams: Numbers) -> Numbers:
        """The kept records that hold at least one of these."""
        starts, stops = self.starts[grams], self.starts[grams] + self.counts[grams]
        spans = zip(starts.tolist(), stops.tolist(), strict=True)
        return np.unique(np.concatenate([self.holders[start:stop] for start, stop in spans]))


def _kept(hashed: Sequence[Hashes], share: float) -> list[int]:
    """Places of the records no earlier kept one of which holds ``share`` of their n-grams."""
    shared, index = _shared(hashed)
    kept: list[int] = []
    for record, (grams, all_of_it) in enumerate(zip(shared, hashed, strict=True)):
        least = max(1, int(np.ceil(share * len(all_of_it) - ROUNDING)))
        if not _repeats(grams, least, shared, index):
            index.add(record, grams)
            kept.append(record)
    return kept


def _repeats(grams: Numbers, least: int, shared: Sequence[np.ndarray], index: _Index) -> bool:
    """Whether one kept record holds at least ``least`` of these n-grams.

    Such a record holds at least one of any ``len(grams) - least + 1`` of them: the rarest are
    looked up, so that what stands in every record costs nothing.
    """
    spare = len(grams) - least + 1
    if spare < 1:
        return False
    rarest = grams[np.argsort(index.counts[grams], kind="stable")[:spare]]
    return any(
        np.isin(grams, shared[other], assume_unique=True).sum() >= least
        for other in index.holding_any(rarest)
    )


def _shared(hashed: Sequence[Hashes]) -> tuple[list[Numbers], _Index]:
    """Numbers of each record's n-grams that another record has too, and room to index them."""
    ranked = np.sort(np.concatenate([np.empty(0, dtype=np.uint64), *hashed]))
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)])
    sizes = np.diff(np.append(starts, len(ranked)))
    repeated, sizes = ranked[starts[sizes > 1]], sizes[sizes > 1]
    found = []
    for grams in hashed:
        places = np.searchsorted(repeated, grams)
        known = places < len(repeated)
        known[known] = repeated[places[known]] == grams[known]
        found.append(places[known])
    ends = np.cumsum(sizes)
    return found, _Index(ends - sizes, np.zeros_like(sizes), np.empty(sizes.sum(), dtype=np.int32))
