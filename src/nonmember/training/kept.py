"""Trained reference models in the store: written once, and checked whenever they are read."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensors_as_bytes
from torch import Tensor

from nonmember.data.examples import Examples
from nonmember.errors import RunError
from nonmember.models.architecture import Architecture, trusted
from nonmember.models.classifiers.answers import Target
from nonmember.models.classifiers.estimator import asker
from nonmember.signals.store import Store, note
from nonmember.training.ensemble import ensemble_logits
from nonmember.training.fleet import Make, State
from nonmember.types import Inputs, RefLogits, RefMember

FILES = {"network": "weights.safetensors", "estimator": "estimator.skops"}
ROWS = 4096


@runtime_checkable
class References(Protocol):
    """m reference models that can be asked together."""

    def logits(self, inputs: Inputs) -> RefLogits:
        """Logits (m n c), float32, of n inputs; log-probabilities of estimators."""


@dataclass(frozen=True)
class Networks:
    """Networks of one architecture, asked one after the other."""

    make: Make
    states: tuple[State, ...]
    device: str

    def logits(self, inputs: Inputs) -> RefLogits:
        """As ``References`` has it."""
        return ensemble_logits(self.make, self.states, np.asarray(inputs), device=self.device)


@dataclass(frozen=True)
class Estimators:
    """Estimators, asked one after the other, their probabilities as those of a target are."""

    fitted: tuple[Target, ...]

    def logits(self, inputs: Inputs) -> RefLogits:
        """As ``References`` has it."""
        return np.stack([one.logits(inputs) for one in self.fitted])


def hits(references: References, examples: Examples) -> RefMember:
    """Whether each model's likeliest class is the true one, (m n)."""
    found = []
    for first in range(0, len(examples), ROWS):
        some = examples.take(np.arange(first, min(first + ROWS, len(examples))))
        found.append(references.logits(some.inputs).argmax(axis=2) == some.labels)
    return np.concatenate(found, axis=1)


def put(
    store: Store,
    architecture: Architecture,
    address: str,
    made: Any,
    rows: UInt8[np.ndarray, "k 16"],
    about: Mapping[str, Any],
) -> None:
    """Keep a state of a network, or a fitted estimator, under its address.

    Args:
        store: where.
        architecture: what it was made of.
        address: its own, which the record names too.
        made: the state, or the estimator.
        rows: what it was trained on, by content and in order.
        about: what else is to be known.
    """
    weights = _as_bytes(architecture, made)
    with store.writing(address) as folder:
        (folder / FILES[architecture.kind]).write_bytes(weights)
        np.save(folder / "rows.npy", rows, allow_pickle=False)
        own = {
            "address": address,
            "architecture": architecture.name,
            "architecture digest": architecture.digest,
            "weights sha256": hashlib.sha256(weights).hexdigest(),
            "rows sha256": hashlib.sha256(rows.tobytes()).hexdigest(),
        }
        note(folder, own | dict(about))


def load(
    architecture: Architecture, addresses: Sequence[str], store: Store, *, device: str = "cpu"
) -> References:
    """The reference models at these addresses, in this order, ready to be asked.

    Raises:
        RunError: one is missing, damaged, of another architecture, or that of another address.
    """
    if architecture.kind == "network":
        states = tuple(state(architecture, address, store) for address in addresses)
        return Networks(architecture.make, states, device)
    return asked(architecture, [_estimator(architecture, one, store) for one in addresses])


def asked(architecture: Architecture, fitted: Sequence[Any]) -> Estimators:
    """Fitted estimators, ready to be asked."""
    name, classes = architecture.name, architecture.classes
    return Estimators(
        tuple(Target(name, asker(name, one), "probabilities", classes) for one in fitted)
    )


def state(architecture: Architecture, address: str, store: Store) -> dict[str, Tensor]:
    """The weights of the network at an address.

    Raises:
        RunError: as for ``load``.
    """
    path, content = _checked(architecture, address, store)
    try:
        return read_tensors(content)
    except SafetensorError as error:
        raise _damaged(path, str(error)) from None


def _estimator(architecture: Architecture, address: str, store: Store) -> Any:
    from skops import io

    path, content = _checked(architecture, address, store)
    foreign = io.get_untrusted_types(data=content)
    if not trusted(foreign):
        raise _damaged(path, f"it names {', '.join(foreign[:3])}, no classes of scikit-learn")
    return io.loads(content, trusted=foreign)


def _as_bytes(architecture: Architecture, made: Any) -> bytes:
    if architecture.kind == "network":
        return tensors_as_bytes({name: one.contiguous() for name, one in made.items()})
    from skops import io

    return io.dumps(made)


def _checked(architecture: Architecture, address: str, store: Store) -> tuple[Path, bytes]:
    """A model's file and its content, if it is what its record says, and is of this address."""
    about, folder = store.provenance(address), store.folder(address)
    path = folder / FILES[architecture.kind]
    if about.get("address") != address:
        raise RunError(
            f"{folder}: holds the model of the address {about.get('address')}; delete the folder "
            "and run again"
        )
    if about.get("architecture digest") != architecture.digest:
        raise RunError(
            f"{folder}: its model is {about.get('architecture')} as it was then, and "
            f"{architecture.name} as it is now differs; train with the one that is asked"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, str(error)) from None
    if hashlib.sha256(content).hexdigest() != about.get("weights sha256"):
        raise _damaged(path, "its content is not what was written")
    return path, content


def _damaged(path: Path, why: str) -> RunError:
    return RunError(
        f"{path}: damaged or missing ({why}); delete the folder {path.parent} and run again"
    )
