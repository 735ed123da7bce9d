"""How a model is fine-tuned: values only, part of the address of what they produce."""

from dataclasses import dataclass
from typing import Literal

from nonmember.errors import SpecError


@dataclass(frozen=True)
class Recipe:
    """Settings of a fine-tuning run; the defaults are those of Hugging Face's Trainer.

    ``rank``, ``alpha`` and ``dropout`` are LoRA's and unused in full fine-tuning.
    ``micro_batch`` records are computed at a time; it bounds memory, and changes no
    update beyond rounding.

    Raises:
        SpecError: a setting with which nothing can be trained.
    """

    method: Literal["full", "lora"] = "full"
    epochs: int = 3
    batch_size: int = 8
    micro_batch: int = 8
    learning_rate: float = 5e-5
    schedule: Literal["linear", "constant"] = "linear"
    weight_decay: float = 0.0
    clip: float = 1.0
    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "micro_batch", "rank"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "clip", "alpha"):
            self._need(name, getattr(self, name) > 0, "more than 0")
        self._need("weight_decay", self.weight_decay >= 0, "0 or more")
        self._need("dropout", 0 <= self.dropout < 1, "0 or more, and less than 1")

    def _need(self, name: str, met: bool, remedy: str) -> None:
        if not met:
            raise SpecError(f"recipe: {name} = {getattr(self, name)}; give {remedy}")
