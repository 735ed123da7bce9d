"""How a classifier is trained: values only, part of the address of what they produce."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from nonmember.errors import SpecError
from nonmember.training.objectives import EntropySoft, Objective, RelaxLoss


@dataclass(frozen=True)
class ClassifierRecipe:
    """Settings of a classifier's training; the loss is the mean cross-entropy of a batch, in nats.

    ``objective`` is what is minimised instead; None: that loss.

    ``momentum`` is that of ``sgd`` and unused otherwise. Under ``cosine`` the learning rate falls
    from its full value to nearly 0 over all updates of the run. ``noise`` is the standard
    deviation of Gaussian noise on the inputs, new in each update; ``flip`` mirrors each image
    left to right with probability one half, ``crop`` shifts it by up to so many pixels either way
    along both axes, filled with zeros. ``hold_back`` is the share of a model's records, drawn by
    its seed, that it is not trained on but watched on: the weights after the epoch of the lowest
    cross-entropy there are the result.

    Raises:
        SpecError: a setting with which nothing can be trained, or not as it says.
    """

    epochs: int = 100
    batch_size: int = 64
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: Literal["cosine", "constant"] = "cosine"
    noise: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    crop: int = 0
    hold_back: float = 0.0
    objective: Objective | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        rate = self.learning_rate
        self._need("learning_rate", rate > 0 and isfinite(rate), "more than 0, and finite")
        for name in ("weight_decay", "noise", "crop"):
            value = getattr(self, name)
            self._need(name, value >= 0 and isfinite(value), "0 or more, and finite")
        for name in ("momentum", "label_smoothing", "hold_back"):
            self._need(name, 0 <= getattr(self, name) < 1, "0 or more, and less than 1")
        hard = isinstance(self.objective, RelaxLoss | EntropySoft)
        kind = type(self.objective).__name__
        self._need("label_smoothing", not (hard and self.label_smoothing), f"0 with {kind}")

    def trained(self, rows: int) -> int:
        """How many of so many records a model is trained on; at least one other is held back."""
        return rows - max(1, int(self.hold_back * rows)) if self.hold_back else rows

    def aimed(self, objective: Objective) -> "ClassifierRecipe":
        """The same for another objective.

        Raises:
            SpecError: it has another one already, or a setting that does not go with this one.
        """
        if self.objective not in (None, objective):
            had, new = type(self.objective).__name__, type(objective).__name__
            raise SpecError(
                f"recipe: it has the objective {had} already, and {new} would take its place; give "
                "one defense that changes what training minimises"
            )
        return replace(self, objective=objective)

    def _need(self, name: str, met: bool, remedy: str) -> None:
        if not met:
            raise SpecError(f"recipe: {name} = {getattr(self, name)}; give {remedy}")
