"""What an attacker learns by a diffusion model: of a classifier, and of the model itself."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Shaped

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.models.diffusion import (
    Copies,
    Diffusion,
    Regeneration,
    noise_error,
    reconstruction_error,
)
from nonmember.models.protocols import Classifier, Watch
from nonmember.seeds import derive
from nonmember.signals.catalogue import signal
from nonmember.signals.classes import AT_ONCE, logits
from nonmember.types import Count

EACH = 30  # copies of each level
LEVELS = tuple(Regeneration(t=t, n=EACH) for t in (20, 40, 80, 120))
"""From which noise an attacker regenerates inputs; the copies of one level stand together."""

QUERIES = EACH * len(LEVELS)
NUMBERS_AT_ONCE = 2**22  # of the copies that are held at one time

Batch: TypeAlias = Shaped[np.ndarray, "n ..."]
Diffused: TypeAlias = Callable[[Batch], np.ndarray]
"""From n inputs (n ...) to v copies of each (n v ...), whatever else is asked about."""


@dataclass(frozen=True)
class Joined:
    """Copies of several makers side by side, in their order."""

    parts: tuple[Copies, ...]

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Copies (n v ...) of n inputs, those of each maker together."""
        return np.concatenate([part(inputs) for part in self.parts], axis=1)

    @property
    def digest(self) -> str:
        """What made them, by content."""
        return sha256(" ".join(part.digest for part in self.parts).encode()).hexdigest()


@signal(provides={"diffused_hits": "label"}, queries=QUERIES)
def diffused_hits(
    classifier: Classifier,
    examples: Examples,
    diffused: Diffused,
    *,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """1 where the likeliest class of a regenerated copy is the true one, else 0: (n v).

    The copies are the attacker's, by a diffusion model and a secret of his own; in an audit
    ``LEVELS`` joined, 30 from each of four levels of noise. Of equal classes the first is the
    likeliest. No defense that keeps labels changes what is said of them.

    Args:
        classifier: what is asked; of its answers only the likeliest class is looked at.
        examples: n labelled inputs, arrays.
        diffused: what makes the copies.
        watch: told the copies done after each call.

    Raises:
        SpecError: the inputs are texts, or what is made of them is no copies.
        ModelError: an answer is not finite.
    """
    inputs, labels = _arrays("diffused_hits", examples), examples.labels
    rows = max(1, NUMBERS_AT_ONCE // (QUERIES * max(1, inputs[:1].size)))
    found = []
    for start in range(0, max(1, len(inputs)), rows):
        block = slice(start, start + rows)
        copies = _copies(diffused, inputs[block])
        flat = copies.reshape(-1, *inputs.shape[1:]) if copies.size else inputs[:0]
        classes = logits(classifier, flat, watch).argmax(axis=1).reshape(copies.shape[:2])
        found.append((classes == labels[block, None]).astype(np.float32))
    return {"diffused_hits": np.concatenate(found)}


@signal(provides={"diffusion_error": "weights"}, queries=0)
def diffusion_error(
    examples: Examples,
    diffusion: Diffusion,
    *,
    error: Literal["reconstruction", "noise"] = "reconstruction",
    t: Count = 80,
    n: Count = 10,
    seed: int = 0,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Mean square error (n,) with which a diffusion model denoises each input.

    The model is the defender's, and asked directly: access to its weights is what the attacker
    needs, and none to the classifier. Noise is the attacker's own.

    Args:
        examples: n inputs, arrays; their labels are not looked at.
        diffusion: what denoises them.
        error: of the input that the predicted noise leaves, or of the predicted noise; but for
            its scale, and the range that inputs have, one is the other.
        t: steps of noise.
        n: draws of noise, over which the error is a mean.
        seed: of the noise.
        watch: told the copies done after each call.

    Raises:
        SpecError: the inputs are texts, or the model has fewer steps.
        DataError: the inputs are not of the model's shape and range.
    """
    inputs = _arrays("diffusion_error", examples)
    measure = reconstruction_error if error == "reconstruction" else noise_error
    how, secret = Regeneration(t=t, n=n), derive(seed, "diffusion error").to_bytes(8, "big")
    found = np.zeros(len(inputs), dtype=np.float32)
    for start in range(0, len(inputs), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        found[block] = measure(diffusion, inputs[block], how, secret)
        if watch:
            watch(len(inputs[block]) * n)
    return {"diffusion_error": found}


def _arrays(name: str, examples: Examples) -> Batch:
    if not isinstance(examples.inputs, np.ndarray):
        raise SpecError(
            f"{name}: texts are not regenerated; leave out the attacks by a diffusion model"
        )
    return examples.inputs


def _copies(diffused: Diffused, inputs: Batch) -> np.ndarray:
    found = diffused(inputs)
    fits = found.ndim == inputs.ndim + 1 and found.shape[2:] == inputs.shape[1:]
    if not fits or len(found) != len(inputs) or not found.shape[1]:
        raise SpecError(
            f"diffused_hits: copies of shape {found.shape} of inputs of shape {inputs.shape}; let "
            "it make (n v ...) of (n ...), at least one of each"
        )
    return found
