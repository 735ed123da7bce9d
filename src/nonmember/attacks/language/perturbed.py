"""A text against slightly altered copies of itself, which nobody trained on.

A copy that could not be made is a row of NaN and does not count; a text without a single
copy is not scored.
"""

import numpy as np

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import clipped, lowest, mean, of_copies
from nonmember.types import CopyLogprobs, Scores, Share, TokenLogprobs

SPREAD_FLOOR = 1e-4  # nats per token


@attack(family="language", paper="Mattern et al. 2023, arXiv:2305.18462")
def neighbourhood(
    token_logprobs: TokenLogprobs,
    aug_neighbours_token_logprobs: CopyLogprobs,
    *,
    standardise: bool = False,
) -> Scores:
    """Log-probability of the text above the mean of its neighbours', in nats per token.

    Neighbours have a few words replaced by others that fit; a memorised text stands out
    among them.

    Args:
        token_logprobs: the target's, (n t).
        aug_neighbours_token_logprobs: the target's of the neighbours, (n v s).
        standardise: in standard deviations of the neighbours, which takes two of them.
    """
    neighbours = of_copies(mean, aug_neighbours_token_logprobs)
    score = mean(clipped(token_logprobs)) - mean(neighbours)
    if not standardise:
        return score
    spread = np.sqrt(mean((neighbours - mean(neighbours)[:, None]) ** 2))
    alone = (~np.isnan(neighbours)).sum(axis=1) < 2
    return np.where(alone, np.nan, score / np.maximum(spread, SPREAD_FLOOR))


@attack(family="language", paper="Ye et al. 2024, arXiv:2405.11930")
def pac(
    token_logprobs: TokenLogprobs,
    aug_swaps_token_logprobs: CopyLogprobs,
    *,
    most: Share = 0.05,
    least: Share = 0.3,
) -> Scores:
    """Width of the likelihoods of copies with words swapped, less the text's own; nats.

    Width is the mean of the likeliest tokens minus that of the least likely. Training lifts
    the least likely tokens of a text, not those of its copies. The authors named here are
    not verified.

    Args:
        token_logprobs: the target's, (n t).
        aug_swaps_token_logprobs: the target's of copies with random words swapped, (n v s).
        most: share of tokens that are the likeliest, at least one.
        least: share of tokens that are the least likely, at least one.
    """

    def width(logprobs: TokenLogprobs) -> Scores:
        return -lowest(-logprobs, most) - lowest(logprobs, least)

    copies = of_copies(width, aug_swaps_token_logprobs)
    return mean(copies) - width(clipped(token_logprobs))


@attack(family="language", paper="Fu et al. 2024, arXiv:2311.06062")
def spv_mia(
    token_logprobs: TokenLogprobs,
    aug_spans_token_logprobs: CopyLogprobs,
    self_token_logprobs: TokenLogprobs,
    self_aug_spans_token_logprobs: CopyLogprobs,
    *,
    log: bool = False,
) -> Scores:
    """How far the text's probability stands out of its copies', more than for a reference.

    Probability is the geometric mean over tokens; scores lie between -2 and 2. The reference
    is the base model fine-tuned on text that the target wrote itself.

    Args:
        token_logprobs: the target's, (n t).
        aug_spans_token_logprobs: the target's of copies with spans refilled, (n v s).
        self_token_logprobs: the reference's, (n t).
        self_aug_spans_token_logprobs: the reference's of the same copies, (n v s).
        log: log-probabilities instead, in nats per token, which still differ on unlikely texts.
    """
    return _standing_out(token_logprobs, aug_spans_token_logprobs, log) - _standing_out(
        self_token_logprobs, self_aug_spans_token_logprobs, log
    )


@attack(family="language", paper="Fu et al. 2024, arXiv:2311.06062")
def spv_base(
    token_logprobs: TokenLogprobs,
    aug_spans_token_logprobs: CopyLogprobs,
    base_token_logprobs: TokenLogprobs,
    base_aug_spans_token_logprobs: CopyLogprobs,
    *,
    log: bool = False,
) -> Scores:
    """As ``spv_mia``, against the plain base model: nothing is trained. Between -2 and 2.

    Deviation: the paper's reference is fine-tuned on text that the target wrote.

    Args:
        token_logprobs: the target's, (n t).
        aug_spans_token_logprobs: the target's of copies with spans refilled, (n v s).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
        base_aug_spans_token_logprobs: that model's of the same copies, (n v s).
        log: log-probabilities instead, in nats per token, which still differ on unlikely texts.
    """
    return _standing_out(token_logprobs, aug_spans_token_logprobs, log) - _standing_out(
        base_token_logprobs, base_aug_spans_token_logprobs, log
    )


def _standing_out(original: TokenLogprobs, copies: CopyLogprobs, log: bool) -> Scores:
    """The text's probability per token, or its logarithm, above the mean of its copies'."""
    own, theirs = mean(clipped(original)), of_copies(mean, copies)
    return own - mean(theirs) if log else np.exp(own) - mean(np.exp(theirs))
