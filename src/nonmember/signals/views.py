"""Altered copies of a classifier's inputs, and what it says of them.

A copy depends on its own input, its number, the options and the seed only, and on the spread
of the inputs that are asked about together where noise is measured by it: every model is
shown the same copies, and the same change stands at the same place for all inputs.
"""

from collections.abc import Callable
from math import ceil
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from jaxtyping import Shaped

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.models.protocols import Classifier, Watch
from nonmember.seeds import generator
from nonmember.signals.catalogue import signal
from nonmember.signals.classes import logits
from nonmember.types import Positive

Kind = Literal["auto", "shift", "noise", "flip_bits"]
Batch = Shaped[np.ndarray, "n ..."]
Alter = Callable[[Batch, int], Batch]
"""Makes the copies of all inputs with a number, from 1."""

NOISE = 0.1  # of the middle deviation, in standard deviations of the inputs
FLIPPED = 0.05  # of the bits, in the middle
LEAST_SHIFTED = 16  # pixels of a side, below which a shift moves the half of what an image shows
LEVELS = (0.5, 1.0, 2.0)  # of the strength, one copy after the other


@signal(
    provides={"aug_logits": "scores", "aug_hits": "label", "aug_votes": "label"},
    queries="views",
    version=2,
)
def view_logits(  # noqa: PLR0913  (what every signal of copies is given, and their kind)
    classifier: Classifier,
    examples: Examples,
    *,
    views: Annotated[int, Ge(2)] = 9,
    kind: Kind = "auto",
    strength: Positive | None = None,
    low: float | None = None,
    high: float | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """What a classifier says of altered copies, after Choquette-Choo et al. 2021.

    ``aug_logits`` (n v c) are the logits of each copy; ``aug_hits`` (n v) is 1 where the
    likeliest class, the first of equal ones, is the true one; ``aug_votes`` (n c) is the share
    of copies of which each class is the likeliest. Copy 0 is the input itself.
    ``shift`` moves images (n h w) or (n c h w) by whole pixels, zeros moving in, in v - 1
    directions spread over all of one Manhattan length; ``noise`` adds Gaussian noise;
    ``flip_bits`` turns over some columns of inputs of 0 and 1. Noise and bits come at half,
    once and twice the strength in turn, drawn once for all inputs. ``auto`` shifts images of
    at least 16 pixels a side, flips bits of other inputs, and adds noise to the rest.

    Args:
        classifier: what is asked.
        examples: n labelled inputs, arrays.
        views: v, the input itself included.
        kind: how copies are made.
        strength: of a shift its length in pixels, by default the least with v - 1 directions;
            of noise in standard deviations, of its column among the examples, or of all
            pixels, by default 0.1; of flipped bits their share, by default 0.05.
        low: least number of an input, below which what noise adds is cut off; by default nothing.
        high: greatest number, likewise.
        seed: of the noise, and of which bits.
        watch: told the inputs done after each call.

    Raises:
        SpecError: the inputs are texts, or cannot be altered in this way.
        ModelError: an answer is not finite.
    """
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray):
        raise SpecError(
            "view_logits: texts have no altered copies here; leave out the attacks on copies"
        )
    alter = _alter(inputs, kind, views, strength, seed)
    altered = (_within(alter(inputs, view), low, high) for view in range(1, views))
    found = np.stack([logits(classifier, one, watch) for one in (inputs, *altered)], axis=1)
    likeliest = found.argmax(axis=2)
    hits = likeliest == examples.labels[:, None]
    votes = np.eye(found.shape[2])[likeliest].mean(axis=1)
    return {
        "aug_logits": found,
        "aug_hits": hits.astype(np.float32),
        "aug_votes": votes.astype(np.float32),
    }


def _within(copies: Batch, low: float | None, high: float | None) -> Batch:
    if low is None and high is None:
        return copies
    return np.clip(copies, low, high).astype(copies.dtype)


