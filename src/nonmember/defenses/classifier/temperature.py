"""One temperature for all answers: the likeliest class stays, how sure it is does not."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Float32
from scipy.optimize import brentq

from nonmember.defenses.classifier.answers import keeping, refuse_unfit, softmax
from nonmember.defenses.registry import defense
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.protocols import Classifier
from nonmember.signals.classes import logits as ask
from nonmember.types import Inputs, Labels, Logits

LEAST, MOST = 1e-2, 1e2


@dataclass(frozen=True)
class Tempered:
    """A ``Classifier`` whose logits are divided by a temperature."""

    classifier: Classifier
    temperature: float
    label_preserving: ClassVar[bool] = True

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs, in the order of the classifier's own.

        Raises:
            ModelError: as for the classifier.
        """
        found = ask(self.classifier, inputs)
        return keeping(found.astype(np.float64) / self.temperature, found.argmax(axis=1))


@defense(family="classifier", stage="inference", paper="Guo et al. 2017, arXiv:1706.04599")
def temperature(
    classifier: Classifier,
    calibration: Calibration,
    *,
    temperature: Annotated[float, Ge(LEAST), Le(MOST)] | None = None,
) -> Tempered:
    """Divide all logits by one temperature; above 1 the classifier seems less sure.

    Fitted, it is the one with the least cross-entropy on examples that were not trained on, so
    that probabilities mean what they say. Scores keep nearly all that they tell of membership.

    Args:
        classifier: what answers.
        calibration: the ``non_members`` fit the temperature.
        temperature: 0.01 to 100; None: fitted, within the same bounds.

    Raises:
        DataError: it is to be fitted and there are no non-members, or one's label is no class.
        ModelError: an answer about these is not finite.
    """
    if temperature is not None:
        return Tempered(classifier, temperature)
    refuse_unfit("temperature", classifier.classes, non_members=calibration.non_members)
    others = calibration.non_members

    def fit() -> Arrays:
        best = fitted(ask(classifier, others.inputs), others.labels)
        return {"temperature": np.array(best)}

    return Tempered(classifier, float(calibration.remember("temperature", fit)["temperature"]))


def fitted(logits: Logits, labels: Labels) -> float:
    """The temperature from 0.01 to 100 with the least mean cross-entropy, which has one minimum.

    The slope of it along 1 / temperature is the mean logit less the true class's own.
    """
    wide = logits.astype(np.float64)
    wide -= wide[np.arange(len(labels)), labels][:, None]

    def slope(inverse: float) -> float:
        return float((softmax(inverse * wide) * wide).sum(axis=1).mean())

    if slope(1 / LEAST) <= 0:
        return LEAST
    if slope(1 / MOST) >= 0:
        return MOST
    return 1 / float(brentq(slope, 1 / MOST, 1 / LEAST))
