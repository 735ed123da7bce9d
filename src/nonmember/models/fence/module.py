"""A fence in the place of the model it stands around: a torch module, a scikit-learn classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Shaped
from scipy.special import softmax
from torch import Tensor, nn

from nonmember.errors import ModelError
from nonmember.models.protocols import Classifier


class FencedModule(nn.Module):
    """Maps inputs (b ...) to logits (b c), float32, on the device of the inputs.

    The answers have no gradients: they would be those of the classifier behind the fence.
    """

    def __init__(self, fenced: Classifier) -> None:
        super().__init__()
        self.fenced = fenced

    def forward(self, inputs: Tensor) -> Tensor:
        plain = inputs.detach().cpu()
        if plain.dtype == torch.bfloat16:  # which NumPy does not know
            plain = plain.float()
        return torch.from_numpy(self.fenced.logits(plain.numpy())).to(inputs.device)


@dataclass(frozen=True, eq=False)
class FencedEstimator:
    """Answers as a fitted scikit-learn classifier does; ``classes_`` (c,) are its labels."""

    fenced: Classifier
    classes_: Shaped[np.ndarray, "c"]

    def predict_proba(self, inputs: np.ndarray) -> Float64[np.ndarray, "n c"]:
        """Probabilities (n c) of n inputs (n ...)."""
        return softmax(self.fenced.logits(inputs).astype(np.float64), axis=1)

    def predict(self, inputs: np.ndarray) -> Shaped[np.ndarray, "n"]:
        """The likeliest class of each of n inputs (n ...)."""
        return self.classes_[self.fenced.logits(inputs).argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn's scorers ask: that it classifies."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags

        return Tags("classifier", TargetTags(required=True), classifier_tags=ClassifierTags())


def as_module(fenced: Classifier) -> FencedModule:
    """A torch module that answers as the fence does, from tensors to tensors."""
    return FencedModule(fenced)


def as_estimator(fenced: Classifier, names: Sequence[str] | None = None) -> FencedEstimator:
    """A scikit-learn classifier that answers as the fence does.

    Args:
        fenced: what answers.
        names: of its classes in their order; by default they are numbers from 0.

    Raises:
        ModelError: there are not as many names as classes.
    """
    if names is not None and len(names) != fenced.classes:
        raise ModelError(f"fence: {len(names)} names for {fenced.classes} classes; give one each")
    return FencedEstimator(fenced, np.arange(fenced.classes) if names is None else np.array(names))
