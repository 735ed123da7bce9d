"""From a noised input to a clean one, by calls of a network at ever earlier steps."""

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from torch import Tensor

from nonmember.errors import SpecError
from nonmember.models.diffusion.form import Denoise, Regeneration
from nonmember.models.diffusion.schedule import Alphas, cleaned


def sample(noised: Tensor, denoiser: Denoise, alphas: Alphas, how: Regeneration) -> Tensor:
    """Clean inputs (b ...), from -1 to 1, of inputs noised to step ``how.t`` - 1."""
    if how.sampler == "x0":
        index = how.t - 1
        found = cleaned(noised, denoiser(noised, index), float(alphas[index]))
    else:
        found = _stepped(noised, denoiser, alphas, how)
    return found.clamp(-1, 1)


def grid(t: int, nfe: int) -> tuple[int, ...]:
    """The steps at which the network is asked: from t - 1, down in nfe like strides to clean.

    Raises:
        SpecError: two steps would be the same.
    """
    return descending(tuple(round(t * (1 - i / nfe)) - 1 for i in range(nfe)))


def descending(steps: tuple[int, ...]) -> tuple[int, ...]:
    """The steps, if each is earlier than the one before.

    Raises:
        SpecError: one is not, or comes before the first of the schedule.
    """
    if any(later <= earlier for later, earlier in pairwise((*steps, -1))):
        raise SpecError(f"regeneration: steps {steps} do not go down; set nfe to at most t")
    return steps


def _stepped(noised: Tensor, denoiser: Denoise, alphas: Alphas, how: Regeneration) -> Tensor:
    """By a scheduler of diffusers that knows of no other steps than those of the grid."""
    steps = grid(how.t, how.nfe)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how diffusers makes arrays of tensors
        scheduler = SCHEDULERS[how.sampler](_betas(alphas, steps))
        scheduler.set_timesteps(len(steps))
    for number, index in zip(scheduler.timesteps, steps, strict=True):
        noised = scheduler.step(denoiser(noised, index), number, noised).prev_sample
    return noised


def _betas(alphas: Alphas, steps: tuple[int, ...]) -> list[float]:
    """The betas of a schedule whose every step is one of these, the earliest first."""
    kept = [1.0, *(float(alphas[index]) for index in reversed(steps))]
    return [1 - later / earlier for earlier, later in pairwise(kept)]


def _ddim(betas: list[float]) -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(num_train_timesteps=len(betas), trained_betas=betas)


def _dpmpp(betas: list[float]) -> Any:
    from diffusers import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        num_train_timesteps=len(betas), trained_betas=betas, timestep_spacing="trailing"
    )


SCHEDULERS: dict[str, Callable[[list[float]], Any]] = {"ddim": _ddim, "dpmpp": _dpmpp}
