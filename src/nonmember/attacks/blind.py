"""Baselines that never see the model: what they find is not leakage but a biased split."""

import re
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer

from nonmember.attacks.registry import attack
from nonmember.errors import SpecError
from nonmember.types import Count, KnownMember, KnownTexts, Scores, Share, Texts

WORDS = {"analyzer": "word"}
TRIGRAMS = {"analyzer": "char", "ngram_range": (3, 3)}
CHARACTERS = {"analyzer": "char", "ngram_range": (1, 3)}
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: scripts that put no space between words."""


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