def _alter(inputs: Batch, kind: Kind, views: int, strength: float | None, seed: int) -> Alter:
    """What makes the copies, once it is known that they can be made."""
    if kind == "auto":
        large = inputs.ndim > 2 and min(inputs.shape[-2:]) >= LEAST_SHIFTED
        kind = "shift" if large else "flip_bits" if _binary(inputs) else "noise"
    if kind == "shift":
        return _shift(inputs, views, strength)
    if kind == "noise":
        return _noise(inputs, NOISE if strength is None else strength, seed)
    if not _binary(inputs):
        raise SpecError("view_logits: flip_bits is for inputs of 0 and 1; use kind='noise'")
    return _flip(inputs, FLIPPED if strength is None else strength, seed)


def _binary(inputs: Batch) -> bool:
    return inputs.dtype == bool or bool(((inputs == 0) | (inputs == 1)).all())


def _shift(inputs: Batch, views: int, strength: float | None) -> Alter:
    if inputs.ndim not in (3, 4):
        raise SpecError(
            f"view_logits: shift is for images (n h w) or (n c h w), not {inputs.ndim} axes; "
            "use kind='noise'"
        )
    length = ceil((views - 1) / 4) if strength is None else strength
    if length != int(length) or 4 * length < views - 1 or length >= min(inputs.shape[-2:]):
        raise SpecError(
            f"view_logits: images of {inputs.shape[-2:]} have no {views - 1} shifts of "
            f"{length:g} pixels; set strength to a whole number below their size, and views to "
            "at most four times that and 1"
        )
    around = _ring(int(length))
    chosen = [around[number * len(around) // (views - 1)] for number in range(views - 1)]
    return lambda batch, view: _moved(batch, *chosen[view - 1])


def _ring(length: int) -> list[tuple[int, int]]:
    """The shifts (down, right) of a Manhattan length, in the order of their angle."""
    side = [(step, length - step) for step in range(length)]
    quarters = [side]
    for _ in range(3):
        quarters.append([(right, -down) for down, right in quarters[-1]])
    return [shift for quarter in quarters for shift in quarter]


def _moved(images: Batch, down: int, right: int) -> Batch:
    moved = np.zeros_like(images)
    high, wide = images.shape[-2:]
    to, source = (
        (..., slice(max(0, y), high + min(0, y)), slice(max(0, x), wide + min(0, x)))
        for y, x in ((down, right), (-down, -right))
    )
    moved[to] = images[source]
    return moved


def _noise(inputs: Batch, strength: float, seed: int) -> Alter:
    if inputs.dtype == bool:
        raise SpecError("view_logits: noise is for numbers, not for bits; use kind='flip_bits'")
    axes = 0 if inputs.ndim == 2 else None
    spread = np.std(inputs, axis=axes, dtype=float) if len(inputs) else 0.0

    def alter(batch: Batch, view: int) -> Batch:
        drawn = generator(seed, "noise", view).standard_normal(batch.shape[1:])
        found = batch + LEVELS[(view - 1) % 3] * strength * spread * drawn
        if batch.dtype.kind in "iu":
            ends = np.iinfo(batch.dtype)
            found = np.clip(np.rint(found), ends.min, ends.max)
        return found.astype(batch.dtype)

    return alter


def _flip(inputs: Batch, strength: float, seed: int) -> Alter:
    if strength > 0.5:
        raise SpecError(
            f"view_logits: strength={strength:g} turns over up to twice that share of the bits; "
            "set at most 0.5"
        )
    width = int(np.prod(inputs.shape[1:]))

    def alter(batch: Batch, view: int) -> Batch:
        count = max(1, round(LEVELS[(view - 1) % 3] * strength * width))
        places = generator(seed, "bits", view).permutation(width)[:count]
        found = batch.reshape(len(batch), width).copy()
        found[:, places] = 1 - found[:, places].astype(np.int8)
        return found.reshape(batch.shape)

    return alter
