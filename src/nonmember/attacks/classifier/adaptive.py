"""Attacks of who knows that answers are those to regenerated inputs, and how that is done."""

from math import ceil
from typing import Literal

import numpy as np
from jaxtyping import Float

from nonmember.attacks.classifier.learners import log_odds
from nonmember.attacks.classifier.margins import (
    Answers,
    checked,
    log_probability,
    margin,
    rounded,
)
from nonmember.attacks.registry import attack
from nonmember.errors import DataError
from nonmember.signals.ragged import mean
from nonmember.types import (
    Count,
    DiffusionError,
    KnownMember,
    KnownViewHits,
    Labels,
    Logits,
    PopLogits,
    Scores,
    Share,
    ViewHits,
    ViewLogits,
)

Statistic = Literal["mean", "least", "largest", "variance"]


@attack(family="classifier", paper="Peng et al. 2025, arXiv:2312.04692")
def repeated_queries(
    jitter_logits: ViewLogits,
    labels: Labels,
    *,
    queries: Count | None = None,
    statistic: Statistic = "mean",
) -> Scores:
    """Mean log-probability of the true class over copies of one input, in nats.

    Each hardly differs from the input, so that a defense that draws from the input itself draws
    anew, and what it adds averages out. The paper asks once; this is ours.

    Args:
        jitter_logits: the target's, of the input and its copies, (n v c).
        labels: true classes, (n,).
        queries: how many of the first of these are looked at; by default all.
        statistic: ``mean`` of log p; or of the log-odds of the true class the ``least``, the
            ``largest``, or minus their ``variance``, which is large where answers are unsettled.

    Raises:
        DataError: there are fewer answers than queries, or one and its variance is asked for.
    """
    views = jitter_logits.shape[1] if queries is None else queries
    if not (1 + (statistic == "variance")) <= views <= jitter_logits.shape[1]:
        raise DataError(
            f"repeated_queries: {views} of {jitter_logits.shape[1]} answers for their {statistic}; "
            "set queries between 1, for a variance 2, and the views of jitter_logits"
        )
    measure = log_probability if statistic == "mean" else margin
    found = np.stack(
        [measure(checked(jitter_logits[:, view], labels), labels) for view in range(views)], axis=1
    )
    return rounded(_over(found, statistic))


def _over(values: Float[np.ndarray, "n v"], statistic: Statistic) -> Scores:
    if statistic == "mean":
        return values.mean(axis=1)
    if statistic == "variance":
        return -values.var(axis=1)
    return values.min(axis=1) if statistic == "least" else values.max(axis=1)


@attack(
    family="classifier",
    paper="Choquette-Choo et al. 2021, arXiv:2007.14321; Peng et al. 2025, arXiv:2312.04692",
)
def self_diffused(diffused_hits: ViewHits) -> Scores:
    """Share of regenerated copies whose true class is predicted, 0 to 1: members keep theirs.

    As ``augmentation``, by the attacker's own diffusion model: no defense that keeps labels
    stands in its way. Of v copies there are v + 1 values.

    Args:
        diffused_hits: 1 where the true class of a copy is predicted, (n v).
    """
    return mean(diffused_hits)


@attack(
    family="classifier",
    paper="Choquette-Choo et al. 2021, arXiv:2007.14321; Peng et al. 2025, arXiv:2312.04692",
)
def self_diffused_learned(
    diffused_hits: ViewHits,
    known_diffused_hits: KnownViewHits,
    known_member: KnownMember,
    *,
    levels: Count = 4,
    model: Literal["logistic", "forest"] = "logistic",
    leaf: Count = 15,
    seed: int = 0,
) -> Scores:
    """Log-odds of membership that known records' regenerated copies teach, in nats.

    Learnt from are the shares of hits at each level of noise, as copies of one level differ in
    their noise only. NaN with fewer than 10 known records on a side.

    Args:
        diffused_hits: 1 where the true class of a copy is predicted, (n v), level by level.
        known_diffused_hits: those of other records, the same levels in the same places, (k v).
        known_member: which of those were trained on, (k,).
        levels: into how many the copies part, evenly.
        model: logistic regression, or a forest, for levels that tell in company only.
        leaf: least known records at a leaf of the forest.
        seed: of the forest.

    Raises:
        DataError: the copies do not part evenly.
    """
    own, known = (_rates(one, levels) for one in (diffused_hits, known_diffused_hits))
    return log_odds(own, known, known_member, model=model, restarts=1, leaf=leaf, seed=seed)


