"""All other attacks' scores as one: a classifier told of records whose membership is known."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.registry import attack
from nonmember.types import Features, KnownFeatures, KnownMember, Positive, Scores

MOST_MISSING = 0.5


@attack(family="language", paper="Zhang et al. 2025, arXiv:2506.10424")
def ensemble(
    features: Features,
    known_features: KnownFeatures,
    known_member: KnownMember,
    *,
    model: Literal["logistic", "trees"] = "logistic",
    transform: Literal["ranks", "standard"] = "ranks",
    penalty: Positive = 1.0,
    seed: int = 0,
) -> Scores:
    """Log-odds of membership given other attacks' scores, in nats.

    Scores are put on one scale by the known records alone, and the classifier is fitted to
    those alone. A column that is constant there, or missing in over half, is left out; a
    missing score counts as the median. NaN where a record has none of the columns, and 0
    where nothing can be learnt. The idea is SOFT's, whose trees score the records they were
    fitted to, which separates pure noise.

    Args:
        features: the candidates' scores by other attacks, (n d).
        known_features: those of other records, (k d).
        known_member: which of those were trained on, (k,).
        model: logistic regression, or boosted trees of depth 3.
        transform: to normal scores by rank, or to mean 0 and variance 1.
        penalty: weight of the squared coefficients, or leaf values.
        seed: of the trees.
    """
    used = _informative(known_features)
    scored = ~np.isnan(features[:, used]).all(axis=1)
    score = np.where(scored, 0.0, np.nan)
    if scored.any() and 0 < known_member.mean() < 1:
        put = _by_rank if transform == "ranks" else _by_spread
        known, own = (
            put(side[:, used], known_features[:, used]) for side in (known_features, features)
        )
        fitted = _classifier(model, penalty, seed).fit(known, known_member)
        score[scored] = fitted.decision_function(own[scored])
    return score


def _informative(known: KnownFeatures) -> Bool[np.ndarray, "d"]:
    """Which columns differ among known records and are there for at least half of them."""
    valid = ~np.isnan(known)
    low = np.where(valid, known, np.inf).min(axis=0, initial=np.inf)
    high = np.where(valid, known, -np.inf).max(axis=0, initial=-np.inf)
    return (high > low) & (valid.sum(axis=0) >= (1 - MOST_MISSING) * len(known))


def _by_rank(values: Float[np.ndarray, "r d"], known: KnownFeatures) -> Float[np.ndarray, "r d"]:
    """Normal scores of the values' ranks among the known ones; 0 where missing."""
    found = np.zeros(values.shape)
    for column in range(values.shape[1]):
        ranked = np.sort(known[~np.isnan(known[:, column]), column])
        below = (np.searchsorted(ranked, values[:, column], side) for side in ("left", "right"))
        found[:, column] = ndtri((sum(below) + 1) / (2 * len(ranked) + 2))
    return np.where(np.isnan(values), 0.0, found)


def _by_spread(values: Float[np.ndarray, "r d"], known: KnownFeatures) -> Float[np.ndarray, "r d"]:
    """The values less the known ones' mean, over their standard deviation; 0 where missing."""
    standard = (values - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    return np.where(np.isnan(values), 0.0, standard)


def _classifier(model: Literal["logistic", "trees"], penalty: float, seed: int) -> Any:
    if model == "logistic":
        return LogisticRegression(C=1 / penalty, solver="newton-cholesky")
    return HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.05,
        max_depth=3,
        l2_regularization=penalty,
        early_stopping=False,
        random_state=seed,
    )
