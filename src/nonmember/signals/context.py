"""What CAMIA reads from a text's log-probabilities and from those of its repetitions.

Every feature is turned beforehand so that larger means likelier member; no label is looked at
(Chang et al. 2025, arXiv:2409.13745). What is memorised is predicted well, by its own context
and evenly, so that

* ``mean``, ``perplexity``, ``above`` (-1, -2, -3 nats): larger log-probabilities, up;
  perplexity, down;
* ``above_own_mean``, ``above_past_mean``: a few hard tokens among many easy ones, up;
* ``distinct``, and the mean and the perplexity divided by it: a text that repeats itself is
  easy for anyone, so diversity, up;
* ``phrases`` of Lempel and Ziv: an even sequence has few, down;
* ``change``: a repetition helps little with what is known already, so each of the above at
  the first copy minus itself at a later one, up;
* ``slope`` and ``irregularity`` over the copies in a row: for the same reason, both down.
"""

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from nonmember.signals.ragged import clipped, mean
from nonmember.types import Features, RepeatLogprobs, Scores, TokenIds, TokenLogprobs

CUTS: dict[str, int | None] = {"all": None, "200": 200, "300": 300}
THRESHOLDS = (-1, -2, -3)
BINS = (3, 4, 5)
SHORT = 200
LONG = (600, 800, 1000)
RUN, TOLERANCE = 8, 0.8
"""Tokens in a run of the approximate entropy, and how far alike ones are apart at most, in sd."""

LATER = (1, 2)
ROWS_AT_ONCE = 500
CLEARLY = 1e-9  # nats; so that rounding puts no token above a mean that it equals
MOST_EXPONENT = 600.0  # keeps a perplexity, and what it is divided to, finite
NEVER = np.uint16(65535)

_PER_CUT = (
    "mean",
    "perplexity",
    "above_own_mean",
    "above_past_mean",
    "distinct",
    "mean_per_distinct",
    "perplexity_per_distinct",
)
_OF_TEXT = (
    *(f"{name}_{cut}" for cut in CUTS for name in _PER_CUT),
    *(f"above_{-nats}" for nats in THRESHOLDS),
    *(f"phrases_{bins}" for bins in BINS),
)
_CHANGING = tuple(name for name in _OF_TEXT if not name.startswith("distinct"))
FEATURES = (
    *_OF_TEXT,
    *(f"{name}_change_{copy}" for copy in LATER for name in _CHANGING),
    *(f"{name}_{cut}" for name in ("slope", "irregularity") for cut in LONG),
)
"""The names of the columns, in order."""