def _rates(hits: Float[np.ndarray, "r v"], levels: int) -> Float[np.ndarray, "r l"]:
    """Share of hits of each level; NaN of one without copies."""
    records, views = hits.shape
    if views % levels:
        raise DataError(
            f"self_diffused_learned: {views} copies do not part into {levels} levels; set levels "
            "to how many the copies were regenerated from"
        )
    parted = hits.reshape(records * levels, views // levels)
    return mean(parted).reshape(records, levels)


@attack(
    family="classifier",
    paper="Matsumoto et al. 2023, arXiv:2302.03262; Duan et al. 2023, arXiv:2302.01316",
)
def diffusion_error(diffusion_error: DiffusionError) -> Scores:
    """Minus the error with which a diffusion model denoises an input: it knows its own.

    Of the defender's model, whatever the classifier says: how much the defense itself leaks,
    where that model has seen members. Deviation: random noise, and Duan et al. invert a chain.

    Args:
        diffusion_error: mean square error, (n,).
    """
    return -diffusion_error.astype(float)


@attack(family="classifier", paper="Peng et al. 2025, arXiv:2312.04692")
def interval_edge(logits: Logits, pop_logits: PopLogits, *, inside: Share = 0.9) -> Scores:
    """How far the answer lies above the interval that answers are selected by, in nats.

    Of a fence that gives the first answer inside an interval, else the nearest: what is outside
    had no answer inside, and is a member above it, another below. 0 inside, negative below. The
    interval is the shortest of the log-odds of the likeliest class that holds most known
    non-members, as a fence crowds answers there. NaN where the population is empty. Ours.

    Args:
        logits: the target's, (n c).
        pop_logits: the target's of z non-members, (z c).
        inside: share of the population that the interval holds.
    """
    own, others = _surest(logits, "logits"), _surest(pop_logits, "pop_logits")
    if not len(others):
        return np.full(len(own), np.nan)
    ranked = np.sort(others)
    reach = ceil(inside * len(ranked) - 1e-9) - 1
    first = int((ranked[reach:] - ranked[: len(ranked) - reach]).argmin())
    low, high = ranked[first], ranked[first + reach]
    return rounded(np.maximum(own - high, 0) - np.maximum(low - own, 0))


def _surest(logits: Answers, name: str) -> Scores:
    """Log-odds of the likeliest class of each answer, in nats."""
    likeliest = logits.argmax(axis=1)
    return margin(checked(logits, likeliest, name), likeliest)


@attack(family="classifier", paper="Peng et al. 2025, arXiv:2312.04692")
def shared_answer(logits: Logits, pop_logits: PopLogits) -> Scores:
    """Minus how many known non-members got the very same answer.

    A fence that finds no answer of the right label gives that of another input, or a flat one:
    then several inputs share it. Members keep their label oftener. NaN where the population is
    empty. Ours.

    Args:
        logits: the target's, (n c).
        pop_logits: the target's of z non-members, (z c).
    """
    if not len(pop_logits):
        return np.full(len(logits), np.nan)
    both = ((pop_logits, "pop_logits"), (logits, "logits"))
    every = np.concatenate([checked(one, one.argmax(axis=1), name) for one, name in both])
    which = np.unique(every, axis=0, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(which[: len(pop_logits)], minlength=len(every))
    return -counts[which[len(pop_logits) :]].astype(float)
