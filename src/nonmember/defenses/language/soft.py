"""SOFT: train on rewrites of the records that give themselves away, on the others as they are."""

import numpy as np

from nonmember.defenses.language.roles import RAW, REWRITE, Exposure, Ratio, Roles, most_exposed
from nonmember.defenses.registry import defense, selector
from nonmember.signals.ragged import clipped, mean, together
from nonmember.types import Texts, TokenLogprobs


@defense(
    family="language", stage="data", paper="Zhang et al. 2025, arXiv:2506.10424", rewrites=True
)
def soft(exposure: Exposure, *, ratio: Ratio = 0.5) -> Roles:
    """Rewrite the most exposed records: ``floor(ratio * n)`` of them, the rest stays raw.

    A ratio of 0 is the undefended training; one of 1 rewrites all, whatever the exposure.
    The paper takes the loss under a briefly fine-tuned model for exposure, lowest first
    (``lowest_loss``). Deviation: selected once, before training, not anew in every epoch.

    Args:
        exposure: of each record, (n,); larger is more exposed, NaN is rewritten last. Ties
            go to the earlier position, in the order that callers give: audits and
            ``protect`` give records by the digests of their contents.
        ratio: the share of records to rewrite, 0 to 1.

    Raises:
        SpecError: ``ratio`` is no share.
    """
    return np.where(most_exposed(exposure, ratio, "soft"), REWRITE, RAW).astype(np.int8)


@selector
def lowest_loss(token_logprobs: TokenLogprobs) -> Exposure:
    """Minus the mean loss under the warm-up model, nats per token: SOFT's own selection.

    Args:
        token_logprobs: the warm-up model's, nats, (n t); NaN where not scored.
    """
    return mean(clipped(token_logprobs))


@selector
def loss_drop(token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs) -> Exposure:
    """Mean loss under the base minus that under the warm-up model, nats per token.

    Unlike the lowest loss it passes over texts that the base already found easy.

    Args:
        token_logprobs: the warm-up model's, nats, (n t); NaN where not scored.
        base_token_logprobs: the base's for the same tokens, (n t).
    """
    tuned, base = together(token_logprobs, base_token_logprobs)
    return mean(tuned - base)


@selector
def highest_loss(token_logprobs: TokenLogprobs) -> Exposure:
    """Mean loss under the warm-up model, nats per token: the control that chooses the wrong end.

    Args:
        token_logprobs: the warm-up model's, nats, (n t); NaN where not scored.
    """
    return -mean(clipped(token_logprobs))


@selector
def random(texts: Texts, *, seed: int = 0) -> Exposure:
    """Uniform draws: the control that tells whether it matters which records are chosen.

    Args:
        texts: the records, n of them; only their number counts.
        seed: of the draws.
    """
    return np.random.default_rng(seed).random(len(texts))
