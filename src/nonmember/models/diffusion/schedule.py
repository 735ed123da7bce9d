"""How much noise there is at each step: Ho et al. 2020, arXiv:2006.11239.

Steps are numbered from 0: abar[t] is the product of 1 - beta[s] over all s <= t. What is called
T = 160 steps is the index 159, for the noise that is put in and for what the network is told.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64
from torch import Tensor

Alphas: TypeAlias = Float64[np.ndarray, "_steps"]
"""abar of each step: share of the variance that is still the input's; falls from nearly 1."""

STEPS = 1000
"""Of the schedule that models are trained with here."""

FIRST_BETA, LAST_BETA = 1e-4, 0.02


def linear() -> Alphas:
    """The linear schedule of the paper: 1000 steps, beta from 0.0001 to 0.02."""
    return np.cumprod(1 - np.linspace(FIRST_BETA, LAST_BETA, STEPS))


def fall(alphas: Sequence[float]) -> bool:
    """Whether these are abar of successive steps: each below the one before, from 1 to 0."""
    if any(not later < earlier for earlier, later in pairwise(alphas)):
        return False
    return not alphas or bool(0 <= alphas[-1] <= alphas[0] <= 1)


def noised(
    inputs: Float[Tensor, "b *shape"], noise: Float[Tensor, "b *shape"], alpha: float
) -> Float[Tensor, "b *shape"]:
    """Eq. (3) of Peng et al. 2025: sqrt(abar) x + sqrt(1 - abar) noise; x from -1 to 1."""
    return inputs * alpha**0.5 + noise * (1 - alpha) ** 0.5


def cleaned(
    noised: Float[Tensor, "b *shape"], noise: Float[Tensor, "b *shape"], alpha: float
) -> Float[Tensor, "b *shape"]:
    """The x of which ``noised`` is made with this noise."""
    return (noised - noise * (1 - alpha) ** 0.5) / alpha**0.5
