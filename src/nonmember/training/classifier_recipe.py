"""How a classifier is trained: values only, part of the address of what they produce."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from nonmember.errors import SpecError


@dataclass(frozen=True)
class ClassifierRecipe:
    """Settings of a classifier's training; the loss is the mean cross-entropy of a batch, in nats.

    ``momentum`` is that of ``sgd`` and unused otherwise. Under ``cosine`` the learning rate falls
    from its full value to nearly 0 over all updates of the run. ``noise`` is the standard
    deviation of Gaussian noise on the inputs, new in each update; ``flip`` mirrors each image
    left to right with probability one half, ``crop`` shifts it by up to so many pixels either way
    along both axes, filled with zeros.

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

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        rate = self.learning_rate
        self._need("learning_rate", rate > 0 and isfinite(rate), "more than 0, and finite")
        for name in ("weight_decay", "noise", "crop"):
            value = getattr(self, name)
            self._need(name, value >= 0 and isfinite(value), "0 or more, and finite")
        for name in ("momentum", "label_smoothing"):
            self._need(name, 0 <= getattr(self, name) < 1, "0 or more, and less than 1")

    def _need(self, name: str, met: bool, remedy: str) -> None:
        if not met:
            raise SpecError(f"recipe: {name} = {getattr(self, name)}; give {remedy}")
