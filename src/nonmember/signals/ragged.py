"""Arithmetic on ragged rows: what is NaN is not there, and counts for nothing."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int

from nonmember.types import LOGPROB_FLOOR, CopyLogprobs, Scores, TokenLogprobs

LOSS_OFFSET = 1e-10  # nats added to both losses of a ratio, for texts of certain tokens


def clipped(logprobs: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "n t"]:
    """Log-probabilities in float64, impossible tokens at the floor of -10,000 nats."""
    return np.maximum(np.asarray(logprobs, dtype=float), LOGPROB_FLOOR)


def together(*logprobs: TokenLogprobs) -> tuple[TokenLogprobs, ...]:
    """These arrays clipped, each NaN where any of them is: the same tokens on every side."""
    arrays = [clipped(one) for one in logprobs]
    unscored = np.isnan(arrays).any(axis=0)
    return tuple(np.where(unscored, np.nan, array) for array in arrays)


def mean(values: Float[np.ndarray, "n t"]) -> Scores:
    """Mean over each row's valid entries; NaN for a row that has none."""
    valid = ~np.isnan(values)
    counts = valid.sum(axis=1)
    sums = np.where(valid, values, 0.0).sum(axis=1, dtype=float)
    return np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)


def ratio(loss: Scores, reference: Scores) -> Scores:
    """One loss over another, both in nats; exactly 1 where they are equal, and always finite."""
    return (loss + LOSS_OFFSET) / (reference + LOSS_OFFSET)


def lowest(values: Float[np.ndarray, "n t"], k: float) -> Scores:
    """Mean of each row's ``max(1, floor(k T))`` smallest valid entries; NaN where T is 0."""
    ranked = np.sort(values, axis=1)  # NaN sorts last
    kept = np.arange(values.shape[1]) < _count(values, k)[:, None]
    return mean(np.where(kept, ranked, np.nan))


def among_lowest(values: Float[np.ndarray, "n t"], k: float) -> Bool[np.ndarray, "n t"]:
    """Which entries are no larger than the ``max(1, floor(k T))``-th smallest of their row."""
    if values.shape[1] == 0:
        return np.zeros(values.shape, dtype=bool)
    last = (_count(values, k) - 1)[:, None]
    return values <= np.take_along_axis(np.sort(values, axis=1), last, axis=1)


def _count(values: Float[np.ndarray, "n t"], k: float) -> Int[np.ndarray, "n"]:
    """How many entries are a share ``k`` of each row's valid ones; at least one."""
    lengths = (~np.isnan(values)).sum(axis=1)
    return np.maximum(1, np.floor(k * lengths + 1e-9)).astype(int)


def of_copies(
    function: Callable[[TokenLogprobs], Scores], logprobs: CopyLogprobs
) -> Float[np.ndarray, "n v"]:
    """A function of a text's log-probabilities, of each of its copies; NaN for a missing one."""
    rows, copies, _ = logprobs.shape  # one copy at a time: in float64 they would be large
    found = [function(clipped(logprobs[:, copy])) for copy in range(copies)]
    return np.array(found).reshape(copies, rows).T


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
