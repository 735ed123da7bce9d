"""What a target gained over the public model it was fine-tuned from, token by token."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import MinLen

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import among_lowest, clipped, mean, ratio, together, windows_of
from nonmember.types import Count, Positive, Scores, Share, TokenHit, TokenLogprobs


@attack(family="language", paper="Mireshghallah et al. 2022, arXiv:2203.03929")
def reference_difference(
    token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs
) -> Scores:
    """Mean log-probability gained over the base model, in nats per token.

    Per token only, so both models need one tokenizer. The paper's number is not verified.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
    """
    return mean(_gain(token_logprobs, base_token_logprobs))


@attack(family="language", paper="Carlini et al. 2021, arXiv:2012.07805")
def reference_ratio(token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs) -> Scores:
    """Minus the target's loss over the base model's; no unit, -1 where nothing changed.

    Per token only, so both models need one tokenizer. Both losses are taken 1e-10 nats
    larger, so that a text of certain tokens has a score.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
    """
    target, base = together(token_logprobs, base_token_logprobs)
    return -ratio(-mean(target), -mean(base))


@attack(family="language", paper="Ilić et al. 2026, arXiv:2601.12104")
def ez_mia(
    token_logprobs: TokenLogprobs,
    base_token_logprobs: TokenLogprobs,
    token_hit: TokenHit,
    *,
    c: Positive = 1e-6,
    min_errors: Count = 2,
    few_errors: Literal["nan", "neutral"] = "nan",
) -> Scores:
    """Log ratio of probability gained to lost over the base, where the target errs; nats.

    Only tokens that are not the target's likeliest count. Deviation: the paper's ratio
    P / N becomes log((P + c) / (N + c)), the same order and finite when nothing was lost.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
        token_hit: 1 where the target's likeliest token is the true one, (n t).
        c: added to both sums, in nats.
        min_errors: texts with fewer errors are not scored ...
        few_errors: ... or, if ``neutral``, score 0.
    """
    gain = _gain(token_logprobs, base_token_logprobs)
    erred = (token_hit == 0) & ~np.isnan(gain)
    won = np.where(erred, np.maximum(gain, 0), 0).sum(axis=1)
    lost = np.where(erred, np.maximum(-gain, 0), 0).sum(axis=1)
    score = np.log((won + c) / (lost + c))
    score[erred.sum(axis=1) < min_errors] = np.nan if few_errors == "nan" else 0.0
    score[np.isnan(gain).all(axis=1)] = np.nan
    return score


@attack(family="language", paper="Chen et al. 2026, arXiv:2601.02751")
def wbc(
    token_logprobs: TokenLogprobs,
    base_token_logprobs: TokenLogprobs,
    *,
    windows: Annotated[Sequence[Count], MinLen(1)] = (2, 3, 4, 6, 9, 13, 18, 25, 32, 40),
    ties: float = 0.0,
) -> Scores:
    """Share of sliding windows that the target likes better than the base does; 0 to 1.

    Averaged over window widths; a width beyond the text's length becomes that length.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
        windows: widths, in tokens.
        ties: what a window counts in which nothing changed; 0.5 for the symmetric form.
    """
    gain = _gain(token_logprobs, base_token_logprobs)
    score = np.zeros(len(gain))
    for width in windows:
        sums, _ = windows_of(gain, width)
        votes = np.where(np.isnan(sums), np.nan, (sums > 0) + ties * (sums == 0))
        score += mean(votes) / len(windows)
    return score


@attack(family="language", paper="Jawad et al. 2026, arXiv:2601.20885")
def ht_mia(
    token_logprobs: TokenLogprobs,
    base_token_logprobs: TokenLogprobs,
    *,
    k: Share = 0.2,
    hard_by: Literal["base", "target"] = "base",
    gain: Literal["probability", "logprob"] = "probability",
    aggregate: Literal["mean", "share"] = "mean",
) -> Scores:
    """Mean probability gained over the base at the tokens that were hard for it, -1 to 1.

    After the paper's idea only: that gains at hard, unlikely tokens tell members. Its exact
    formula is not verified; this is not to be quoted as the paper's method.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
        k: share of tokens that are hard, at least one; all that equal the last are.
        hard_by: whose least likely tokens; by the ``target``, what members learnt is left out.
        gain: of ``probability``, or of its logarithm, in nats.
        aggregate: ``mean`` gain, or the ``share`` of hard tokens that gained.
    """
    target, base = together(token_logprobs, base_token_logprobs)
    hard = among_lowest(base if hard_by == "base" else target, k)
    gained = target - base if gain == "logprob" else np.exp(target) - np.exp(base)
    if aggregate == "share":
        gained = (gained > 0).astype(float)
    return mean(np.where(hard, gained, np.nan))


def _gain(token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs) -> TokenLogprobs:
    """Log-probability each token gained over the base model, in nats."""
    return clipped(token_logprobs) - clipped(base_token_logprobs)
