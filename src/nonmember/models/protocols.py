"""All that the rest of the library may assume of a model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nonmember.models.text import Encoded
from nonmember.types import Access, Inputs

Watch = Callable[[int], None]
"""Told the tokens done after each pass over a model."""


@runtime_checkable
class Past(Protocol):
    """What a model keeps of a prefix, for any batch that follows it."""

    @property
    def length(self) -> int:
        """Tokens of the prefix."""

    @property
    def again(self) -> bool:
        """Whether every row of a batch reads the prefix again."""


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

    @property
    def context(self) -> int | None:
        """The most positions it can attend to, if it says."""

    @property
    def tokenizer(self) -> Any:
        """What turns text into its token ids."""

    def hidden(self, ids: Tensor, *, past: Any = None) -> Tensor:
        """Last hidden states (b t d) of right-padded token ids (b t), which follow ``past``."""

    def remember(self, ids: Tensor) -> Past:
        """What a prefix (t,) leaves to attend to: the ``past`` of any batch that follows it."""

    def logits(self, hidden: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Next-token logits (p v), float32, of hidden states (p d); written to ``out`` if given."""

    def sample(
        self,
        prompts: Sequence[np.ndarray],
        *,
        most: Sequence[int],
        temperature: float,
        top_k: int,
        seed: int,
        watch: Watch | None = None,
    ) -> Sequence[np.ndarray | None]:
        """Ids that it writes after each prompt, at most so many; the end token is cut off.

        None after a prompt where it answers no numbers to draw from.
        """


@runtime_checkable
class Remote(Protocol):
    """A causal language model that only answers, such as an endpoint on the internet."""

    @property
    def tokenizer(self) -> Any:
        """What turns text into its token ids."""

    @property
    def context(self) -> int | None:
        """The most tokens that it can be asked about at once, if it says."""

    @property
    def access(self) -> Access:
        """The most that it answers."""

    def statistics(
        self, encoded: Sequence[Encoded], *, watch: Watch | None = None
    ) -> Mapping[str, np.ndarray]:
        """Those of the token statistics that it answers, (n t), NaN past the last scored token."""

    def sample(
        self,
        prompts: Sequence[np.ndarray],
        *,
        most: Sequence[int],
        temperature: float,
        top_k: int,
        seed: int,
        watch: Watch | None = None,
    ) -> Sequence[np.ndarray | None]:
        """Ids that it writes after each prompt, at most so many; the end token is cut off.

        None after a prompt where it answers no numbers to draw from.
        """


@runtime_checkable
class Classifier(Protocol):
    """What maps a batch of inputs to a logit of every class."""

    @property
    def classes(self) -> int:
        """How many classes it knows."""

    def logits(self, inputs: Inputs) -> Float[np.ndarray, "n c"]:
        """Logits (n c), float32, of n inputs; log-probabilities where it gives no logits.

        Raises:
            ModelError: the inputs have another form than it takes, or an answer is not finite.
        """
