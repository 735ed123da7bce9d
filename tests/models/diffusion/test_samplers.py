"""Samplers: against formulas and against the schedulers of diffusers on the whole schedule."""

from itertools import pairwise
from math import log

import pytest
import torch
from models.diffusion.small import SECRET, Gaussian, gaussian, images
from torch import Tensor

from nonmember.errors import SpecError
from nonmember.models.diffusion import Regeneration, regenerate
from nonmember.models.diffusion.samplers import descending, grid, sample
from nonmember.models.diffusion.schedule import linear

ALPHAS = [float(alpha) for alpha in linear()]


def start() -> Tensor:
    return 0.6 * torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(0))


def x0(noised: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """The clean input that the denoiser sees in a noised one, and the noise."""
    noise = Gaussian()(noised, t)
    return (noised - (1 - ALPHAS[t]) ** 0.5 * noise) / ALPHAS[t] ** 0.5, noise


def ddim(noised: Tensor, steps: tuple[int, ...]) -> Tensor:
    for here, after in zip(steps, [*(ALPHAS[t] for t in steps[1:]), 1.0], strict=True):
        clean, noise = x0(noised, here)
        noised = after**0.5 * clean.clamp(-1, 1) + (1 - after) ** 0.5 * noise
    return noised


def half_snr(t: int) -> float:
    return (log(ALPHAS[t]) - log(1 - ALPHAS[t])) / 2


def dpmpp(noised: Tensor, steps: tuple[int, ...]) -> Tensor:
    """Algorithm 2 of Lu et al. 2022, arXiv:2211.01095; the last step, to no noise, is its x0."""
    before, stride = None, 0.0
    for here, after in pairwise(steps):
        clean, _ = x0(noised, here)
        h = half_snr(after) - half_snr(here)
        data = clean if before is None else clean + (clean - before) * h / stride / 2
        noised = ((1 - ALPHAS[after]) / (1 - ALPHAS[here])) ** 0.5 * noised - ALPHAS[
            after
        ] ** 0.5 * (torch.tensor(-h).exp() - 1) * data
        before, stride = clean, h
    return x0(noised, steps[-1])[0]


@pytest.mark.parametrize("sampler", ["ddim", "dpmpp"])
@pytest.mark.parametrize("t", [1, 40, 160])
def test_one_step_is_the_closed_form(sampler: str, t: int) -> None:
    plain, how = Regeneration(t=t), Regeneration(t=t, sampler=sampler, nfe=1)
    expected = sample(start(), Gaussian(), linear(), plain)
    torch.testing.assert_close(expected, x0(start(), t - 1)[0].clamp(-1, 1), atol=1e-6, rtol=0)
    found = sample(start(), Gaussian(), linear(), how)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("t", "nfe"), [(160, 2), (160, 3), (50, 4), (999, 5)])
def test_steps_are_those_of_the_formulas(t: int, nfe: int) -> None:
    for sampler, loop in (("ddim", ddim), ("dpmpp", dpmpp)):
        how = Regeneration(t=t, sampler=sampler, nfe=nfe)
        found = sample(start(), Gaussian(), linear(), how)
        expected = loop(start(), grid(t, nfe)).clamp(-1, 1)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
@pytest.mark.parametrize("sampler", ["ddim", "dpmpp"])
def test_steps_are_those_of_diffusers_on_the_whole_schedule(sampler: str) -> None:
    from diffusers import DDIMScheduler, DPMSolverMultistepScheduler

    kind = {"ddim": DDIMScheduler, "dpmpp": DPMSolverMultistepScheduler}[sampler]
    theirs = kind(beta_start=1e-4, beta_end=0.02, timestep_spacing="trailing")
    theirs.set_timesteps(5)
    noised, denoiser = start(), Gaussian()
    assert tuple(theirs.timesteps.tolist()) == grid(1000, 5) == (999, 799, 599, 399, 199)
    for t in theirs.timesteps:
        noised = theirs.step(denoiser(noised, int(t)), t, noised).prev_sample
    how = Regeneration(t=1000, sampler=sampler, nfe=5)
    found = sample(start(), Gaussian(), linear(), how)
    torch.testing.assert_close(found, noised.clamp(-1, 1), atol=1e-4, rtol=0)


def test_the_network_is_asked_as_often_as_said_and_ever_earlier() -> None:
    for sampler, nfe in (("x0", 1), ("ddim", 1), ("ddim", 5), ("dpmpp", 4)):
        diffusion = gaussian()
        how = Regeneration(t=160, n=4, sampler=sampler, nfe=nfe)
        regenerate(diffusion, images(2), how, SECRET)
        steps, rows = zip(*diffusion.denoiser.asked, strict=True)
        assert steps == grid(160, nfe)
        assert steps[0] == 159
        assert list(steps) == sorted(set(steps), reverse=True)
        assert rows == (8,) * nfe  # both inputs at once


def test_the_last_step_is_never_the_first_of_another_call() -> None:
    for t in (1, 2, 7, 40, 160, 1000):
        for nfe in range(1, min(t, 12) + 1):
            assert len(grid(t, nfe)) == nfe


@pytest.mark.parametrize("steps", [(159, 159), (40, 80), (3, -1)])
def test_steps_that_do_not_go_down_are_refused(steps: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match="do not go down"):
        descending(steps)
