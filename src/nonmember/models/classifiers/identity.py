"""What a classifier is, by content: equal digests give equal answers."""

import hashlib
import pickletools
import re
from collections.abc import Iterable, Set
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import joblib
import numpy as np
import torch
from torch import Tensor, fx, nn

from nonmember.errors import ModelError
from nonmember.models.content import identity, parts
from nonmember.models.functions import first_line
from nonmember.models.source import digest

UNTOLD = frozenset(("training", "_compiled_call_impl"))
"""What a layer holds that decides no answer."""
TRACED = frozenset(("_graph", "_tracer_cls", "_tracer_extras", "_lineno_map", "_prologue_start"))
"""What a traced network holds of how it came about; it runs its code."""
PROGRAM = re.compile(r"/(data/|constants/|data\.pkl$|constants\.pkl$|code/.*\.py$)")
"""What of a compiled program decides its answers: not where its lines stood, nor samples."""
MANGLED = re.compile(r"[./]?___torch_mangle_\d+")  # counts the classes of a process


def of_file(path: Path) -> str:
    """A digest of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_network(network: nn.Module, *, weights: bool = True) -> str:
    """A digest of a network: its layers with all settings, hooks, code and weights, by content.

    Without ``weights``, the shapes and types of those that a file of weights holds stand for
    them. Whether it is in training mode, and which weights have gradients, says nothing of its
    answers and is left out.
    """
    filed = set() if weights else {id(one) for one in network.state_dict(keep_vars=True).values()}
    return digest("network", identity(network, partial(_parts, filed)))


def of_estimator(name: str, estimator: object) -> str:
    """A digest of an estimator: its state, the code of the user's in it, scikit-learn's version.

    Raises:
        ModelError: it holds something that has no content, such as an open file or a lambda.
    """
    import sklearn

    try:
        state = joblib.hash(estimator)
    except Exception as error:  # whatever its parts raise when they are written down
        raise ModelError(
            f"{name}: holds what cannot be told by content ({first_line(error)}); build it of "
            "named functions and classes"
        ) from None
    code = identity(estimator, partial(_parts, frozenset()))
    return digest("estimator", sklearn.__version__, code, str(state))


def _parts(filed: Set[int], value: object) -> Iterable[object]:
    """As ``parts``, without what decides no answer, and of ``filed`` tensors the form alone."""
    if isinstance(value, Tensor):
        return [
            str(value.dtype),
            tuple(value.shape),
            *([] if id(value) in filed else [_sum(value)]),
        ]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        plain = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
        return [value.dtype.str, value.shape, hashlib.sha256(plain.data).hexdigest()]
    if not isinstance(value, nn.Module):
        return parts(value)
    if isinstance(value, torch.jit.ScriptModule):
        return _program(value)
    return _layer(value)


def _layer(layer: nn.Module) -> list[object]:
    kind, held = parts(layer)
    assert isinstance(held, dict)
    left = UNTOLD
    if isinstance(layer, fx.GraphModule):
        kind, left = type(layer).forward, UNTOLD | TRACED
    return [kind, {key: one for key, one in held.items() if key not in left}]


def _program(compiled: Any) -> list[object]:
    """A compiled program: its code, what its layers hold, and its tensors; its mode counts."""
    with ZipFile(BytesIO(compiled.save_to_buffer())) as archive:
        names = [name for name in archive.namelist() if PROGRAM.search(name)]
        return [(MANGLED.sub("", name), _member(name, archive.read(name))) for name in names]


def _member(name: str, content: bytes) -> object:
    if name.endswith(".pkl"):  # read as a list, and never run
        told = [f"{code.name} {held}" for code, held, _ in pickletools.genops(content)]
        return [MANGLED.sub("", one) for one in told]
    if name.endswith(".py"):
        return MANGLED.sub("", content.decode())
    return hashlib.sha256(content).hexdigest()


def _sum(tensor: Tensor) -> str:
    plain = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(plain.numpy().data).hexdigest()
