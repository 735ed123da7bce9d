"""What a classifier answers: the logits of labelled inputs."""

import numpy as np
from jaxtyping import Float

from nonmember.data.examples import Examples
from nonmember.errors import ModelError
from nonmember.models.protocols import Classifier, Watch
from nonmember.signals.catalogue import signal
from nonmember.types import Inputs

AT_ONCE = 2048  # inputs of one call; a classifier may split them further


@signal(provides={"logits": "scores", "hit": "label"})
def class_logits(
    classifier: Classifier, examples: Examples, *, watch: Watch | None = None
) -> dict[str, np.ndarray]:
    """What a classifier answers, and whether its likeliest class is the true one.

    Logits (n c) of every class, float32, log-probabilities where a model gives only these; and
    1 or 0, (n,), of equal classes the first counting as the likeliest.

    Args:
        classifier: what is asked.
        examples: n labelled inputs.
        watch: told the inputs done after each call.

    Raises:
        ModelError: the answers are no finite number for each input and class.
    """
    found = logits(classifier, examples.inputs, watch)
    return {"logits": found, "hit": (found.argmax(axis=1) == examples.labels).astype(np.float32)}


def logits(
    classifier: Classifier, inputs: Inputs, watch: Watch | None = None
) -> Float[np.ndarray, "n c"]:
    """What a classifier answers to these inputs, asked in blocks.

    Raises:
        ModelError: the answers are no finite number for each input and class.
    """
    found = [np.zeros((0, classifier.classes), dtype=np.float32)]
    for start in range(0, len(inputs), AT_ONCE):
        block = inputs[start : start + AT_ONCE]
        found.append(_sound(classifier.logits(block), len(block), classifier.classes, start))
        if watch:
            watch(len(block))
    return np.concatenate(found)


def _sound(answer: np.ndarray, count: int, classes: int, start: int) -> Float[np.ndarray, "n c"]:
    """The answer, if it has a finite number for each input and class."""
    if answer.shape != (count, classes):
        raise ModelError(
            f"classifier: logits of shape {answer.shape} for {count} inputs and {classes} classes; "
            "let it answer one row for each input, one number for each class"
        )
    bad = np.flatnonzero(~np.isfinite(answer).all(axis=1))
    if len(bad):
        raise ModelError(
            f"classifier: its answer to input {start + int(bad[0]) + 1} is not finite; mend the "
            "model, or leave out the input"
        )
    return np.asarray(answer, dtype=np.float32)
