"""HAMP's part at test time: another input's confidences, in the order of this one's."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nonmember.data.examples import Examples
from nonmember.defenses.registry import defense
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.fence.keyed import Span, draws, ranging
from nonmember.models.protocols import Classifier
from nonmember.signals.classes import logits as ask
from nonmember.types import Inputs, Logits

Batch = Shaped[np.ndarray, "n ..."]
End = Float64[np.ndarray, "*d"]

BITS = 53  # of a keyed draw


@dataclass(frozen=True)
class Exchanged:
    """A ``Classifier`` that hands out its logits of a random input, in the order of the true one.

    ``low`` and ``high`` are what random inputs lie between, of an input's shape or of none; they
    are whole numbers where ``whole`` is true.
    What is drawn depends on an input and on ``secret``, which nobody else may have.
    """

    classifier: Classifier
    low: End
    high: End
    whole: bool
    shape: tuple[int, ...]
    secret: bytes
    label_preserving: ClassVar[bool] = True

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs: their order is the inputs' own, nothing else is.

        Raises:
            ModelError: the inputs are texts, or of another form than those it was set by; or as
                for the classifier.
        """
        if not isinstance(inputs, np.ndarray) or inputs.shape[1:] != self.shape:
            raise ModelError(
                f"hamp_output: it draws inputs in the shape {self.shape} and is given others; "
                "give arrays as in calibration"
            )
        other = random_inputs(inputs, self.low, self.high, self.secret, whole=self.whole)
        both = ask(self.classifier, np.concatenate([inputs, other]))
        return exchanged(both[: len(inputs)], both[len(inputs) :])


@defense(
    family="classifier", stage="inference", paper="Chen and Pattabiraman 2024, arXiv:2307.01610"
)
def hamp_output(classifier: Classifier, calibration: Calibration) -> Exchanged:
    """Answer with the sorted logits of a random input, in the order of the classes.

    The label and the whole ranking stay, and confidence tells nothing, of membership or of
    anything else. A random input is uniform over the range of the calibration's: of each column
    of a table, of all pixels of images. Whole numbers stay whole, and 0 and 1 become coins.
    Deviation: the same input is given the same random one, and so is one that rounds to the same
    of 255 steps of the range, so that asking again is no use. Where classes tie in a random
    input's answer, they are parted by the least that can be told.

    Args:
        classifier: what answers.
        calibration: whose inputs say what the range is; its ``secret`` keys what is drawn.

    Raises:
        DataError: there is no example at all, or they are of more than one shape.
        SpecError: the inputs are texts.
    """
    sides = (calibration.members, calibration.non_members, calibration.public)
    arrays = _arrays([one for one in sides if len(one)])

    def fit() -> Arrays:
        low, high = map(np.asarray, ranging(arrays))
        return {"low": low, "high": high, "whole": np.array(all(map(_whole, arrays)))}

    made = calibration.remember("hamp_output", fit)
    low, high, whole = made["low"], made["high"], bool(made["whole"])
    return Exchanged(classifier, low, high, whole, arrays[0].shape[1:], calibration.secret)


def random_inputs(inputs: Batch, low: End, high: End, secret: bytes, *, whole: bool) -> Batch:
    """One for each of n inputs, uniform from ``low`` to ``high``, of the type of the inputs."""
    found = np.empty(inputs.shape, dtype=inputs.dtype)
    for row, draw in zip(found, draws(secret, "hamp", inputs, Span(low, high)), strict=True):
        rng = np.random.Generator(np.random.Philox(key=int(draw * 2**BITS)))
        uniform = rng.random(inputs.shape[1:])
        row[...] = (
            np.floor(low + uniform * (high - low + 1)) if whole else low + uniform * (high - low)
        )
    return found


def exchanged(own: Logits, other: Logits) -> Float32[np.ndarray, "n c"]:
    """The values of ``other``, row by row, in the order of ``own``; of equal ones the first is up.

    Equal values are parted upwards, one number after the other, as else the label could be lost.
    """
    values = -np.sort(-other, axis=1).astype(np.float32)
    for place in range(values.shape[1] - 2, -1, -1):
        above = np.nextafter(values[:, place + 1], np.float32(np.inf))
        values[:, place] = np.maximum(values[:, place], above)
    found = np.empty_like(values)
    np.put_along_axis(found, np.argsort(-own, axis=1, kind="stable"), values, axis=1)
    return found


def _arrays(sides: list[Examples]) -> list[np.ndarray]:
    arrays = [one.inputs for one in sides if isinstance(one.inputs, np.ndarray)]
    if len(arrays) < len(sides):
        raise SpecError("hamp_output: inputs are texts, and none is drawn at random; leave it out")
    if len({one.shape[1:] for one in arrays}) != 1:
        raise DataError(
            f"hamp_output: calibration has inputs of {len({one.shape[1:] for one in arrays})} "
            "shapes; give some, all of one shape"
        )
    return arrays


def _whole(inputs: Batch) -> bool:
    """Whether inputs are of a type of whole numbers, or 0 and 1 in all places."""
    return inputs.dtype.kind != "f" or bool(((inputs == 0) | (inputs == 1)).all())
