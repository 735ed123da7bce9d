"""Inputs that differ by hardly anything, and what a classifier says of each.

Whoever answers equal inputs alike, by drawing from the input itself, draws anew for these.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge
from jaxtyping import Shaped

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.models.protocols import Classifier, Watch
from nonmember.seeds import generator
from nonmember.signals.catalogue import signal
from nonmember.signals.classes import logits

STEPS = 255  # quanta of the inputs' range

Batch = Shaped[np.ndarray, "n ..."]


@signal(provides={"jitter_logits": "scores"}, queries="views")
def jitter_logits(
    classifier: Classifier,
    examples: Examples,
    *,
    views: Annotated[int, Ge(1)] = 16,
    low: float | None = None,
    high: float | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Logits (n v c) of an input and of v - 1 copies, one number of each moved by one quantum.

    A quantum is 1/255 of the range, and at least 1 where inputs are whole numbers. Which number
    moves, and which way, is drawn once for all inputs; it moves the other way where it would
    leave the range. No number moves twice before each has moved, then by two quanta, and so on.
    Of inputs of true and false one is turned over.

    Args:
        classifier: what is asked.
        examples: n labelled inputs, arrays.
        views: v, the input itself, which comes first, included.
        low: least number of an input; by default the examples' least.
        high: greatest number; by default the examples' greatest.
        seed: of which numbers move, and which way.
        watch: told the inputs done after each call.

    Raises:
        SpecError: the inputs are texts, or lie outside the range.
        ModelError: an answer is not finite.
    """
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray):
        raise SpecError(
            "jitter_logits: no number of a text can be moved; leave out the attack by repeated "
            "queries"
        )
    least, most = _range(inputs, low, high)
    found = [logits(classifier, inputs, watch)]
    for view in range(1, views):
        found.append(logits(classifier, _moved(inputs, view, least, most, seed), watch))
    return {"jitter_logits": np.stack(found, axis=1)}


def _range(inputs: Batch, low: float | None, high: float | None) -> tuple[float, float]:
    ends = (float(inputs.min()), float(inputs.max())) if inputs.size else (0.0, 0.0)
    least, most = ends[0] if low is None else low, ends[1] if high is None else high
    if inputs.size and (ends[0] < least or ends[1] > most):
        raise SpecError(
            f"jitter_logits: inputs from {ends[0]:g} to {ends[1]:g} are not between low={low} and "
            f"high={high}; set low and high so that all inputs are"
        )
    return least, most


def _moved(inputs: Batch, view: int, least: float, most: float, seed: int) -> Batch:
    """The copies with a number, from 1."""
    found = inputs.reshape(len(inputs), int(np.prod(inputs.shape[1:]))).copy()
    size = found.shape[1]
    rng = generator(seed, "jitter", (view - 1) // size)
    place, upward = rng.permutation(size)[(view - 1) % size], rng.random(size)[(view - 1) % size]
    if inputs.dtype == bool:
        found[:, place] = ~found[:, place]
        return found.reshape(inputs.shape)
    quantum = (most - least) / STEPS
    if inputs.dtype.kind in "iu":
        quantum = max(1.0, round(quantum))
    step = quantum * (1 + (view - 1) // size) * (1 if upward < 0.5 else -1)
    old = found[:, place].astype(float)
    new = np.where((old + step < least) | (old + step > most), old - step, old + step)
    found[:, place] = np.clip(new, least, most).astype(inputs.dtype)
    return found.reshape(inputs.shape)
