"""The small network of vectors; by itself, as diffusers takes seconds to be imported."""

from typing import Any

from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import Timesteps
from diffusers.models.modeling_utils import ModelMixin
from torch import Tensor, nn

FREQUENCIES = 64  # sines and cosines that tell the step


class ResidualMLP(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Residual blocks of two layers on a trunk as wide as the first block; inputs are laid flat.

    Args:
        size: numbers of one input.
        widths: of each block between its layers.
        dropout: share of those that is dropped in training.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self, size: int, widths: tuple[int, ...] | list[int] = (192, 192), dropout: float = 0.0
    ) -> None:
        super().__init__()
        trunk = widths[0]
        self.frequencies = Timesteps(FREQUENCIES, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.step = nn.Sequential(nn.Linear(FREQUENCIES, trunk), nn.SiLU(), nn.Linear(trunk, trunk))
        self.entry, self.exit = nn.Linear(size, trunk), nn.Linear(trunk, size)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.LayerNorm(trunk), nn.Linear(trunk, width), nn.SiLU()),
                *(nn.Dropout(dropout), nn.Linear(width, trunk)),
            )
            for width in widths
        )

    def forward(self, sample: Tensor, timestep: Any, return_dict: bool = True) -> Any:
        """The prediction (b ...) for noised inputs (b ...), as a UNet of diffusers gives it."""
        from diffusers.models.unets.unet_2d import UNet2DOutput

        step = self.step(self.frequencies(timestep.expand(len(sample))))
        hidden = self.entry(sample.flatten(1))
        for block in self.blocks:
            hidden = hidden + block(hidden + step)
        found = self.exit(hidden).view(sample.shape)
        return UNet2DOutput(sample=found) if return_dict else (found,)
