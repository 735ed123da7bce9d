"""Baselines that never see the model: what they find is not leakage but a biased split.

They read all that the model is given, prompts and the other turns of a chat too, and not only
what is scored: a bias anywhere in a record can reach its score.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from nonmember.attacks import phrases
from nonmember.attacks.registry import attack
from nonmember.data.texts import UNSPACED
from nonmember.errors import SpecError
from nonmember.seeds import generator
from nonmember.types import Count, KnownMember, KnownTexts, Scores, Share, Texts

WORDS = {"analyzer": "word"}
TRIGRAMS = {"analyzer": "char", "ngram_range": (3, 3)}
CHARACTERS = {"analyzer": "char", "ngram_range": (1, 3)}
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
BAGS = 20_000  # known texts whose words are counted: more would not move a forest this small
PHRASES = 5_000  # known texts whose runs of words are held in memory
BLOCK = 5_000  # texts whose counts are held in memory while they are scored


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def bag_of_words(
    whole_texts: Texts,
    known_whole_texts: KnownTexts,
    known_member: KnownMember,
    *,
    min_df: Share = 0.05,
    trees: Count = 100,
    depth: Count = 2,
    leaf: Count = 5,
    seed: int = 0,
) -> Scores:
    """Probability of membership from word counts alone, between 0 and 1.

    A random forest on the words of known records (of 20,000, drawn, if there are more); on
    characters where no word is common or the script has no spaces. 0.5 if nothing counts.

    Args:
        whole_texts: the candidates, n strings; an empty one is not scored.
        known_whole_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        min_df: share of known texts a word must occur in.
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest, and of what is drawn.
    """
    score = np.full(len(whole_texts), 0.5)
    known, member = _some(known_whole_texts, known_member, BAGS, seed)
    counter = _counter(known, min_df)
    if counter is not None:
        forest = RandomForestClassifier(
            trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed
        ).fit(counter.transform(known), member)
        for start in range(0, len(score), BLOCK):
            counts = counter.transform(whole_texts[start : start + BLOCK])
            score[start : start + BLOCK] = forest.predict_proba(counts) @ forest.classes_
    return np.where([text == "" for text in whole_texts], np.nan, score)


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def length(whole_texts: Texts, known_whole_texts: KnownTexts, known_member: KnownMember) -> Scores:
    """Probability of membership from how long a text is, between 0 and 1.

    Logistic regression on the logarithms of its bytes, words and lines, so that the known
    records decide whether long or short ones are likelier members.

    Args:
        whole_texts: the candidates, n strings; an empty one is not scored.
        known_whole_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
    """
    regression = LogisticRegression(C=1e3, solver="newton-cholesky")
    return _learnt(regression, _sizes, whole_texts, known_whole_texts, known_member)


@attack(family="blind", paper="Das et al. 2024, arXiv:2406.16201")
def dates(
    whole_texts: Texts,
    known_whole_texts: KnownTexts,
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
        whole_texts: the candidates, n strings; an empty one is not scored.
        known_whole_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest.
    """
    forest = RandomForestClassifier(
        trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed
    )
    return _learnt(forest, _times, whole_texts, known_whole_texts, known_member)


@attack(family="blind", paper="Das et al. 2024, arXiv:2406.16201")
def greedy_ngrams(
    whole_texts: Texts,
    known_whole_texts: KnownTexts,
    known_member: KnownMember,
    *,
    words: Count = 5,
    least: Share = 0.01,
    most: Count = 100,
    seed: int = 0,
) -> Scores:
    """Log ratio of members to non-members that share the text's telling n-grams, in nats.

    The n-grams are chosen one by one among the known texts: each time the one that adds most
    members per non-member to those that hold a chosen one, until none adds a larger share of
    members than of non-members. 0 where a text holds none of them. Deviations: the paper
    flags a text that holds any; the sum over those it holds has a threshold for every rate.
    Of more than 5,000 known texts it learns from so many, drawn.

    Args:
        whole_texts: the candidates, n strings; an empty one is not scored.
        known_whole_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        words: of the longest n-gram.
        least: share of known texts an n-gram must occur in, and in two at least.
        most: n-grams chosen.
        seed: of what is drawn.
    """
    known, member = _some(known_whole_texts, known_member, PHRASES, seed)
    runs = phrases.common(known, words, max(2.0, least * len(known) - 1e-9))
    chosen = phrases.greedy(runs.held, member, most)
    sides = (runs.held[side][:, chosen] for side in (member, ~member))
    inside, outside = ((one.sum(axis=0) + 1) / (one.shape[0] + 2) for one in sides)
    held = phrases.holding([runs.words(column) for column in chosen.tolist()], whole_texts)
    score = held @ np.log(inside / outside)
    return np.where([text == "" for text in whole_texts], np.nan, score)


def _some(
    texts: Sequence[str], member: KnownMember, most: int, seed: int
) -> tuple[Sequence[str], Bool[np.ndarray, "s"]]:
    """No more than ``most`` known texts: the same share of each side, drawn, in their order."""
    if len(texts) <= most:
        return texts, member
    rng, share = generator(seed, "known texts"), most / len(texts)
    drawn = [
        rng.permutation(side)[: round(share * len(side)) or 1]
        for side in map(np.flatnonzero, (member, ~member))
    ]
    kept = np.sort(np.concatenate(drawn))
    return [texts[i] for i in kept], member[kept]


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
