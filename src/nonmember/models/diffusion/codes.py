"""Values as bytes: 256 steps from the least value of an input to the largest."""

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from nonmember.errors import DataError, SpecError
from nonmember.models.diffusion.form import Diffusion
from nonmember.models.diffusion.schedule import Alphas

LARGEST = 255
SLACK = 1e-6  # of the range: what rounding of scaled values leaves outside it

Values = Shaped[np.ndarray, "n ..."]


def encode(values: Values, low: float, high: float) -> UInt8[np.ndarray, "n ..."]:
    """The nearest code of each value."""
    if values.dtype == np.uint8 and (low, high) == (0, LARGEST):
        return values
    wide = np.float64 if values.dtype.kind != "f" else values.dtype
    scaled = (values.astype(wide) - low) * (LARGEST / (high - low))
    return np.clip(np.rint(scaled), 0, LARGEST).astype(np.uint8)


def decode(codes: UInt8[np.ndarray, "..."], low: float, high: float, dtype: np.dtype) -> np.ndarray:
    """The values of codes, whole where the type is of whole numbers."""
    steps = low + np.arange(LARGEST + 1) * ((high - low) / LARGEST)
    table = (steps if dtype.kind == "f" else np.rint(steps)).astype(dtype)
    return table[codes]


def check(diffusion: Diffusion, inputs: np.ndarray, steps: int, secret: bytes) -> None:
    """Refuse what cannot be regenerated.

    Raises:
        DataError: the inputs are no numbers, of another shape, or outside the range.
        SpecError: the schedule has not as many steps, or the secret is empty.
    """
    check_steps(steps, diffusion.alphas)
    if not secret:
        raise SpecError("diffusion: the secret is empty; give 32 random bytes")
    check_inputs(inputs, diffusion.shape, diffusion.low, diffusion.high)


def check_steps(steps: int, alphas: Alphas) -> None:
    """Refuse so many steps of noise; ``schedule.linear()`` is that of models trained here.

    Raises:
        SpecError: the schedule has not as many, or nothing of an input is left after them.
    """
    if steps > len(alphas):
        raise SpecError(
            f"diffusion: t = {steps} lies beyond the schedule, which has {len(alphas)} steps; set "
            "t to at most that"
        )
    if alphas[steps - 1] <= 0:
        raise SpecError(f"diffusion: after t = {steps} steps nothing of an input is left; lower t")


def check_inputs(inputs: np.ndarray, shape: tuple[int, ...], low: float, high: float) -> None:
    """Refuse inputs that a model of this shape and range cannot regenerate, trained or not yet.

    Raises:
        DataError: they are no numbers, of another shape, or outside the range.
    """
    if inputs.dtype.kind not in "fiub" or inputs.shape[1:] != shape:
        raise DataError(
            f"diffusion: {len(inputs)} inputs of {inputs.dtype} in shape {inputs.shape[1:]}, and "
            f"the model is of numbers in shape {shape}; give inputs in that form"
        )
    outside(inputs, low, high)


def outside(inputs: Values, low: float, high: float) -> None:
    """Refuse inputs with a value outside the range.

    Raises:
        DataError: as said, with their count and no value of theirs, which may be private.
    """
    slack = SLACK * (high - low)
    amiss = ~((inputs >= low - slack) & (inputs <= high + slack))
    rows = amiss.any(axis=tuple(range(1, inputs.ndim)))
    if rows.any():
        raise DataError(
            f"diffusion: {int(rows.sum())} of {len(inputs)} inputs hold values outside {low:g} to "
            f"{high:g}; scale them to that range"
        )


def scaled(inputs: Values, low: float, high: float) -> Float32[np.ndarray, "n ..."]:
    """The inputs from -1 to 1."""
    wide = inputs.astype(np.float64)
    return ((wide - low) * (2 / (high - low)) - 1).astype(np.float32)
