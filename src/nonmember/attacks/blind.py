"""Baselines that never see the model: what they find is not leakage but a biased split."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.registry import attack
from nonmember.errors import SpecError
from nonmember.types import Count, KnownMember, KnownTexts, Scores, Share, Texts

WORDS = {"analyzer": "word"}
TRIGRAMS = {"analyzer": "char", "ngram_range": (3, 3)}
CHARACTERS = {"analyzer": "char", "ngram_range": (1, 3)}
SCRIPTS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
UNSPACED = re.compile(f"[{SCRIPTS}]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: scripts that put no space between words."""

WORD = re.compile(rf"[{SCRIPTS}]|[^\W{SCRIPTS}]+")
YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)")
MONTH = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b",
    re.IGNORECASE,
)
DAY = re.compile(r"(?<!\d)\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?!\d)")
LINK = re.compile(r"https?://|www\.")
DIGIT = re.compile(r"\d")

Describe = Callable[[Sequence[str]], Float[np.ndarray, "n d"]]
Places = Int[np.ndarray, "_"]


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def bag_of_words(
    texts: Texts,
    known_texts: KnownTexts,
    known_member: KnownMember,
    *,
    min_df: Share = 0.05,
    trees: Count = 100,
    depth: Count = 2,
    leaf: Count = 5,
    seed: int = 0,
) -> Scores:
    """Probability of membership from word counts alone, between 0 and 1.

    A random forest on the words of known records; on their characters where no word is
    common enough or the script has no spaces. Constant 0.5 where there is nothing to count.

    Args:
        texts: the candidates, n strings; an empty one is not scored.
        known_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        min_df: share of known texts a word must occur in.
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest.
    """
    score = np.full(len(texts), 0.5)
    counter = _counter(known_texts, min_df)
    if counter is not None:
        forest = RandomForestClassifier(
            trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed
        ).fit(counter.transform(known_texts), known_member)
        score = forest.predict_proba(counter.transform(texts)) @ forest.classes_
    return np.where([text == "" for text in texts], np.nan, score)


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def length(texts: Texts, known_texts: KnownTexts, known_member: KnownMember) -> Scores:
    """Probability of membership from how long a text is, between 0 and 1.

    Logistic regression on the logarithms of its bytes, words and lines, so that the known
    records decide whether long or short ones are likelier members.

    Args:
        texts: the candidates, n strings; an empty one is not scored.
        known_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
    """
    regression = LogisticRegression(C=1e3, solver="newton-cholesky")
    return _learnt(regression, _sizes, texts, known_texts, known_member)


@attack(family="blind", paper="Das et al. 2024, arXiv:2406.16201")
def dates(
    texts: Texts,
    known_texts: KnownTexts,
    known_member: KnownMember,
    *,
    trees: Count = 50,
    depth: Count = 3,
    leaf: Count = 5,
    seed: int = 0,
) -> Scores:
    """Probability of membership from the dates, digits and links in a text, between 0 and 1.

    Whatever was collected later than the training data says so. A random forest on the
    latest, earliest and number of years, the months, days and links per word, and the share
    of digits. Deviation: the paper thresholds years; the forest finds the thresholds.

    Args:
        texts: the candidates, n strings; an empty one is not scored.
        known_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest.
    """
    forest = RandomForestClassifier(
        trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed
    )
    return _learnt(forest, _times, texts, known_texts, known_member)


@attack(family="blind", paper="Das et al. 2024, arXiv:2406.16201")
def greedy_ngrams(
    texts: Texts,
    known_texts: KnownTexts,
    known_member: KnownMember,
    *,
    words: Count = 5,
    least: Share = 0.01,
    most: Count = 100,
) -> Scores:
    """Log ratio of members to non-members that share the text's telling n-grams, in nats.

    The n-grams are chosen one by one among the known texts: each time the one that adds most
    members per non-member to those that hold a chosen one, until none adds a larger share of
    members than of non-members. 0 where a text holds none of them. Deviation: the paper
    flags a text that holds any; the sum over those it holds has a threshold for every rate.

    Args:
        texts: the candidates, n strings; an empty one is not scored.
        known_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        words: of the longest n-gram.
        least: share of known texts an n-gram must occur in, and in two at least.
        most: n-grams chosen.
    """
    known = len(known_texts)
    held = _ngrams([*known_texts, *texts], known, words, max(2.0, least * known - 1e-9))
    chosen = _greedy(held[:known], known_member, most)
    sides = (held[:known][side][:, chosen] for side in (known_member, ~known_member))
    members, others = ((one.sum(axis=0) + 1) / (one.shape[0] + 2) for one in sides)
    score = held[known:][:, chosen] @ np.log(members / others)
    return np.where([text == "" for text in texts], np.nan, score)


