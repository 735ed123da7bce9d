"""Attacks on causal language models. Token arrays are NaN past the end of each text.

Larger scores mean likelier members. A text with nothing to score gets NaN, never 0.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from annotated_types import MinLen

from nonmember.attacks.registry import attack
from nonmember.signals.derive import clipped, lowest, mean, windows_of
from nonmember.types import (
    Count,
    Positive,
    Scores,
    Share,
    TokenHit,
    TokenLogprobs,
    TokenMoments,
    ZlibLength,
)

VARIANCE_FLOOR = 1e-8


@attack(family="language", paper="Yeom et al. 2018, arXiv:1709.01604")
def loss(token_logprobs: TokenLogprobs, *, reduction: Literal["mean", "sum"] = "mean") -> Scores:
    """Mean log-probability of the text, in nats per token: members are fitted.

    Args:
        token_logprobs: the target's, (n t).
        reduction: ``sum`` gives nats per text, which favours short texts.
    """
    return _likelihood(token_logprobs, reduction)


@attack(family="language", paper="Carlini et al. 2021, arXiv:2012.07805")
def zlib(
    token_logprobs: TokenLogprobs,
    zlib_length: ZlibLength,
    *,
    numerator: Literal["mean", "sum"] = "mean",
) -> Scores:
    """Log-probability per byte that zlib needs, in nats per token and byte.

    Args:
        token_logprobs: the target's, (n t).
        zlib_length: bytes of the compressed text, (n,).
        numerator: ``mean`` over tokens, or their ``sum``.
    """
    return _likelihood(token_logprobs, numerator) / zlib_length


@attack(family="language", paper="Mireshghallah et al. 2022, arXiv:2203.03929")
def reference_difference(
    token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs
) -> Scores:
    """Mean log-probability gained over the base model, in nats per token.

    Args:
        token_logprobs: the target's, (n t).
        base_token_logprobs: those of the model it was fine-tuned from, (n t).
    """
    return mean(_gain(token_logprobs, base_token_logprobs))


@attack(family="language", paper="Shi et al. 2024, arXiv:2310.16789")
def min_k(
    token_logprobs: TokenLogprobs, *, k: Share = 0.2, window: Count = 1, stride: Count = 1
) -> Scores:
    """Mean log-probability of the least likely share of tokens, in nats per token.

    Unseen text has surprising outliers; trained-on text does not. At least one token is kept.

    Args:
        token_logprobs: the target's, (n t).
        k: share of tokens kept.
        window: tokens averaged before the lowest are taken.
        stride: tokens between the beginnings of windows.
    """
    if window == 1 and stride == 1:
        return lowest(clipped(token_logprobs), k)
    sums, width = windows_of(clipped(token_logprobs), window)
    return lowest((sums / width[:, None])[:, ::stride], k)


@attack(family="language", paper="Zhang et al. 2024, arXiv:2404.02936")
def min_k_plus_plus(
    token_logprobs: TokenLogprobs,
    token_mean_logprob: TokenMoments,
    token_std_logprob: TokenMoments,
    *,
    k: Share = 0.2,
    clip: Positive | None = None,
) -> Scores:
    """As ``min_k``, each token standardised under the model's own distribution there; no unit.

    Args:
        token_logprobs: the target's, (n t).
        token_mean_logprob: E[log p(v)] for v drawn from p at each position, (n t).
        token_std_logprob: the standard deviation of log p(v) there, (n t).
        k: share of tokens kept.
        clip: largest deviation, either way, that a token may count for.
    """
    scale = np.sqrt(np.maximum(np.square(token_std_logprob, dtype=float), VARIANCE_FLOOR))
    standard = (clipped(token_logprobs) - token_mean_logprob) / scale
    return lowest(standard if clip is None else np.clip(standard, -clip, clip), k)


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


def _gain(token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs) -> TokenLogprobs:
    """Log-probability each token gained over the base model, in nats."""
    return clipped(token_logprobs) - clipped(base_token_logprobs)


def _likelihood(token_logprobs: TokenLogprobs, reduction: Literal["mean", "sum"]) -> Scores:
    """Log-likelihood of each text, per token or in all."""
    per_token = mean(clipped(token_logprobs))
    tokens = (~np.isnan(token_logprobs)).sum(axis=1)
    return per_token * tokens if reduction == "sum" else per_token
