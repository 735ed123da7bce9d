"""Baselines on inputs that are no texts, and on labels: what they find is a biased split.

They never see the model. A split whose sides are drawn within each class makes the classes of
the known records say the opposite of those that are held out, so that whatever is fitted to
them would rank the others the wrong way round. Hence what chance alone explains counts as
nothing known.
"""

import warnings

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier

from nonmember.attacks.registry import attack
from nonmember.types import (
    Count,
    Features,
    KnownFeatures,
    KnownLabels,
    KnownMember,
    Labels,
    Scores,
)


@attack(
    family="blind", paper="Meeus et al. 2024, arXiv:2406.17975; Das et al. 2024, arXiv:2406.16201"
)
def input_statistics(
    input_features: Features,
    known_input_features: KnownFeatures,
    known_member: KnownMember,
    *,
    trees: Count = 50,
    depth: Count = 3,
    leaf: Count = 5,
    seed: int = 0,
) -> Scores:
    """Probability of membership from numbers that describe an input, between 0 and 1.

    A random forest, such as on the mean, spread and sharpness of an image or on the columns of
    a table. The share of members for everyone where trees that did not see a known record
    do no better than chance on it.

    Args:
        input_features: of the candidates, (n d); a row of NaN alone is not scored.
        known_input_features: of other records, (k d).
        known_member: which of those were trained on, (k,).
        trees: trees of the forest.
        depth: deepest tree.
        leaf: fewest known records in a leaf.
        seed: of the forest.
    """
    there = ~np.isnan(input_features).all(axis=1)
    score = np.where(there, known_member.mean() if len(known_member) else 0.5, np.nan)
    forest = RandomForestClassifier(
        trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed, oob_score=True
    )
    if there.any() and _learnt(forest, known_input_features, known_member):
        score[there] = forest.predict_proba(input_features[there])[:, 1]
    return score


@attack(family="blind", paper="Das et al. 2024, arXiv:2406.16201")
def label_frequency(labels: Labels, known_labels: KnownLabels, known_member: KnownMember) -> Scores:
    """Share of members among the known records of the same class, between 0 and 1.

    Shrunk towards the share among all by as much as chance explains (empirical Bayes, the
    variance between classes by DerSimonian and Laird 1986): no class is told from another
    where they differ no more than by chance. Deviation: the paper has no such rule.

    Args:
        labels: true classes of the candidates, (n,).
        known_labels: of other records, (k,).
        known_member: which of those were trained on, (k,).
    """
    share = float(known_member.mean()) if len(known_member) else 0.5
    score, chance = np.full(len(labels), share), share * (1 - share)
    if not chance:
        return score
    classes, of = np.unique(known_labels, return_inverse=True)
    sizes = np.bincount(of)
    apart = np.bincount(of, weights=known_member) / sizes - share
    excess = (sizes * apart**2).sum() - (len(classes) - 1) * chance
    between = excess / max(sizes.sum() - (sizes**2).sum() / sizes.sum(), 1)
    if between <= 0:
        return score
    lies = np.searchsorted(classes, labels).clip(max=len(classes) - 1)
    shrunk = apart * between / (between + chance / sizes)
    return score + np.where(classes[lies] == labels, shrunk[lies], 0.0)


def _learnt(forest: RandomForestClassifier, given: KnownFeatures, member: KnownMember) -> bool:
    """Fit the forest; whether its trees do better than chance on records that they did not see."""
    if member.all() or not member.any() or np.isnan(given).all():
        return False
    with warnings.catch_warnings():  # of few trees all may have seen a record; it is left out
        warnings.filterwarnings("ignore", "Some inputs do not have OOB", UserWarning)
        warnings.filterwarnings("ignore", "invalid value", RuntimeWarning)
        forest.fit(given, member)
    unseen = forest.oob_decision_function_[:, 1]
    told = ~np.isnan(unseen)
    ranks, inside = rankdata(unseen[told]), member[told]
    return bool(inside.any() and not inside.all()) and bool(
        ranks[inside].mean() > ranks[~inside].mean()
    )
