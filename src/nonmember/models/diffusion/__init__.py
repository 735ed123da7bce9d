"""Diffusion models: what regenerates an input."""

from nonmember.models.diffusion.copies import Copies, fresh
from nonmember.models.diffusion.errors import noise_error, reconstruction_error
from nonmember.models.diffusion.form import Diffusion, Regeneration
from nonmember.models.diffusion.networks import mlp, of, unet
from nonmember.models.diffusion.regeneration import regenerate
from nonmember.models.diffusion.saved import find, save

__all__ = [
    "Copies",
    "Diffusion",
    "Regeneration",
    "find",
    "fresh",
    "mlp",
    "noise_error",
    "of",
    "reconstruction_error",
    "regenerate",
    "save",
    "unet",
]
