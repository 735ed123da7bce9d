"""All that the rest of the library may assume of a model."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class LanguageModel(Protocol):
    """A causal language model split where its memory explodes: before the vocabulary.

    ``hidden`` is large times small, ``logits`` is small times large. Whoever wants a
    statistic of the whole vocabulary asks for the logits of a few positions at a time
    and reduces them before asking for more.
    """

    @property
    def device(self) -> torch.device:
        """Where inputs must be."""

    @property
    def vocabulary(self) -> int:
        """Width of the output distribution, padded rows included."""

    def hidden(self, ids: Tensor) -> Tensor:
        """Last hidden states (b t d) of right-padded token ids (b t)."""

    def logits(self, hidden: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Next-token logits (p v), float32, of hidden states (p d); written to ``out`` if given."""
