"""How a diffusion model is trained: values only, part of the address of what they produce."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from nonmember.errors import SpecError


@dataclass(frozen=True)
class DiffusionRecipe:
    """Settings of the training of a diffusion model; those by default are for small data.

    Those of Ho et al. 2020, arXiv:2006.11239, are ``network="unet"``, ``widths=(128, 256, 256,
    256)``, ``layers=2``, ``dropout=0.1``, ``learning_rate=2e-4``, ``warm_up=5000``,
    ``ema=0.9999``, ``flip=True`` and ``updates=800_000``.

    Args:
        network: of vectors (``mlp``, for anything) or of images (``unet``).
        widths: of the blocks of ``mlp``, or the channels at each level of ``unet``; () for those
            that fit small data.
        layers: blocks at each level of ``unet``.
        attention: whether the last level of ``unet`` has it.
        dropout: share of numbers dropped in training.
        updates: of the weights.
        batch_size: inputs of an update, drawn with replacement.
        learning_rate: of Adam.
        warm_up: updates over which the learning rate rises to that.
        clip: largest norm of a gradient.
        ema: share of the averaged weights that stays in an update. The average after k updates
            begins with the smaller (1 + k) / (10 + k), so that it forgets the first weights.
        flip: whether each image is mirrored left to right with probability one half.

    Raises:
        SpecError: a setting with which nothing can be trained.
    """

    network: Literal["mlp", "unet"] = "mlp"
    widths: tuple[int, ...] = ()
    layers: int = 1
    attention: bool = False
    dropout: float = 0.0
    updates: int = 1500
    batch_size: int = 128
    learning_rate: float = 1e-3
    warm_up: int = 50
    clip: float = 1.0
    ema: float = 0.99
    flip: bool = False

    def __post_init__(self) -> None:
        for name in ("layers", "updates", "batch_size"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "clip"):
            value = getattr(self, name)
            self._need(name, value > 0 and isfinite(value), "more than 0, and finite")
        for name in ("dropout", "ema"):
            self._need(name, 0 <= getattr(self, name) < 1, "0 or more, and less than 1")
        self._need("warm_up", self.warm_up >= 0, "0 or more")
        self._need("widths", all(width >= 1 for width in self.widths), "whole numbers above 0")

    def _need(self, name: str, met: bool, remedy: str) -> None:
        if not met:
            raise SpecError(f"diffusion recipe: {name} = {getattr(self, name)}; give {remedy}")
