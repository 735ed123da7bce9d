"""The networks of diffusion models: a small one of vectors, and the UNet of diffusers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, prod
from typing import Any

import torch
from torch import Tensor, nn

from nonmember.errors import ModelError
from nonmember.models import source
from nonmember.models.diffusion.form import Diffusion, Gives
from nonmember.models.diffusion.schedule import Alphas, cleaned

GROUPS = 32  # of channels that are normalised together, where the widths allow it
WIDTHS = {8: (32, 64), 28: (32, 64, 64), 32: (32, 64, 128)}
"""Channels at each level of a UNet for images of at least this size: 0.65, 1.06, 2.5 M weights."""
VECTORS = (192, 192)
"""Widths of the small network's blocks."""


@dataclass(frozen=True, eq=False)
class Denoiser:
    """Predicts the noise by a network of diffusers, whatever this one predicts.

    ``grey`` images (h w) are shown to it as (1 h w).
    """

    network: nn.Module
    gives: Gives
    alphas: Alphas
    grey: bool

    def __call__(self, noised: Tensor, t: int) -> Tensor:
        """The noise (b ...) in noised inputs (b ...) at step t."""
        found = self.answer(noised, torch.tensor(t, device=noised.device))
        alpha = float(self.alphas[t])
        if self.gives == "sample":
            return cleaned(noised, found, 1 - alpha)
        if self.gives == "v_prediction":
            return found * alpha**0.5 + noised * (1 - alpha) ** 0.5
        return found

    def answer(self, noised: Tensor, steps: Tensor) -> Tensor:
        """What the network gives (b ...) at one step for all, or at one for each (b,)."""
        shown = noised.unsqueeze(1) if self.grey else noised
        found: Tensor = self.network(shown, steps, return_dict=False)[0]
        return found.view(noised.shape)


def of(
    network: nn.Module,
    alphas: Alphas,
    shape: tuple[int, ...],
    *,
    low: float,
    high: float,
    gives: Gives = "epsilon",
    device: str = "cpu",
    trained_on: str = "",
) -> Diffusion:
    """A diffusion model of a network, in evaluation mode and without gradients from then on.

    Args:
        network: a ``UNet2DModel`` of diffusers, or what ``mlp`` or ``unet`` makes.
        alphas: abar of each step, float64.
        shape: of one input; images may be (h w) for a network of one channel.
        low: least value of an input.
        high: largest value of an input.
        gives: what the network predicts.
        device: where to compute.
        trained_on: names what it was trained on.
    """
    network.to(device).eval().requires_grad_(False)
    denoiser = denoiser_of(network, alphas, shape, gives)
    low, high = float(low), float(high)
    form = [type(network).__name__, _config(network), shape, low, high, gives]
    told = json.dumps(form, default=str)
    digest = source.digest("diffusion", told, alphas.tobytes(), *_weights(network))
    return Diffusion(denoiser, alphas, shape, low, high, digest, device, trained_on)


def denoiser_of(
    network: nn.Module, alphas: Alphas, shape: tuple[int, ...], gives: Gives = "epsilon"
) -> Denoiser:
    """How a network is asked about inputs of a shape."""
    convolves = hasattr(network, "conv_in")
    return Denoiser(network, gives, alphas, grey=convolves and len(shape) == 2)


def mlp(
    shape: tuple[int, ...], *, widths: tuple[int, ...] = VECTORS, dropout: float = 0.0
) -> nn.Module:
    """A residual network of inputs laid flat, freshly drawn from torch's generator.

    Two blocks of 192 by default, which for 8 x 8 images are 0.22 million weights.
    """
    from nonmember.models.diffusion.residual import ResidualMLP

    made: nn.Module = ResidualMLP(prod(shape), widths, dropout)
    return made


def unet(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] = (),
    layers: int = 1,
    attention: bool = False,
    dropout: float = 0.0,
) -> nn.Module:
    """A ``UNet2DModel`` of diffusers for images (channels h w) or (h w), freshly drawn.

    Each level is half the size of the one before. The middle always has attention. The network
    of Ho et al. 2020 is nearly ``widths=(128, 256, 256, 256)``, ``layers=2``, ``dropout=0.1``.

    Args:
        shape: of one image.
        widths: channels of each level; by default as ``WIDTHS`` has it for the size.
        layers: blocks of each level.
        attention: whether the last level has it too.
        dropout: share of numbers that is dropped in training.

    Raises:
        ModelError: the inputs are no images, or their sides cannot be halved as often.
    """
    channels, height, breadth = _image(shape)
    chosen = widths or _preset(min(height, breadth))
    check_halving(shape, len(chosen))
    from diffusers import UNet2DModel

    down = ["DownBlock2D"] * (len(chosen) - 1) + [f"{'Attn' * attention}DownBlock2D"]
    made: nn.Module = UNet2DModel(
        sample_size=(height, breadth),
        in_channels=channels,
        out_channels=channels,
        block_out_channels=chosen,
        down_block_types=down,
        up_block_types=[name.replace("Down", "Up") for name in reversed(down)],
        layers_per_block=layers,
        norm_num_groups=gcd(GROUPS, *chosen),
        dropout=dropout,
    )
    return made


def check_halving(shape: tuple[int, ...], levels: int) -> None:
    """Refuse images whose sides a UNet of so many levels cannot halve as often as it does.

    Raises:
        ModelError: as said.
    """
    _, height, breadth = _image(shape)
    part = 2 ** (levels - 1)
    if height % part or breadth % part:
        wanted = f"{-(-height // part) * part} x {-(-breadth // part) * part}"
        raise ModelError(
            f"unet: images of {height} x {breadth} cannot be halved {levels - 1} times; pad them "
            f"to {wanted} before training and classification alike, or give fewer widths"
        )


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    whole = (1, *shape) if len(shape) == 2 else shape
    if len(whole) != 3:
        raise ModelError(
            f"unet: takes images (channels, height, width) or (height, width), and is given "
            f"{shape}; use network mlp"
        )
    return whole[0], whole[1], whole[2]


def _preset(size: int) -> tuple[int, ...]:
    fit = [side for side in WIDTHS if side <= size]
    if not fit:
        raise ModelError(f"unet: images of side {size} are too small; use network mlp")
    return WIDTHS[max(fit)]


def _config(network: nn.Module) -> dict[str, Any]:
    """Settings of a network of diffusers, but for where it was read from."""
    held: dict[str, Any] = dict(getattr(network, "config", {}))
    return {key: held[key] for key in sorted(held) if not key.startswith("_")}


def _weights(network: nn.Module) -> Iterator[bytes | str]:
    for name, value in sorted(network.state_dict().items()):
        array = value.detach().cpu().contiguous().numpy()
        yield from (name, f"{array.dtype} {array.shape}", array.tobytes())
