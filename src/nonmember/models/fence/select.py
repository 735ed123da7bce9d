"""One answer out of those to the copies of an input: pure functions of logits.

``answers`` (n v c) are logits of v copies of each of n inputs, and ``labels`` (n,) the classes
that the classifier gives the inputs themselves. Of equal logits the first counts.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from nonmember.types import Labels, Logits

Selector: TypeAlias = Literal["s3", "s1", "s2", "mean", "majority"]
"""How an answer is chosen: s1 and s2 by an interval, s3 at random, or all copies together."""

CopyLogits = Float[np.ndarray, "n v c"]
"""Logits of v copies of each of n inputs, none of which is the input itself."""

Moved = Bool[np.ndarray, "n v"]
"""Whether a copy is another input than the one it was made of."""

Kept = Bool[np.ndarray, "n v"]
"""Whether a copy has the label of its input, and is another."""

Draws = Float64[np.ndarray, "n"]
"""A number for each input, at least 0 and below 1."""

Confidence = Float64[np.ndarray, "n v"]
"""Log odds of the likeliest class, nats; infinite for a copy that is not kept."""

LARGEST = float(np.finfo(np.float64).max)
HIGHEST = float(np.nextafter(np.finfo(np.float32).max, np.float32(0)))
"""Of an answer: there is one float32 above it, for a label that is to stand first."""

QUANTUM = 2.0**-12
"""To which logits are rounded, so that answers which differ by float noise are equal."""


@dataclass(frozen=True)
class Chosen:
    """An answer for each of n inputs, as far as there is one.

    ``label`` is what stands first in ``logits``, before they are rounded; ``found`` says where
    a copy could be chosen, and ``inside`` where it is in the interval, if there is one.
    """

    logits: Logits
    label: Labels
    found: Bool[np.ndarray, "n"]
    inside: Bool[np.ndarray, "n"]


def log_odds(logits: Float[np.ndarray, "... c"]) -> Float64[np.ndarray, "..."]:
    """Log odds of the likeliest class against all others, nats; finite for finite logits."""
    wide = logits.astype(np.float64)
    top = wide.argmax(axis=-1)[..., None]
    first = np.take_along_axis(wide, top, axis=-1)
    np.put_along_axis(wide, top, -np.inf, axis=-1)
    second = wide.max(axis=-1, keepdims=True)
    rest = np.log(np.exp(wide - second).sum(axis=-1))
    return (first - second)[..., 0] - rest


def keeping(answers: CopyLogits, labels: Labels, moved: Moved) -> Kept:
    """Which copies have the label of their input; what is the input itself counts for none."""
    return (answers.argmax(axis=2) == labels[:, None]) & moved


def confidence(answers: CopyLogits, kept: Kept) -> Confidence:
    """The log odds of the copies that keep the label."""
    return np.where(kept, log_odds(answers), np.inf)


def nearest(odds: Confidence, low: float, high: float) -> Int[np.ndarray, "n"]:
    """The first copy inside the interval, or else the nearest to it; 0 where none is kept."""
    start, end = max(low, -LARGEST), min(high, LARGEST)  # finite: a lost label is infinitely far
    return np.maximum(np.maximum(start - odds, odds - end), 0).argmin(axis=1)


def by_interval(answers: CopyLogits, labels: Labels, kept: Kept, low: float, high: float) -> Chosen:
    """S1 and S2: the first copy that keeps the label with log odds from ``low`` to ``high``.

    Where there is none, the nearest of those that keep the label.
    """
    odds = confidence(answers, kept)
    places, rows = nearest(odds, low, high), np.arange(len(odds))
    taken, found = odds[rows, places], kept.max(axis=1)
    inside = found & (low <= taken) & (taken <= high)
    return Chosen(answers[rows, places], labels, found, inside)


def by_draw(answers: CopyLogits, labels: Labels, kept: Kept, draws: Draws) -> Chosen:
    """S3: one of the copies that keep the label, each as likely as the other."""
    wanted = np.floor(draws * kept.sum(axis=1)) + 1
    places = (kept.cumsum(axis=1) == wanted[:, None]).argmax(axis=1)
    found = kept.max(axis=1)
    return Chosen(answers[np.arange(len(kept)), places], labels, found, found)


def mean(answers: CopyLogits, moved: Moved) -> Chosen:
    """The log of the mean probabilities of all copies, whatever label they have."""
    logits, found = _log_mean(answers, moved), moved.max(axis=1)
    return Chosen(logits, logits.argmax(axis=1), found, found)


def majority(answers: CopyLogits, labels: Labels, moved: Moved) -> Chosen:
    """The same of the copies with the commonest label: the input's own or the first of a tie."""
    given, found = answers.argmax(axis=2), moved.max(axis=1)
    each = (given[:, :, None] == np.arange(answers.shape[2])) & moved[:, :, None]
    votes = each.sum(axis=1)
    own = np.take_along_axis(votes, labels[:, None], axis=1)[:, 0] == votes.max(axis=1)
    commonest = np.where(own, labels, votes.argmax(axis=1))
    among = (given == commonest[:, None]) & moved
    return Chosen(_log_mean(answers, among), commonest, found, found)


def rounded(logits: Logits, label: Labels) -> Float[np.ndarray, "n c"]:
    """Logits in whole quanta, float32, in which ``label`` is still the first of the largest."""
    wide = np.rint(logits.astype(np.float64) / QUANTUM) * QUANTUM
    rows = np.arange(len(wide))
    found = np.clip(wide, -HIGHEST, HIGHEST).astype(np.float32)
    lost = found.argmax(axis=1) != label
    best = found.max(axis=1)
    above = np.maximum(best + np.float32(QUANTUM), np.nextafter(best, np.float32(np.inf)))
    found[rows[lost], label[lost]] = above[lost]
    return found


def _log_mean(answers: CopyLogits, among: Kept) -> Float64[np.ndarray, "n c"]:
    """Of some copies; of all where there are none, for what is not found."""
    among = among | ~among.any(axis=1, keepdims=True)
    wide = answers.astype(np.float64)
    wide -= wide.max(axis=2, keepdims=True)
    wide -= np.log(np.exp(wide).sum(axis=2, keepdims=True))
    wide[~among] = -np.inf
    largest = wide.max(axis=1, keepdims=True)
    summed = np.log(np.exp(wide - largest).sum(axis=1)) + largest[:, 0]
    return summed - np.log(among.sum(axis=1))[:, None]
