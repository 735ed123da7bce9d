"""How a model is fine-tuned: values only, part of the address of what they produce."""

from dataclasses import dataclass
from typing import Literal

from nonmember.errors import SpecError


@dataclass(frozen=True)
class Recipe:
    """Settings of a fine-tuning run; the defaults are those of Hugging Face's Trainer.

    ``rank``, ``alpha`` and ``dropout`` are LoRA's and unused in full fine-tuning.
    ``micro_batch`` records are computed at a time; it bounds memory, and changes no
    update beyond rounding. What is below a module named in ``exclude`` ("q_proj", "mlp",
    "layers.0") is not trained: it gets no adapter, or is frozen.

    ``hold_back`` is the share of records that no update is made with: training stops after
    the first epoch that does not lower their loss, and keeps the weights of the one before.

    With an ``epsilon`` the run is differentially private per record, at ``delta`` (by default
    one over the number of records): DP-SGD (Abadi et al. 2016, arXiv:1607.00133) with each
    record's gradient clipped to ``record_clip``, in the place of ``clip``.

    Raises:
        SpecError: a setting with which nothing can be trained, or not as it says.
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
    exclude: tuple[str, ...] = ()
    hold_back: float = 0.0
    epsilon: float | None = None
    delta: float | None = None
    record_clip: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "micro_batch", "rank"):
            self._need(name, getattr(self, name) >= 1, "at least 1")
        for name in ("learning_rate", "clip", "alpha", "record_clip"):
            self._need(name, getattr(self, name) > 0, "more than 0")
        self._need("weight_decay", self.weight_decay >= 0, "0 or more")
        for name in ("dropout", "hold_back"):
            self._need(name, 0 <= getattr(self, name) < 1, "0 or more, and less than 1")
        self._need("exclude", all(self.exclude), "names of modules")
        self._check_privacy()

    def _check_privacy(self) -> None:
        if self.delta is not None:
            self._need("delta", 0 < self.delta < 1, "more than 0, and less than 1")
            self._need("delta", self.epsilon is not None, "an epsilon with it, or no delta")
        if self.epsilon is None:
            return
        self._need("epsilon", 0 < self.epsilon < float("inf"), "more than 0, and finite")
        self._need("epsilon", self.method == "lora", 'method = "lora" with it')
        self._need("record_clip", self.record_clip < float("inf"), "a finite one with epsilon")
        # When to stop would be read off records that the guarantee does not cover.
        self._need("hold_back", not self.hold_back, "0 with epsilon")

    def _need(self, name: str, met: bool, remedy: str) -> None:
        if not met:
            raise SpecError(f"recipe: {name} = {getattr(self, name)}; give {remedy}")
