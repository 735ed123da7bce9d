"""How likely the target finds a text, or its least likely tokens, and little else."""

from typing import Literal

import numpy as np
from jaxtyping import Bool

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import (
    among_lowest,
    clipped,
    lowest,
    mean,
    of_copies,
    ratio,
    windows_of,
)
from nonmember.types import (
    CopyLogprobs,
    Count,
    Positive,
    Scores,
    Share,
    Texts,
    TokenFrequency,
    TokenIds,
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


@attack(family="language", paper="Carlini et al. 2021, arXiv:2012.07805")
def lowercase(
    token_logprobs: TokenLogprobs,
    aug_lowercase_token_logprobs: CopyLogprobs,
    texts: Texts,
    *,
    form: Literal["ratio", "difference"] = "ratio",
) -> Scores:
    """Loss of the text in lower case over its loss as it is; no unit, 1 if it has no capitals.

    That 1 is exact: such texts tie, whatever rounding would make of a copy of them. Both
    losses are taken 1e-10 nats larger, so that a text of certain tokens has a score.

    Args:
        token_logprobs: the target's, (n t).
        aug_lowercase_token_logprobs: the target's of the text in lower case, (n 1 s); of one
            without capitals not looked at.
        texts: as they were scored, n.
        form: ``difference`` of the losses instead, in nats per token; 0 without capitals.
    """
    lowered = -mean(of_copies(mean, aug_lowercase_token_logprobs))
    original = -mean(clipped(token_logprobs))
    difference = form == "difference"
    score = lowered - original if difference else ratio(lowered, original)
    small = np.array([text == text.lower() for text in texts], dtype=bool)
    return np.where(small & ~np.isnan(original), 0.0 if difference else 1.0, score)


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
    standard = (clipped(token_logprobs) - token_mean_logprob) / _scale(token_std_logprob)
    return lowest(standard if clip is None else np.clip(standard, -clip, clip), k)


@attack(family="language", paper="Zhang & Wu 2024, arXiv:2407.21248")
def surp(
    token_logprobs: TokenLogprobs,
    token_entropy: TokenMoments,
    *,
    k: Share = 0.4,
    e: Positive = 2.0,
    unsurprised: Literal["zero", "nan"] = "zero",
) -> Scores:
    """Mean log-probability of tokens that surprise a model sure of itself, in nats per token.

    Those are the least likely share of the text where the model's entropy is low. The
    defaults are those of a published benchmark; the paper tunes them.

    Args:
        token_logprobs: the target's, (n t).
        token_entropy: of its next-token distributions, in nats, (n t).
        k: share of tokens among the least likely; all that equal the last are in.
        e: entropy, in nats, below which the model is sure.
        unsurprised: texts without such a token score 0, the highest there is, or ``nan``.
    """
    logprobs = clipped(token_logprobs)
    surprising = among_lowest(logprobs, k) & (token_entropy < e)
    score = mean(np.where(surprising, logprobs, np.nan))
    if unsurprised == "zero":
        score[~surprising.any(axis=1) & ~np.isnan(logprobs).all(axis=1)] = 0.0
    return score


@attack(family="language", paper="Kwak & Kim 2026, arXiv:2601.19936")
def gap_k(
    token_logprobs: TokenLogprobs,
    token_top_logprob: TokenLogprobs,
    token_std_logprob: TokenMoments,
    *,
    w: Count = 3,
    k: Share = 0.2,
    scale: Literal["sigma", "none"] = "sigma",
) -> Scores:
    """Mean gap to the likeliest token where it is widest, in standard deviations; at most 0.

    Gaps are averaged over neighbouring tokens, then the lowest share of these means is kept.

    Args:
        token_logprobs: the target's, (n t).
        token_top_logprob: log-probability of its likeliest token, (n t).
        token_std_logprob: the standard deviation of log p(v) for v drawn from p, (n t).
        w: tokens averaged; texts with fewer are not smoothed.
        k: share of the means kept, at least one.
        scale: ``none`` leaves the gaps in nats.
    """
    gap = clipped(token_logprobs) - clipped(token_top_logprob)
    if scale == "sigma":
        gap = gap / _scale(token_std_logprob)
    sums, width = windows_of(gap, w)
    return lowest(np.where(width[:, None] < w, gap, sums / w), k)


@attack(family="language", paper="Zhang et al. 2024, arXiv:2409.14781")
def dc_pdd(
    token_logprobs: TokenLogprobs,
    token_ids: TokenIds,
    token_frequency: TokenFrequency,
    *,
    a: Positive = 0.01,
    first_only: bool = True,
) -> Scores:
    """Mean of probability times rarity in a reference corpus, in nats, none counted above ``a``.

    Rarity is log(1 / frequency). At the default ``a`` all tokens likelier than about one in a
    thousand count the same. The number of the paper is not verified.

    Args:
        token_logprobs: the target's, (n t).
        token_ids: which tokens they are, (n t).
        token_frequency: (count + 1) / (N + V) of each in a corpus under the same tokenizer, (n t).
        a: most that a token may count for, in nats.
        first_only: count a token only where it first occurs in the text.
    """
    surprise = np.exp(clipped(token_logprobs)) * -np.log(token_frequency, dtype=float)
    counted = np.minimum(surprise, a)
    return mean(np.where(_first(token_ids), counted, np.nan) if first_only else counted)


def _first(ids: TokenIds) -> Bool[np.ndarray, "n t"]:
    """Where each row has a value for the first time."""
    order = np.argsort(ids, axis=1, kind="stable")
    ranked = np.take_along_axis(ids, order, axis=1)
    new = np.ones(ids.shape, dtype=bool)
    new[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.empty_like(new)
    np.put_along_axis(first, order, new, axis=1)
    return first


def _scale(std: TokenMoments) -> TokenMoments:
    """A standard deviation to divide by, in float64: where the model is certain, not 0."""
    return np.sqrt(np.maximum(np.square(std, dtype=float), VARIANCE_FLOOR))


def _likelihood(token_logprobs: TokenLogprobs, reduction: Literal["mean", "sum"]) -> Scores:
    """Log-likelihood of each text, per token or in all."""
    per_token = mean(clipped(token_logprobs))
    tokens = (~np.isnan(token_logprobs)).sum(axis=1)
    return per_token * tokens if reduction == "sum" else per_token
