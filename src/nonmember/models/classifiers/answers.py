"""What a target answers, checked and made logits of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32

from nonmember.errors import ModelError
from nonmember.types import Inputs, Logits

Ask: TypeAlias = Callable[[Inputs], np.ndarray]
"""From n inputs to what the model gives for them, an array whose first axis is n."""

Gives: TypeAlias = Literal["logits", "probabilities"]

SLACK = 1e-3  # that probabilities may miss one by: files round them
LEAST = float(np.finfo(np.float32).tiny)
"""What a probability of zero counts as: so small that no two others are made equal."""
TELLING = 32  # answers between 0 and 1 that can be no accident


@dataclass(frozen=True)
class Target:
    """A ``Classifier``: something that can be asked, and the form of what it gives."""

    name: str
    ask: Ask
    gives: Gives
    classes: int

    def logits(self, inputs: Inputs) -> Float32[np.ndarray, "n c"]:
        """Logits (n c), float32; log-probabilities where the model gives probabilities.

        Raises:
            ModelError: the inputs have another form than it takes, or its answers are no
                finite logits, or no probabilities, of as many classes as before.
        """
        found = logits_of(self.name, self.ask(inputs), len(inputs), self.gives)
        if found.shape[1] != self.classes:
            raise ModelError(
                f"{self.name}: gives {found.shape[1]} classes now and gave {self.classes} before; "
                "let it give the same for every input"
            )
        return found


def target(name: str, ask: Ask, first: Inputs, gives: Gives | None = None) -> Target:
    """A target after its first questions, which show its classes and, if not told, what it gives.

    Answers that are nowhere negative and sum to one in every row are probabilities.

    Raises:
        ModelError: as for ``Target.logits``; or one output from which it cannot be told.
    """
    answers = ask(first)
    told = gives or _told(name, answers)
    return Target(name, ask, told, logits_of(name, answers, len(first), told).shape[1])


def logits_of(name: str, answers: np.ndarray, rows: int, gives: Gives) -> Logits:
    """Logits (n c) of a model's answers; one output counts for the second of two classes.

    Raises:
        ModelError: they have another form, or are not finite, or no probabilities.
    """
    if answers.ndim != 2 or len(answers) != rows or answers.dtype.kind not in "fiu":
        raise ModelError(
            f"{name}: answers {answers.dtype} in shape {answers.shape} for {rows} inputs; "
            "let it give a number for every class of every input, (inputs classes)"
        )
    if not answers.shape[1]:
        raise ModelError(f"{name}: gives no class at all; a classifier has at least 2")
    wide = answers.astype(np.float64)
    _finite(name, wide, gives)
    if wide.shape[1] == 1:
        wide = np.hstack([1 - wide if gives == "probabilities" else np.zeros_like(wide), wide])
    if gives == "probabilities":
        _distribution(name, wide)
        wide = np.log(np.maximum(wide, LEAST))
    return wide.astype(np.float32)


def _finite(name: str, answers: Float[np.ndarray, "n c"], gives: Gives) -> None:
    bad = ~(np.abs(answers) <= np.finfo(np.float32).max)
    if bad.any():
        row, place = np.argwhere(bad)[0]
        raise ModelError(
            f"{name}: its {gives} for input {row + 1} hold {answers[row, place]}, which is not "
            "finite; mend the model, or leave that input out"
        )


def _distribution(name: str, given: Float[np.ndarray, "n c"]) -> None:
    sums = given.sum(axis=1)
    bad = (given < 0).any(axis=1) | (np.abs(sums - 1) > SLACK)
    if not bad.any():
        return
    row = int(bad.argmax())
    what = f"sum to {sums[row]:.6g}"
    if (given[row] < 0).any():
        what = f"hold {given[row].min():.6g}, which is negative"
    raise ModelError(
        f"{name}: its probabilities for input {row + 1} {what}; "
        "give one probability per class, summing to 1"
    )


def _told(name: str, answers: np.ndarray) -> Gives:
    inside = answers.ndim == 2 and bool((answers >= 0).all() and (answers <= 1).all())
    if inside and answers.shape[1] == 1 and len(answers) >= TELLING:
        raise ModelError(
            f"{name}: its one output lies between 0 and 1 for all of {len(answers)} inputs, so it "
            "may be a logit or a probability; let it give both classes, or end in nn.Sigmoid"
        )
    if inside and answers.shape[1] > 1 and bool((np.abs(answers.sum(axis=1) - 1) <= SLACK).all()):
        return "probabilities"
    return "logits"
