"""Quantities computed from signals already fetched. Pure; never touch a model.

The functions in ``DERIVED`` are signals too: their positional parameters name what they
are derived from, as an attack's name what it needs.
"""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from nonmember.types import Scores, Texts, TokenLogprobs, TokenMoments, ZlibLength

LOGPROB_FLOOR = -1e4


def zlib_length(texts: Texts) -> ZlibLength:
    """Bytes of each text's UTF-8 form after zlib at its default level; 8 for an empty text."""
    return np.array([len(zlib.compress(text.encode())) for text in texts], dtype=np.int64)


def token_entropy(token_mean_logprob: TokenMoments) -> TokenMoments:
    """Entropy of the next-token distribution at each position, in nats."""
    return -token_mean_logprob


DERIVED: dict[str, Callable[..., Any]] = {
    function.__name__: function for function in (zlib_length, token_entropy)
}


def clipped(logprobs: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "n t"]:
    """Log-probabilities in float64, impossible tokens at the floor of -10,000 nats."""
    return np.maximum(np.asarray(logprobs, dtype=float), LOGPROB_FLOOR)


def mean(values: Float[np.ndarray, "n t"]) -> Scores:
    """Mean over each row's valid entries; NaN for a row that has none."""
    valid = ~np.isnan(values)
    counts = valid.sum(axis=1)
    sums = np.where(valid, values, 0.0).sum(axis=1, dtype=float)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def lowest(values: Float[np.ndarray, "n t"], k: float) -> Scores:
    """Mean of each row's ``max(1, floor(k T))`` smallest valid entries; NaN where T is 0."""
    lengths = (~np.isnan(values)).sum(axis=1)
    kept = np.maximum(1, np.floor(k * lengths + 1e-9))
    ranked = np.sort(values, axis=1)  # NaN sorts last
    return mean(np.where(np.arange(values.shape[1]) < kept[:, None], ranked, np.nan))


def windows_of(
    values: TokenLogprobs, width: int
) -> tuple[Float[np.ndarray, "n t"], Int[np.ndarray, "n"]]:
    """Sums over sliding windows, and the width each row used: ``width``, or T where shorter.

    Entry (i, j) is the sum over the window beginning at the j-th scored token; NaN where it
    would pass the last one. Unscored tokens in the midst of a text are closed up.
    """
    unscored = np.isnan(values)
    tokens = np.take_along_axis(values, np.argsort(unscored, axis=1, kind="stable"), axis=1)
    total = np.pad(np.nancumsum(tokens, axis=1, dtype=float), ((0, 0), (1, 0)))
    lengths = (~unscored).sum(axis=1)
    used = np.clip(lengths, 1, width)
    ends = np.arange(values.shape[1]) + used[:, None]
    last = np.minimum(ends, values.shape[1])
    sums = np.take_along_axis(total, last, axis=1) - total[:, :-1]
    return np.where(ends <= lengths[:, None], sums, np.nan), used
