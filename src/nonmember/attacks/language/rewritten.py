"""For targets that may have been trained on rewrites in the place of records.

Membership is of the record here: whether it or a rewrite of it was trained on. A copy that
could not be made is missing and does not count.
"""

from typing import Literal, TypeAlias

import numpy as np

from nonmember.attacks.registry import attack
from nonmember.signals.derive import copy_gain
from nonmember.signals.ragged import clipped, mean
from nonmember.types import (
    CopyGain,
    CopyLogprobs,
    Gain,
    PopulationCopyGain,
    PopulationGain,
    Scores,
    TokenKept,
    TokenLogprobs,
)

Combination: TypeAlias = Literal["max", "mean"]

SPREAD_FLOOR = 1e-4  # nats per token


@attack(family="language", paper="adaptive, after Zhang et al. 2025, arXiv:2506.10424")
def rewritten(rewrite_gain: CopyGain, *, combine: Combination = "max") -> Scores:
    """Log-probability that the record's likeliest rewrite gained over the base, nats per token.

    The attacker rewrites the record as the defense did. Ours: the paper defends by rewriting,
    and this is what an attacker would do about it. The fewer rewrites, the lower the largest
    of them by chance; their mean hardly depends on their number.

    Args:
        rewrite_gain: what each rewrite gained, (n v).
        combine: the largest of the gains, or the logarithm of the mean of their exponentials.
    """
    return _combined(rewrite_gain, combine)


@attack(family="language", paper="adaptive, after Mozaffari & Marathe 2024, arXiv:2406.10218")
def semantic_neighbours(
    aug_spans_token_logprobs: CopyLogprobs, base_aug_spans_token_logprobs: CopyLogprobs
) -> Scores:
    """Log-probability that near meanings of the text gained over the base, nats per token.

    For an attacker who does not know the rewriter: what was learnt in other words reaches yet
    other words. The logarithm of the mean exponential gain of the copies. Deviation: the
    paper trains a network on such copies and their embeddings.

    Args:
        aug_spans_token_logprobs: the target's of copies with spans replaced, (n v s).
        base_aug_spans_token_logprobs: those of the model it was fine-tuned from, (n v s).
    """
    gains = copy_gain(aug_spans_token_logprobs, base_aug_spans_token_logprobs)
    return _combined(gains, "mean")


@attack(family="language", paper="adaptive, after Zhang et al. 2025, arXiv:2506.10424")
def kept_tokens(
    token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs, token_kept: TokenKept
) -> Scores:
    """Mean log-probability gained over the base at what a paraphrase keeps, in nats per token.

    Names, numbers, quotations and the like are trained on whether the record was rewritten or
    not. A record without any is not scored. Ours, as ``rewritten`` is.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
        token_kept: 1 where a paraphrase must keep the token, (n t).
    """
    gained = clipped(token_logprobs) - clipped(base_token_logprobs)
    return mean(np.where(token_kept == 1, gained, np.nan))


@attack(family="language", paper="adaptive, after Zhang et al. 2025, arXiv:2506.10424")
def mixture(
    gain: Gain,
    rewrite_gain: CopyGain,
    pop_gain: PopulationGain,
    pop_rewrite_gain: PopulationCopyGain,
    *,
    combine: Combination = "max",
) -> Scores:
    """The larger of the record's own gain over the base and ``rewritten``, in deviations.

    Each in standard deviations of known non-members above their mean, so that the attacker
    need not know which records were rewritten. A record without rewrites has its own gain
    alone; NaN where there are not two known non-members. Ours, as ``rewritten`` is.

    Args:
        gain: what the record itself gained, (n,).
        rewrite_gain: what each of its rewrites gained, (n v).
        pop_gain: what known non-members gained, (z,).
        pop_rewrite_gain: what their rewrites gained, (z w).
        combine: of rewrites, as for ``rewritten``.
    """
    own = _standardised(gain, pop_gain)
    rewrites = (_combined(gains, combine) for gains in (rewrite_gain, pop_rewrite_gain))
    return np.fmax(own, _standardised(*rewrites))  # passes over NaN


def _combined(gains: CopyGain, combine: Combination) -> Scores:
    """One gain per record; NaN without copies."""
    missing = np.isnan(gains)
    largest = np.max(np.where(missing, -np.inf, gains), axis=1, initial=-np.inf)
    largest = np.where(missing.all(axis=1), np.nan, largest)
    if combine == "max":
        return largest
    return largest + np.log(mean(np.exp(gains - largest[:, None])))


def _standardised(scores: Scores, others: PopulationGain) -> Scores:
    """In standard deviations of the others above their mean."""
    known = others[~np.isnan(others)]
    if len(known) < 2:
        return np.full(len(scores), np.nan)
    return (scores - known.mean()) / max(known.std(ddof=1), SPREAD_FLOOR)
