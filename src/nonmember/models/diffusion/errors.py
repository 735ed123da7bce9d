"""How well a diffusion model itself knows an input: less error for what it was trained on.

Measures of Duan et al. 2023, arXiv:2302.01316, and Matsumoto et al. 2023, arXiv:2302.03262, on
noise that is drawn for each input as for its copies.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from nonmember.models.diffusion.codes import Values
from nonmember.models.diffusion.form import Diffusion, Regeneration
from nonmember.models.diffusion.regeneration import batches
from nonmember.models.diffusion.samplers import sample

Error = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From inputs, noise and noised inputs to differences, all (b ...)."""


def reconstruction_error(
    diffusion: Diffusion, inputs: Values, how: Regeneration, secret: bytes
) -> Float64[np.ndarray, "n"]:
    """Mean squared difference of an input and its n copies per number, in a range of -1 to 1.

    Smaller = likelier in the diffusion model's training set. Raises as ``regenerate`` does.
    """
    alphas = diffusion.alphas

    def difference(given: Tensor, _noise: Tensor, noised: Tensor) -> Tensor:
        return sample(noised, diffusion.denoiser, alphas, how) - given

    return _mean_square(diffusion, inputs, how, secret, difference)


def noise_error(
    diffusion: Diffusion, inputs: Values, how: Regeneration, secret: bytes
) -> Float64[np.ndarray, "n"]:
    """Mean squared error of the predicted noise of n noisings at step t - 1, per number.

    Smaller = likelier in the diffusion model's training set. Raises as ``regenerate`` does.
    """

    def difference(_given: Tensor, noise: Tensor, noised: Tensor) -> Tensor:
        return diffusion.denoiser(noised, how.t - 1) - noise

    return _mean_square(diffusion, inputs, how, secret, difference)


def _mean_square(
    diffusion: Diffusion, inputs: Values, how: Regeneration, secret: bytes, error: Error
) -> Float64[np.ndarray, "n"]:
    found = np.empty(len(inputs) * how.n)
    with torch.inference_mode():
        for rows, *some in batches(diffusion, inputs, how, secret):
            squares = error(*some).flatten(1).double().square()
            found[rows] = squares.mean(1).cpu().numpy()
    return found.reshape(len(inputs), how.n).mean(axis=1)