def _learnt(
    classifier: Any, describe: Describe, texts: Texts, known_texts: KnownTexts, known: KnownMember
) -> Scores:
    """Probability of membership given what ``describe`` says of each text."""
    score = np.full(len(texts), float(known.mean()))
    given = describe(known_texts)
    varies = np.ptp(given, axis=0) > 0
    if len(texts) and 0 < known.mean() < 1 and varies.any():
        centre, scale = given.mean(axis=0), np.where(varies, given.std(axis=0), 1.0)
        fitted = classifier.fit((given - centre) / scale, known)
        score = fitted.predict_proba((describe(texts) - centre) / scale)[:, 1]
    return np.where([text == "" for text in texts], np.nan, score)


def _sizes(texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
    """Log of the bytes, words and lines of each text."""
    found = [(len(text.encode()), len(text.split()), text.count("\n") + 1) for text in texts]
    return np.log1p(np.array(found, dtype=float))


def _times(texts: Sequence[str]) -> Float[np.ndarray, "n d"]:
    """What each text says of when it was written; 0 for the years of one that names none."""
    found = []
    for text in texts:
        years = [int(year) for year in YEAR.findall(text)]
        counts = [len(pattern.findall(text)) for pattern in (YEAR, MONTH, DAY, LINK)]
        per_word = [count / (1 + text.count(" ")) for count in counts]
        digits = len(DIGIT.findall(text)) / max(1, len(text))
        found.append([max(years, default=0), min(years, default=0), *per_word, digits])
    return np.array(found, dtype=float)


def _ngrams(texts: Sequence[str], known: int, longest: int, least: float) -> csr_array:
    """Which text holds which n-gram (rows by columns), of those that enough known texts hold.

    A run of words is common only if it is so without its last word and without its first, so
    that few runs are left to count at each length. Columns follow the known texts alone.
    """
    words = [WORD.findall(text.lower()) for text in texts]
    numbers = {word: i for i, word in enumerate(dict.fromkeys(w for ws in words for w in ws))}
    gram = np.array([numbers[w] for ws in words for w in ws], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), [len(ws) for ws in words])
    rows, columns, total = [row[:0]], [row[:0]], 0
    for _ in range(longest):
        gram, holders, held, count = _common(gram, row, known, least)
        rows.append(holders)
        columns.append(held + total)
        total += count
        if count == 0:
            break
        both = (gram[:-1] >= 0) & (gram[1:] >= 0) & (row[: len(gram) - 1] == row[1 : len(gram)])
        gram = np.where(both, gram[:-1] * count + gram[1:], -1)
    cells = np.concatenate(rows), np.concatenate(columns)
    return csr_array((np.ones(len(cells[0])), cells), shape=(len(texts), total))


def _common(
    gram: Places, row: Places, known: int, least: float
) -> tuple[Places, Places, Places, int]:
    """The grams that enough known texts hold, renumbered.

    At each place (-1: none of them), then which text holds which, then how many they are.
    """
    there = np.flatnonzero(gram >= 0)
    _, number = np.unique(gram[there], return_inverse=True)
    span = int(row[-1]) + 1 if len(row) else 1
    held, holder = np.divmod(np.unique(number * span + row[there]), span)
    texts = np.bincount(held[holder < known], minlength=int(number.max(initial=-1)) + 1)
    common = texts >= least
    renumbered = np.where(common, np.cumsum(common) - 1, -1)
    places = np.full(len(gram), -1)
    places[there] = renumbered[number]
    return places, holder[common[held]], renumbered[held[common[held]]], int(common.sum())


def _greedy(held: csr_array, member: KnownMember, most: int) -> Int[np.ndarray, "g"]:
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


def _counter(texts: Sequence[str], min_df: float) -> CountVectorizer | None:
    """What counts the commonest words, or characters, of these texts, if any are common."""
    if not 0 <= min_df <= 1:
        raise SpecError(
            f"bag_of_words: min_df={min_df} is a share of texts; give it between 0 and 1"
        )
    unspaced = sum(len(UNSPACED.findall(text)) for text in texts)
    mostly = unspaced > sum(map(len, texts)) / 2
    for unit in (CHARACTERS,) if mostly else (WORDS, TRIGRAMS):
        try:
            return CountVectorizer(min_df=min_df, **unit).fit(texts)
        except ValueError:  # scikit-learn's way of saying that nothing is common enough
            continue
    return None
