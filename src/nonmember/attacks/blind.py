"""Baselines that never see the model: what they find is not leakage but a biased split."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer

from nonmember.attacks.registry import attack
from nonmember.types import KnownMember, KnownTexts, Scores, Texts


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def bag_of_words(
    texts: Texts,
    known_texts: KnownTexts,
    known_member: KnownMember,
    *,
    min_df: float = 0.05,
    trees: int = 100,
    depth: int = 2,
    leaf: int = 5,
    seed: int = 0,
) -> Scores:
    """Probability of membership from word counts alone, between 0 and 1.

    A random forest on the words of known records. Where no word is common enough the
    counts are of character 3-grams. Constant 0.5 where the texts hold nothing to count.

    Args:
        texts: the candidates, n strings.
        known_texts: other records, k strings.
        known_member: which of those were trained on, (k,).
        min_df: share of known texts a word must occur in.
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest.
    """
    for unit in ({"analyzer": "word"}, {"analyzer": "char", "ngram_range": (3, 3)}):
        counter = CountVectorizer(min_df=min_df, **unit)
        try:
            known = counter.fit_transform(known_texts)
        except ValueError:  # scikit-learn's way of saying that nothing is common enough
            continue
        forest = RandomForestClassifier(
            trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed
        ).fit(known, known_member)
        member = int(np.flatnonzero(forest.classes_)[0]) if forest.classes_.any() else 0
        return np.asarray(forest.predict_proba(counter.transform(texts))[:, member], dtype=float)
    return np.full(len(texts), 0.5)
