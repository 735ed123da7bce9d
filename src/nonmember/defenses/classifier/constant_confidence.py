"""The label alone, with a confidence that is the same whenever that label is given."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float32, Float64

from nonmember.defenses.classifier.answers import refuse_unfit, told
from nonmember.defenses.registry import defense
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.protocols import Classifier
from nonmember.signals.classes import logits as ask
from nonmember.types import Count, Inputs, Labels

AHEAD = 1e-6  # nats, of a label that is right no oftener than by chance


@dataclass(frozen=True)
class Labelled:
    """A ``Classifier`` that tells its label, and how often that label is right.

    ``shares`` (c,) are how often each label is, above 0 and below 1.
    """

    classifier: Classifier
    shares: Float64[np.ndarray, "c"]
    label_preserving: ClassVar[bool] = True

    @property
    def classes(self) -> int:
        """How many classes it knows."""
        return self.classifier.classes

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs: 0 but for the label, which is ahead.

        Raises:
            ModelError: as for the classifier.
        """
        label = ask(self.classifier, inputs).argmax(axis=1)
        odds = np.log(self.shares) - np.log1p(-self.shares) + np.log(self.classes - 1)
        found = np.zeros((len(label), self.classes), dtype=np.float32)
        found[np.arange(len(label)), label] = np.maximum(odds, AHEAD)[label]
        return found


@defense(
    family="classifier",
    stage="inference",
    paper="Choquette-Choo et al. 2021, arXiv:2007.14321",
)
def constant_confidence(
    classifier: Classifier, calibration: Calibration, *, prior: Count = 20
) -> Labelled:
    """Answer with the label alone: its probability is how often it is right, the rest is even.

    What a classifier without scores tells, as these authors attack it, in the form of one with
    scores: every attack on these becomes one on the label. The confidence is that of examples
    that were not trained on. A label that is right less often than 1 in c stays 1e-6 nats ahead.

    Args:
        classifier: what answers.
        calibration: the ``non_members`` say how often each label is right.
        prior: how many more examples each label is given, of the accuracy over all labels: a
            label that is seldom given leans on the others.

    Raises:
        DataError: there are no non-members, or one's label is no class.
        ModelError: an answer about these is not finite.
    """
    refuse_unfit("constant_confidence", classifier.classes, non_members=calibration.non_members)
    others = calibration.non_members

    def fit() -> Arrays:
        label = ask(classifier, others.inputs).argmax(axis=1)
        return {"shares": shares(label, others.labels, classifier.classes, prior)}

    made = calibration.remember(told("constant_confidence", prior=prior), fit)
    return Labelled(classifier, made["shares"])


def shares(given: Labels, true: Labels, classes: int, prior: int) -> Float64[np.ndarray, "c"]:
    """How often each label that is given is right; over all, as if right and wrong once more."""
    right = given == true
    overall = (right.sum() + 1) / (len(right) + 2)
    hits, counts = (
        np.bincount(given, weights=weights, minlength=classes) for weights in (right, None)
    )
    return (hits + prior * overall) / (counts + prior)
