"""Quantities computed from signals already fetched. Pure; never touch a model.

The functions in ``DERIVED`` are signals too: their positional parameters name what they
are derived from, as an attack's name what it needs.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from nonmember.signals.context import context_features
from nonmember.signals.similarity import label_similarity
from nonmember.types import Texts, TokenMoments, ZlibLength


def zlib_length(texts: Texts) -> ZlibLength:
    """Bytes of each text's UTF-8 form after zlib at its default level; 8 for an empty text."""
    return np.array([len(zlib.compress(text.encode())) for text in texts], dtype=np.int64)


def token_entropy(token_mean_logprob: TokenMoments) -> TokenMoments:
    """Entropy of the next-token distribution at each position, in nats."""
    return -token_mean_logprob


DERIVED: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (zlib_length, token_entropy, context_features, label_similarity)
}
