"""Many weak signs of context-dependent memorisation, weighed against known non-members."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Float

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import mean
from nonmember.types import Features, PopulationFeatures, Scores

Combination = Literal["mean", "fisher", "pearson", "mudholkar_george"]
Pvalues = Float[np.ndarray, "n d"]

EVIDENCE: dict[Combination, Callable[[Pvalues, Pvalues], Pvalues]] = {
    "mean": lambda p, _: -p,
    "fisher": lambda p, _: -np.log(p),
    "pearson": lambda _, q: np.log(q),
    "mudholkar_george": lambda p, q: np.log(q) - np.log(p),
}
"""What a p-value, and what is left of 1 beside it, count for membership."""


@attack(family="language", paper="Chang et al. 2025, arXiv:2409.13745")
def camia(
    context_features: Features,
    pop_context_features: PopulationFeatures,
    *,
    combine: Combination = "mean",
) -> Scores:
    """Minus the mean p-value of the record's features, -1 to 0; no unit.

    A feature's p-value is the share of known non-members at least as extreme, at least
    1 / (N + 1). The other combinations are Fisher's mean of -log p, Pearson's of log(1 - p)
    (with 1 - p at least 1 / (N + 1)) and their sum, of Mudholkar and George; all in nats.
    A record's missing features do not count; NaN where none is left, or nobody to hold it
    against. Deviation: the combined statistic stands for the p-value of it, which ranks
    alike but saturates; features go together, so neither is a true p-value.

    Args:
        context_features: larger = likelier member, column by column, (n d).
        pop_context_features: those of known non-members, (z d).
        combine: how p-values become one score.
    """
    p, q = np.full((2, *context_features.shape), np.nan)
    for column, (own, others) in enumerate(
        zip(context_features.T, pop_context_features.T, strict=True)
    ):
        known = np.sort(others[~np.isnan(others)])
        extreme = len(known) - np.searchsorted(known, own, "left")
        there = ~np.isnan(own) & (len(known) > 0)
        share = extreme[there] / max(1, len(known))
        least = 1 / (len(known) + 1)
        p[there, column] = np.maximum(share, least)
        q[there, column] = np.maximum(1 - share, least)
    return mean(EVIDENCE[combine](p, q))
