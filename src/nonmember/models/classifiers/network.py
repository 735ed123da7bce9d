"""Any torch network, asked in batches and left as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.errors import ModelError
from nonmember.models.batches import rows_at_once
from nonmember.models.classifiers.answers import Ask, Gives
from nonmember.models.functions import first_line
from nonmember.types import Inputs


def asker(name: str, network: nn.Module) -> Ask:
    """Asks a network where it stands, in evaluation mode, whose state is put back afterwards."""

    def ask(inputs: Inputs) -> np.ndarray:
        if not isinstance(inputs, np.ndarray):
            raise ModelError(f"{name}: takes arrays and is given texts; give the inputs as arrays")
        device, dtype = _place(network), _dtype(network, inputs)

        def batch(rows: np.ndarray) -> Tensor:
            return outputs(name, network(torch.from_numpy(rows.copy()).to(device, dtype)))

        with evaluating(network), refusing(name, inputs, wanted(network)):
            return gathered(batch, inputs, rows_at_once(inputs.shape[1:], device))

    return ask


def gathered(batch: Callable[[Any], Tensor], inputs: Inputs, rows: int) -> np.ndarray:
    """The answers to batches of so many inputs, one under the other."""
    starts = range(0, max(len(inputs), 1), rows)
    with torch.inference_mode():
        found = [batch(inputs[start : start + rows]).float().cpu().numpy() for start in starts]
    return np.concatenate(found)


def outputs(name: str, given: Any) -> Tensor:
    """The tensor of what a network gives: itself, or its ``logits``.

    Raises:
        ModelError: it gives something else.
    """
    found = given.get("logits") if isinstance(given, dict) else getattr(given, "logits", given)
    if not isinstance(found, Tensor) or not (found.is_floating_point()):
        raise ModelError(
            f"{name}: gives {type(given).__name__}; let it give a tensor of logits, "
            "(inputs classes)"
        )
    return found[:, None] if found.ndim == 1 else found


def gives(network: nn.Module) -> Gives | None:
    """What a network's last layer says that it gives; None: its answers must tell."""
    leaves = [one for one in network.modules() if not any(True for _ in one.children())]
    last = leaves[-1] if leaves else None
    if isinstance(last, nn.LogSoftmax):
        return "logits"
    return "probabilities" if isinstance(last, nn.Sigmoid | nn.Softmax) else None


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """In evaluation mode; every part's own mode is put back."""
    modes = [(one, one.training) for one in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for one, training in modes:
            one.training = training


@contextmanager
def refusing(name: str, inputs: np.ndarray, takes: str) -> Iterator[None]:
    """Say which inputs a network was given and which it takes, when it breaks over them."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            f"{name}: refuses inputs of {inputs.dtype} in shape {inputs.shape[1:]}; it takes "
            f"{takes} ({first_line(error)}); give the inputs in the form it was trained on"
        ) from None


def wanted(network: nn.Module) -> str:
    """What a network's first layer takes, in words."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            return f"shape ({layer.in_features},) at its first linear layer"
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            sizes = ", size" * len(layer.kernel_size)
            return f"shape ({layer.in_channels}{sizes}) at its first convolution"
        if isinstance(layer, nn.Embedding):
            return f"whole numbers below {layer.num_embeddings}"
    return "another shape"


def _place(network: nn.Module) -> torch.device:
    tensor = next(chain(network.parameters(), network.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def _dtype(network: nn.Module, inputs: np.ndarray) -> torch.dtype:
    # Whole numbers go to a table of embeddings as they are; any other layer multiplies them.
    looks_up = any(isinstance(one, nn.Embedding | nn.EmbeddingBag) for one in network.modules())
    if looks_up and inputs.dtype.kind in "iu":
        return torch.int64
    floats = (one.dtype for one in network.parameters() if one.is_floating_point())
    return next(floats, torch.float32)
