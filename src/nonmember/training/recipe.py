"""How a model is fine-tuned: values only, part of the address of what they produce."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """Settings of a fine-tuning run; the defaults are those of Hugging Face's Trainer.

    ``rank``, ``alpha`` and ``dropout`` are LoRA's and unused in full fine-tuning.
    ``micro_batch`` records are computed at a time; it bounds memory and changes no update.
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
