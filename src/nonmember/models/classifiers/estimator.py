"""Fitted scikit-learn classifiers and pipelines, asked for the probabilities of all classes."""

import warnings
from math import prod
from typing import Any

import numpy as np

from nonmember.errors import ModelError
from nonmember.models.classifiers.answers import Ask
from nonmember.models.functions import without_inputs
from nonmember.types import Inputs


def asker(name: str, estimator: Any) -> Ask:
    """Asks a fitted classifier or pipeline for the probabilities of all classes, 0 to the largest.

    Inputs of more axes are laid flat where the model was fitted on as many features.
    """
    codes = _codes(name, estimator)

    def ask(inputs: Inputs) -> np.ndarray:
        shown = _flat(estimator, inputs)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of feature names that an array has not
                found = np.asarray(estimator.predict_proba(shown))
        except MemoryError:
            raise
        except Exception as error:  # whatever an estimator finds amiss with the inputs
            raise ModelError(_refusal(name, estimator, inputs, error)) from None
        if found.ndim != 2 or found.shape[1] != len(codes):
            return found
        spread = np.zeros((len(found), int(codes.max()) + 1))
        spread[:, codes] = found
        return spread

    return ask


def class_names(estimator: Any) -> tuple[str, ...] | None:
    """The names of a fitted classifier's classes, in their order; None where they are numbers."""
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.dtype.kind not in "UO":
        return None
    return tuple(map(str, classes))


def check(name: str, estimator: Any) -> None:
    """Refuse what cannot be asked for probabilities.

    Raises:
        ModelError: it has no ``predict_proba``, is not fitted, or has classes that are neither
            numbers from 0 nor names.
    """
    if not hasattr(estimator, "predict_proba"):
        raise ModelError(
            f"{name}: {type(estimator).__name__} has no predict_proba; give a classifier that "
            "gives probabilities (for SVC: probability=True, or CalibratedClassifierCV)"
        )
    _codes(name, estimator)


def _codes(name: str, estimator: Any) -> np.ndarray:
    """Which class each column of its probabilities is."""
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray) or classes.ndim != 1:
        raise ModelError(
            f"{name}: {type(estimator).__name__} is not fitted to one label per input; fit it first"
        )
    if len(classes) < 2:
        raise ModelError(f"{name}: was fitted on one class; a classifier needs at least 2")
    if class_names(estimator) is not None:
        return np.arange(len(classes))
    whole = classes.astype(np.int64)
    if classes.dtype.kind not in "iubf" or (whole != classes).any() or whole.min() < 0:
        raise ModelError(
            f"{name}: its classes are {classes[:3].tolist()} and so on; fit it on labels from 0, "
            "or on names"
        )
    return whole


def _flat(estimator: Any, inputs: Inputs) -> Any:
    features = getattr(estimator, "n_features_in_", None)
    if isinstance(inputs, np.ndarray) and inputs.ndim > 2 and prod(inputs.shape[1:]) == features:
        return inputs.reshape(len(inputs), -1)
    return inputs


def _refusal(name: str, estimator: Any, inputs: Inputs, error: Exception) -> str:
    shape = f"shape {inputs.shape[1:]}" if isinstance(inputs, np.ndarray) else "texts"
    features = getattr(estimator, "n_features_in_", None)
    takes = "another form" if features is None else f"shape ({features},)"
    why = without_inputs(error, inputs)
    return (
        f"{name}: refuses inputs in {shape}; it takes {takes} ({why}); give the inputs in the "
        "form it was fitted on"
    )
