"""Fitting one estimator: with its own random states, and what it warned of kept."""

import warnings
from typing import Any

import numpy as np

from nonmember.data.examples import Examples
from nonmember.errors import ModelError
from nonmember.models.architecture import Architecture
from nonmember.models.functions import without_inputs
from nonmember.seeds import derive


def fit(
    architecture: Architecture, examples: Examples, *, seed: int = 0
) -> tuple[Any, tuple[str, ...]]:
    """A freshly fitted estimator, and the warnings that it gave.

    Inputs of more axes are laid flat. Every random state is set from the seed and its name.

    Raises:
        ModelError: it cannot be fitted to these examples.
    """
    made = architecture.make()
    names = [key for key in made.get_params() if key.split("__")[-1] == "random_state"]
    made.set_params(**{name: derive(seed, name) % (1 << 32) for name in names})
    inputs = examples.inputs
    shown = inputs.reshape(len(inputs), -1) if isinstance(inputs, np.ndarray) else list(inputs)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            made.fit(shown, examples.labels)
    except Exception as error:  # whatever an estimator finds amiss with the examples
        why = without_inputs(error, inputs)
        raise ModelError(
            f"{architecture.name}: cannot be fitted to {len(examples)} examples ({why}); "
            "change its settings, or the examples"
        ) from None
    warned = [one.message for one in said if isinstance(one.message, Warning)]
    return made, tuple(sorted({without_inputs(one, inputs) for one in warned}))
