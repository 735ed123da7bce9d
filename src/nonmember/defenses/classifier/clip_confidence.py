"""Confidence within the bounds that inputs never trained on have it in."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Float32

from nonmember.defenses.classifier.answers import keeping, refuse_unfit, told
from nonmember.defenses.registry import defense
from nonmember.errors import SpecError
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.fence.select import log_odds
from nonmember.models.protocols import Classifier
from nonmember.signals.classes import logits as ask
from nonmember.types import Inputs

Quantile = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class Clipped:
    """A ``Classifier`` whose likeliest class has log odds from ``low`` to ``high``, nats."""

    classifier: Classifier
    low: float
    high: float
    label_preserving: ClassVar[bool] = True

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs; only that of the likeliest class is another.

        Raises:
            ModelError: as for the classifier.
        """
        found = ask(self.classifier, inputs)
        odds, rows, label = log_odds(found), np.arange(len(found)), found.argmax(axis=1)
        wide = found.astype(np.float64)
        wide[rows, label] += np.clip(odds, self.low, self.high) - odds
        return keeping(wide, label)


@defense(family="classifier", stage="inference", paper="Shokri et al. 2017, arXiv:1610.05820")
def clip_confidence(
    classifier: Classifier,
    calibration: Calibration,
    *,
    low: Quantile = 0.1,
    high: Quantile = 0.5,
) -> Clipped:
    """Clip the log odds of the likeliest class; the others keep their proportions.

    The bounds are quantiles over examples that were not trained on. Where a label would be lost
    below the upper bound, its class stays the first by the least that can be told. Deviation:
    these authors coarsen probabilities to few digits; this leaves what lies inside alone.

    Args:
        classifier: what answers.
        calibration: of the ``non_members`` the log odds are taken.
        low: quantile that is the lower bound, 0 to 1; at 0 and 1 nothing usual is clipped.
        high: quantile that is the upper bound, ``low`` or more.

    Raises:
        SpecError: ``low`` is above ``high``.
        DataError: there are no non-members, or one's label is no class.
        ModelError: an answer about these is not finite.
    """
    if low > high:
        raise SpecError(f"clip_confidence: low={low} is above high={high}; exchange them")
    refuse_unfit("clip_confidence", classifier.classes, non_members=calibration.non_members)

    def fit() -> Arrays:
        odds = log_odds(ask(classifier, calibration.non_members.inputs))
        return {"bounds": np.quantile(odds, [low, high])}

    made = calibration.remember(told("clip_confidence", low=low, high=high), fit)
    return Clipped(classifier, *made["bounds"].tolist())
