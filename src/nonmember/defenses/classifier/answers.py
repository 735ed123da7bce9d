"""What defenses that change an answer have in common: asking, and keeping the label."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64

from nonmember.data.examples import Examples
from nonmember.errors import DataError
from nonmember.types import Labels

LARGEST = float(np.finfo(np.float32).max) / 2
"""Beyond this no logit is given, so that the next number after it is finite too."""


def keeping(logits: Float[np.ndarray, "n c"], label: Labels) -> Float32[np.ndarray, "n c"]:
    """Logits, float32, in which ``label`` is the first of the largest, whatever was rounded."""
    found = np.clip(logits, -LARGEST, LARGEST).astype(np.float32)
    lost = np.flatnonzero(found.argmax(axis=1) != label)
    found[lost, label[lost]] = np.nextafter(found[lost].max(axis=1), np.float32(np.inf))
    return found


def softmax(logits: Float[np.ndarray, "n c"]) -> Float64[np.ndarray, "n c"]:
    """Probabilities, float64: what is next to nothing is not nothing."""
    wide = logits.astype(np.float64)
    odds = np.exp(wide - wide.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def refuse_unfit(name: str, classes: int, **sides: Examples) -> None:
    """Refuse examples that nothing can be set by, before any is asked about.

    Raises:
        DataError: there are none of a side, or one has a label that is no class.
    """
    for side, examples in sides.items():
        what = f"{name}: calibration.{side}"
        if not len(examples):
            raise DataError(f"{what} is empty; set some examples aside for calibration")
        if examples.labels.max() >= classes:
            raise DataError(
                f"{what} has the label {examples.labels.max()} and the classifier the classes 0 to "
                f"{classes - 1}; give examples of its classes"
            )


def told(name: str, **options: Any) -> str:
    """How what is fitted is remembered: the defense and what it was fitted with."""
    return " ".join([name, *(f"{option}={value!r}" for option, value in options.items())])
