"""Small networks that tests ask, some of them by package.module:factory."""

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.data.examples import Examples, of


class Scaled(nn.Module):
    """A layer whose number is in neither its repr nor its state."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.layer = nn.Linear(6, 3)

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows) / self.temperature


class Tied(nn.Module):
    """Two names for one weight, of which safetensors keep one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 6), nn.Linear(6, 6)
        self.last.weight = self.first.weight

    def forward(self, rows: Tensor) -> Tensor:
        return self.last(self.first(rows))


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 3))


def breaks() -> nn.Module:
    raise RuntimeError("no such layer")


def seeded(network: nn.Module, seed: int = 0) -> nn.Module:
    """The network with weights that a seed decides."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(generator=rng)
    return network


def rows(count: int = 12, features: int = 6, classes: int = 3, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    return of(rng.normal(size=(count, features)).astype(np.float32), labels)


NUMBER = 7