def context_features(
    token_logprobs: TokenLogprobs, token_ids: TokenIds, repeat_token_logprobs: RepeatLogprobs
) -> Features:
    """CAMIA's features, named in ``FEATURES``; NaN where a text has too few tokens for one.

    Larger = likelier member throughout. Deviations: counts are shares, so that they do not
    measure length, and no token is left out at the end.

    Args:
        token_logprobs: the target's, (n t).
        token_ids: the vocabulary numbers of the same tokens, (n t).
        repeat_token_logprobs: of the tokens of each repetition, the first one first, (n v t).
    """
    found = np.full((len(token_logprobs), len(FEATURES)), np.nan)
    for start in range(0, len(found), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        parts = token_logprobs[rows], token_ids[rows], repeat_token_logprobs[rows]
        found[rows] = np.column_stack(_features(*parts))
    return found


def _features(
    logprobs: TokenLogprobs, ids: TokenIds, repeats: RepeatLogprobs
) -> list[Float[np.ndarray, "n"]]:
    """The columns of a few texts."""
    unscored = np.isnan(logprobs)
    diversity = _diversity(_closed(np.where(unscored, np.nan, ids)))
    own = _of_text(_closed(clipped(logprobs)), diversity)
    first, *later = (_of_copy(repeats, copy, diversity) for copy in (0, *LATER))
    changes = [first[name] - copy[name] for copy in later for name in _CHANGING]
    row = _closed(clipped(repeats.reshape(len(repeats), repeats.shape[1] * repeats.shape[2])))
    return [
        *own.values(),
        *changes,
        *(-_slope(row[:, :cut]) for cut in LONG),
        *(-approximate_entropy(row[:, :cut]) for cut in LONG),
    ]


def _closed(values: Float[np.ndarray, "n t"]) -> Float[np.ndarray, "n t"]:
    """Each row's valid entries side by side."""
    order = np.argsort(np.isnan(values), axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1)


def _of_copy(repeats: RepeatLogprobs, copy: int, diversity: dict[str, Scores]) -> dict[str, Scores]:
    """What a text alone gives, of one of its repetitions; NaN where there are not so many."""
    if copy >= repeats.shape[1]:
        return dict.fromkeys(_OF_TEXT, np.full(len(repeats), np.nan))
    return _of_text(_closed(clipped(repeats[:, copy])), diversity)


def _of_text(logprobs: TokenLogprobs, diversity: dict[str, Scores]) -> dict[str, Scores]:
    """The features of one sequence per row, turned, by name."""
    columns: list[Scores] = []
    past = _above(logprobs[:, 1:], _past_means(logprobs))
    for cut, most in CUTS.items():
        centre = mean(logprobs[:, :most])
        perplexity = np.exp(np.minimum(-centre, MOST_EXPONENT))
        columns += [
            centre,
            -perplexity,
            mean(_above(logprobs[:, :most], centre[:, None])),
            mean(past[:, : None if most is None else most - 1]),
            diversity[cut],
            centre / diversity[cut],
            -perplexity / diversity[cut],
        ]
    beginning = logprobs[:, :SHORT]
    columns += [mean(np.where(np.isnan(beginning), np.nan, beginning >= x)) for x in THRESHOLDS]
    columns += [-phrase_rate(beginning, bins) for bins in BINS]
    return dict(zip(_OF_TEXT, columns, strict=True))


def _above(
    values: Float[np.ndarray, "n t"], level: Float[np.ndarray, "n #t"]
) -> Float[np.ndarray, "n t"]:
    """1 where a valid entry clearly exceeds the level, 0 where not."""
    return np.where(np.isnan(values), np.nan, values - level > CLEARLY)


def _past_means(logprobs: TokenLogprobs) -> Float[np.ndarray, "n p"]:
    """The mean of all tokens before the second, the third, ..."""
    sums = np.cumsum(logprobs, axis=1)[:, :-1]
    return sums / np.arange(1, sums.shape[1] + 1)


def _diversity(ids: TokenIds) -> dict[str, Scores]:
    """Share of distinct ids among the tokens within each cut."""
    return {cut: _distinct(ids[:, :most]) for cut, most in CUTS.items()}


def _distinct(ids: TokenIds) -> Scores:
    ranked = np.sort(ids, axis=1)
    new = np.diff(ranked, axis=1, prepend=-1.0) != 0
    return mean(np.where(np.isnan(ranked), np.nan, new))


def phrase_rate(values: Float[np.ndarray, "n t"], bins: int) -> Scores:
    """Lempel and Ziv's phrases per token of each row, its values put into equally wide bins.

    A phrase is the shortest run not met before (the parsing of 1978); a last one that has
    been met does not count. All rows take a step together.
    """
    lengths = (~np.isnan(values)).sum(axis=1)
    symbols = _binned(values, bins)
    rows, width = symbols.shape
    tree = np.zeros((rows * (width + 1), bins), dtype=np.int32)  # a node's children; 0 = none
    root = np.arange(rows) * (width + 1)
    node, count = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    for step in range(width):
        symbol = symbols[:, step]
        child = tree[root + node, symbol]
        new = (child == 0) & (step < lengths)
        count += new
        tree[(root + node)[new], symbol[new]] = count[new]
        node = np.where(new, 0, child)
    return np.divide(count, lengths, out=np.full(rows, np.nan), where=lengths > 0)


def _binned(values: Float[np.ndarray, "n t"], bins: int) -> Int[np.ndarray, "n t"]:
    """The number of the bin of each entry, between its row's extremes; 0 for a missing one."""
    valid = ~np.isnan(values)
    low = np.min(np.where(valid, values, np.inf), axis=1, initial=np.inf, keepdims=True)
    high = np.max(np.where(valid, values, -np.inf), axis=1, initial=-np.inf, keepdims=True)
    width = np.where(high > low, high - low, 1.0)
    share = np.where(valid, values - np.where(valid, low, 0.0), 0.0) / width
    return np.clip(np.floor(share * bins), 0, bins - 1).astype(np.int64)


def _slope(values: Float[np.ndarray, "n t"]) -> Scores:
    """Least-squares slope of each row over its positions, per token."""
    place = np.where(np.isnan(values), np.nan, np.arange(values.shape[1]))
    away = place - mean(place)[:, None]
    spread = mean(away**2)
    covariance = mean(away * (values - mean(values)[:, None]))
    return np.divide(covariance, spread, out=np.full(len(values), np.nan), where=spread > 0)


def approximate_entropy(values: Float[np.ndarray, "n t"]) -> Scores:
    """Approximate entropy of each row (Pincus 1991), in nats; 0 for an even or periodic one.

    How much rarer runs of nine tokens that are alike are than runs of eight; NaN for a row of
    fewer than ten tokens. The entries of a row must stand side by side.
    """
    lengths = (~np.isnan(values)).sum(axis=1)
    found = np.full(len(values), np.nan)
    for row in np.flatnonzero(lengths > RUN + 1):
        near = _near(values[row, : lengths[row]])
        two = near[:-1] & near[1:]
        four = two[:-2] & two[2:]
        eight = four[:-4] & four[4:]
        found[row] = _log_share(eight) - _log_share(eight[:-1] & near[RUN:])
    return found


def _near(values: Float[np.ndarray, "t"]) -> UInt8[np.ndarray, "t w"]:
    """Bit g of row i: is the token g after i, counted round and round, like i?

    Between the end and the beginning stands one that is like none, so that no run of bits
    goes round. By ranks: the tokens like i are those of a range of ranks.
    """
    order = np.argsort(values, kind="stable")
    ranked, reach = values[order], TOLERANCE * values.std()
    rank = np.empty(len(values), dtype=np.uint16)
    rank[order] = np.arange(len(values))
    low = np.searchsorted(ranked, values - reach, "left").astype(np.uint16)
    high = np.searchsorted(ranked, values + reach, "right").astype(np.uint16)
    round_twice = np.tile(np.append(rank, NEVER), 2)
    after = np.lib.stride_tricks.sliding_window_view(round_twice, len(values) + 1)[: len(values)]
    near: Bool[np.ndarray, "t g"] = after - low[:, None] < (high - low)[:, None]  # wraps below 0
    return np.packbits(near, axis=1)


def _log_share(alike: UInt8[np.ndarray, "r w"]) -> float:
    """Mean log share of runs that are like each run; each is like itself."""
    count = np.bitwise_count(alike).sum(axis=1, dtype=np.int64)
    return float(np.log(count / len(alike)).mean())
