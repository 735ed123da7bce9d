"""Who gives copies of inputs."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol, runtime_checkable

import numpy as np

from nonmember.models.diffusion import noise
from nonmember.models.diffusion.form import Diffusion, Regeneration
from nonmember.models.diffusion.regeneration import regenerate
from nonmember.models.protocols import Watch


@runtime_checkable
class Copies(Protocol):
    """Gives copies of inputs, always the same of the same input."""

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Copies (n v ...) of n inputs (n ...)."""

    @property
    def digest(self) -> str:
        """Names all that decides the copies, the secret by a hash of it."""


@dataclass(frozen=True)
class Fresh:
    """``Copies`` that are computed each time."""

    diffusion: Diffusion
    how: Regeneration
    secret: bytes = field(repr=False)
    watch: Watch | None = None

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Copies (n v ...) of n inputs (n ...); raises as ``regenerate`` does."""
        return regenerate(self.diffusion, inputs, self.how, self.secret, watch=self.watch)

    @property
    def digest(self) -> str:
        """Names the model, the settings, the secret by a hash of it, and how noise is drawn."""
        hidden = sha256(b"copies" + self.secret).hexdigest()
        told = f"{noise.VERSION} {self.diffusion.digest} {self.how} {hidden}"
        return sha256(told.encode()).hexdigest()[:24]


def fresh(
    diffusion: Diffusion, how: Regeneration, secret: bytes, *, watch: Watch | None = None
) -> Fresh:
    """Copies that are computed each time; ``watch`` is told the copies done."""
    return Fresh(diffusion, how, secret, watch)
