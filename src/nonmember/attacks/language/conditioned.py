"""A text after other texts, against the text alone. Both are scored on the text's own tokens."""

from typing import Literal

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import LOSS_OFFSET, mean, ratio, together
from nonmember.types import Positive, Scores, TokenLogprobs


@attack(family="language", paper="Xie et al. 2024, arXiv:2406.15968")
def recall(
    token_logprobs: TokenLogprobs,
    prefix_token_logprobs: TokenLogprobs,
    *,
    form: Literal["ratio", "difference"] = "ratio",
) -> Scores:
    """Loss of the text after known non-members over its loss alone; no unit.

    Such a prefix makes what was memorised less likely, and other texts likelier. Both
    losses are taken 1e-10 nats larger, so that a text of certain tokens has a score.

    Args:
        token_logprobs: the target's of the text alone, (n t).
        prefix_token_logprobs: the target's of the same tokens after the prefix, (n t).
        form: ``difference`` of the losses instead, in nats per token.
    """
    alone, after = together(token_logprobs, prefix_token_logprobs)
    if form == "difference":
        return mean(alone) - mean(after)
    return ratio(-mean(after), -mean(alone))


@attack(family="language", paper="Wang et al. 2024, arXiv:2409.03363")
def con_recall(
    token_logprobs: TokenLogprobs,
    prefix_token_logprobs: TokenLogprobs,
    prefix_member_token_logprobs: TokenLogprobs,
    *,
    g: Positive = 0.5,
) -> Scores:
    """As ``recall``, less ``g`` times the loss after known members over the loss alone; no unit.

    Each ``g`` is another attack: fix it before looking at results.

    Args:
        token_logprobs: the target's of the text alone, (n t).
        prefix_token_logprobs: the target's of the same tokens after non-members, (n t).
        prefix_member_token_logprobs: the target's of the same tokens after members, (n t).
        g: weight of what members before the text do to it.
    """
    alone, others, members = (
        -mean(logprobs)
        for logprobs in together(
            token_logprobs, prefix_token_logprobs, prefix_member_token_logprobs
        )
    )
    return (others - g * members) / (alone + LOSS_OFFSET)
