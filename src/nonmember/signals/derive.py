"""Quantities computed from signals already fetched. Pure; never touch a model.

The functions in ``DERIVED`` are signals too: their positional parameters name what they
are derived from, as an attack's name what it needs.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from nonmember.signals.context import context_features
from nonmember.signals.ragged import clipped, mean
from nonmember.signals.similarity import label_similarity
from nonmember.types import (
    CopyGain,
    CopyLogprobs,
    Gain,
    Texts,
    TokenLogprobs,
    TokenMoments,
    ZlibLength,
)


def zlib_length(texts: Texts) -> ZlibLength:
    """Bytes of each text's UTF-8 form after zlib at its default level; 8 for an empty text."""
    return np.array([len(zlib.compress(text.encode())) for text in texts], dtype=np.int64)


def token_entropy(token_mean_logprob: TokenMoments) -> TokenMoments:
    """Entropy of the next-token distribution at each position, in nats."""
    return -token_mean_logprob


def gain(token_logprobs: TokenLogprobs, base_token_logprobs: TokenLogprobs) -> Gain:
    """Mean log-probability that a text gained over the base model, in nats per token."""
    return mean(clipped(token_logprobs) - clipped(base_token_logprobs))


def copy_gain(logprobs: CopyLogprobs, base_logprobs: CopyLogprobs) -> CopyGain:
    """The same of each of its copies; NaN where a copy is missing."""
    views = range(logprobs.shape[1])  # one at a time: in float64 all would be large
    found = [gain(logprobs[:, view], base_logprobs[:, view]) for view in views]
    return np.array(found, dtype=float).reshape(len(views), len(logprobs)).T


def rewrite_gain(
    aug_rewrites_token_logprobs: CopyLogprobs, base_aug_rewrites_token_logprobs: CopyLogprobs
) -> CopyGain:
    """Mean log-probability that each rewrite gained over the base model, in nats per token."""
    return copy_gain(aug_rewrites_token_logprobs, base_aug_rewrites_token_logprobs)


DERIVED: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        zlib_length,
        token_entropy,
        gain,
        rewrite_gain,
        context_features,
        label_similarity,
    )
}
