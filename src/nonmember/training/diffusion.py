"""The training of a diffusion model, whose draws each update takes from a stream of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.diffusion import Diffusion, mlp, of, unet
from nonmember.models.diffusion.codes import outside, scaled
from nonmember.models.diffusion.networks import VECTORS, Denoiser, denoiser_of
from nonmember.models.diffusion.schedule import linear
from nonmember.models.source import digest
from nonmember.seeds import derive, generator
from nonmember.training import fleet
from nonmember.training.diffusion_recipe import DiffusionRecipe
from nonmember.training.diffusion_state import State, begin, checkpoint, resume, step

CHECKPOINT_SECONDS = 60.0  # least time between two checkpoints
LOOKED_AT = 100  # updates between two looks at whether the loss is still a number

Watch = Callable[[int], None]


@dataclass(frozen=True)
class _Job:
    """What stays the same over all updates; ``run`` names it in checkpoints."""

    data: Tensor
    alphas: Tensor
    recipe: DiffusionRecipe
    seed: int
    run: str
    scratch: Path | None
    watch: Watch | None


def train_diffusion(
    inputs: Shaped[np.ndarray, "n ..."],
    recipe: DiffusionRecipe,
    *,
    low: float,
    high: float,
    seed: int = 0,
    device: str = "cpu",
    scratch: Path | None = None,
    watch: Watch | None = None,
) -> Diffusion:
    """Train a diffusion model to predict the noise in inputs: Ho et al. 2020, arXiv:2006.11239.

    The loss is the mean squared error of the noise at steps drawn uniformly from 1000; the
    averaged weights are what is returned.

    Args:
        inputs: (n ...), from ``low`` to ``high``.
        recipe: the settings.
        low: least value that an input may have.
        high: largest value that an input may have.
        seed: of the first weights and all draws.
        device: where to train.
        scratch: where checkpoints of this run go; one that finds its own there goes on from it
            and ends with the numbers that it would have had without the interruption.
        watch: told the updates done, after each.

    Raises:
        DataError: there are no inputs, or some lie outside the range.
        ModelError: the network does not fit them, or the loss is no number any more.
        SpecError: ``low`` is not below ``high``, or what is to be mirrored is no image.
    """
    check(inputs, recipe, low, high)
    shape = inputs.shape[1:]
    network, alphas = _fresh(shape, recipe, seed).to(device), linear()
    data = torch.from_numpy(scaled(inputs, low, high)).to(device)
    told = digest("diffusion", f"{inputs.dtype} {inputs.shape}", inputs.tobytes())
    run = sha256(f"{told} {recipe} {low} {high} {seed} {device} {network}".encode()).hexdigest()
    weights = torch.from_numpy(alphas).float().to(device)
    denoiser = denoiser_of(network, alphas, shape)
    _fit(_Job(data, weights, recipe, seed, run, scratch, watch), denoiser)
    return of(network, alphas, shape, low=low, high=high, device=device, trained_on=told)


def check(inputs: np.ndarray, recipe: DiffusionRecipe, low: float, high: float) -> None:
    """Refuse, before any training, what a diffusion model cannot be trained on.

    Raises:
        DataError, ModelError, SpecError: as for ``train_diffusion``.
    """
    if not low < high:
        raise SpecError(f"diffusion: low = {low:g} and high = {high:g}; give low below high")
    if not len(inputs) or inputs.ndim < 2 or inputs.dtype.kind not in "fiub":
        raise DataError(
            f"diffusion: inputs of {inputs.dtype} in shape {inputs.shape}; give numbers, (n ...)"
        )
    if recipe.flip and inputs.ndim not in (3, 4):
        raise SpecError(
            f"diffusion recipe: flip mirrors images, and inputs have the shape {inputs.shape[1:]}; "
            "leave it out"
        )
    outside(inputs, low, high)
    _fresh(inputs.shape[1:], recipe, 0)


def _fresh(shape: tuple[int, ...], recipe: DiffusionRecipe, seed: int) -> nn.Module:
    with fleet.forked():
        fleet.seed_all(derive(seed, "initialisation"))
        if recipe.network == "mlp":
            return mlp(shape, widths=recipe.widths or VECTORS, dropout=recipe.dropout)
        return unet(
            shape,
            widths=recipe.widths,
            layers=recipe.layers,
            attention=recipe.attention,
            dropout=recipe.dropout,
        )


def _fit(job: _Job, denoiser: Denoiser) -> None:
    """All updates; the averaged weights are the network's afterwards."""
    recipe, path = job.recipe, None if job.scratch is None else job.scratch / "diffusion"
    state = begin(denoiser.network.train(), recipe)
    done = 0 if path is None else resume(state, job.run, path)
    saved = time.monotonic()
    if done and job.watch is not None:
        job.watch(done)
    with fleet.forked():
        for number in range(done, recipe.updates):
            loss = _update(job, denoiser, state, number)
            if job.watch is not None:
                job.watch(1)
            last = number + 1 == recipe.updates
            if last or number % LOOKED_AT == 0:
                _look(loss, number)
            if path is not None and (last or time.monotonic() - saved >= CHECKPOINT_SECONDS):
                checkpoint(state, job.run, number + 1, path)
                saved = time.monotonic()
    with torch.no_grad():
        for weight, average in zip(state.weights, state.averages, strict=True):
            weight.copy_(average)


def _update(job: _Job, denoiser: Denoiser, state: State, number: int) -> Tensor:
    """One update; its loss."""
    rng, recipe = generator(job.seed, "update", number), job.recipe
    fleet.seed_all(derive(job.seed, "layers", number))
    device = job.data.device
    places = torch.from_numpy(rng.integers(len(job.data), size=recipe.batch_size)).to(device)
    steps = torch.from_numpy(rng.integers(len(job.alphas), size=recipe.batch_size)).to(device)
    given = job.data[places]
    noise = torch.from_numpy(rng.standard_normal(given.shape, dtype=np.float32)).to(device)
    if recipe.flip:
        mirrored = torch.from_numpy(rng.random(recipe.batch_size) < 0.5).to(device)
        given[mirrored] = given[mirrored].flip(-1)
    alpha = job.alphas[steps].view(-1, *[1] * (given.ndim - 1))
    noised = given * alpha.sqrt() + noise * (1 - alpha).sqrt()
    loss = nn.functional.mse_loss(denoiser.answer(noised, steps), noise)
    torch.autograd.backward(loss)
    step(state, recipe, number)
    return loss.detach()


def _look(loss: Tensor, number: int) -> None:
    if not torch.isfinite(loss):
        raise ModelError(
            f"diffusion: the loss became {float(loss)} by update {number + 1}; lower the learning "
            "rate"
        )
