"""What becomes of a training record, and which records are the most exposed."""

from typing import Annotated, TypeAlias

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Bool, Float, Int8

from nonmember.errors import SpecError

RAW, REWRITE, DROP = 0, 1, 2
"""Trained on as it is; as a rewrite of it; not at all."""

Roles = Int8[np.ndarray, "n"]
"""One of the three per training record."""

Exposure = Float[np.ndarray, "n"]
"""How exposed each training record is; larger means more; NaN means nothing of it is scored."""

Ratio: TypeAlias = Annotated[float, Ge(0), Le(1)]
"""An option that is a share of something and may be none or all of it."""

ROUNDING = 1e-9  # by which a product of floats may fall short of a whole number: 0.29 * 100


def most_exposed(exposure: Exposure, ratio: float, defense: str) -> Bool[np.ndarray, "n"]:
    """Which records are among the ``floor(ratio * n)`` most exposed ones.

    Of equally exposed records the earlier ones come first; what is NaN comes last.

    Raises:
        SpecError: ``ratio`` is no share; the message begins with the name of the ``defense``.
    """
    if not 0 <= ratio <= 1:
        raise SpecError(f"{defense}: ratio = {ratio}; give a number from 0 to 1")
    first = np.argsort(-exposure, kind="stable")[: int(ratio * len(exposure) + ROUNDING)]
    chosen = np.zeros(len(exposure), dtype=bool)
    chosen[first] = True
    return chosen
