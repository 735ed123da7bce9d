"""How well a classifier's students do, epoch by epoch, and how well it does itself."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import log_softmax

from nonmember.data.examples import Examples
from nonmember.errors import ModelError, SpecError
from nonmember.models.protocols import Classifier, Watch
from nonmember.signals.catalogue import signal
from nonmember.signals.classes import logits


@signal(provides={"trajectory": "scores"})
def loss_trajectory(
    classifier: Classifier,
    examples: Examples,
    students: Sequence[Classifier],
    *,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Cross-entropy (n e), in nats, of each student and, last, of the classifier itself.

    Students are one network after each epoch of its distillation from the classifier, on
    data that is none of the examples (Liu et al. 2022).

    Args:
        classifier: what was distilled.
        examples: n labelled inputs.
        students: e - 1 classifiers, in the order of their epochs.
        watch: told the inputs done after each call.

    Raises:
        SpecError: there are no students.
        ModelError: an answer is not finite, or has no class for a label.
    """
    if not students:
        raise SpecError(
            "loss_trajectory: no students were distilled; distil some, or leave out the attack"
        )
    found = [
        _cross_entropy(logits(one, examples.inputs, watch), examples.labels)
        for one in (*students, classifier)
    ]
    return {"trajectory": np.stack(found, axis=1)}


def _cross_entropy(answers: Float[np.ndarray, "n c"], labels: np.ndarray) -> Float[np.ndarray, "n"]:
    if len(labels) and labels.max() >= answers.shape[1]:
        raise ModelError(
            f"loss_trajectory: label {labels.max()} of a model of {answers.shape[1]} classes; "
            "distil students of the classes that the labels name"
        )
    logp = log_softmax(answers.astype(float), axis=1)
    return -logp[np.arange(len(labels)), labels].astype(np.float32)
