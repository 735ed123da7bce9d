"""Diffusion models that cost nothing: of Gaussian data, whose best denoiser is a formula."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.models.diffusion import Diffusion, mlp, unet
from nonmember.models.diffusion.schedule import linear

SECRET = b"s" * 32
SPREAD = 0.5  # of each number of the data


@dataclass
class Gaussian:
    """The expected noise in inputs N(0, 1/4), and what it was asked."""

    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, noised: Tensor, t: int) -> Tensor:
        self.asked.append((t, len(noised)))
        alpha = float(linear()[t])
        return noised * (1 - alpha) ** 0.5 / (alpha * SPREAD**2 + 1 - alpha)


def gaussian(shape: tuple[int, ...] = (3, 4), low: float = 0.0, high: float = 1.0) -> Diffusion:
    return Diffusion(Gaussian(), linear(), shape, low, high, digest="gaussian")


def images(count: int = 5, shape: tuple[int, ...] = (3, 4), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, *shape)).astype(np.float32)


def network(kind: str = "mlp", shape: tuple[int, ...] = (8, 8)) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(shape, widths=(8,)) if kind == "mlp" else unet(shape, widths=(4, 8))
