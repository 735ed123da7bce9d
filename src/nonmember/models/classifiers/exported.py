"""Programs that ``torch.export.save`` wrote, read from a cleaned copy of the archive."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.models.batches import rows_at_once
from nonmember.models.classifiers.answers import Ask
from nonmember.models.classifiers.archive import cleaned
from nonmember.models.classifiers.network import gathered, outputs, refusing
from nonmember.models.functions import first_line
from nonmember.types import Inputs


def asker(path: Path, device: torch.device) -> Ask:
    """Asks a program about arrays; one exported for batches of one size is asked in such.

    Raises:
        ModelError: the file is no such program, holds more than a network, or takes more than
            one tensor.
    """
    program = _read(path, device)
    takes = _takes(path, program)
    network, fixed = program.module(check_guards=False), _number(takes.shape[0])
    sizes = tuple(_number(size) for size in takes.shape[1:])

    def batch(rows: np.ndarray) -> Tensor:
        short = 0 if fixed is None else fixed - len(rows)
        shown = rows if not short else np.concatenate([rows, rows[:1].repeat(short, axis=0)])
        answers = outputs(
            str(path), network(torch.from_numpy(shown.copy()).to(device, takes.dtype))
        )
        return answers[: len(rows)]

    def ask(inputs: Inputs) -> np.ndarray:
        if not isinstance(inputs, np.ndarray) or not _fits(inputs.shape[1:], sizes):
            given = f"shape {inputs.shape[1:]}" if isinstance(inputs, np.ndarray) else "texts"
            raise ModelError(
                f"{path}: is given inputs in {given} and takes shape {_said(sizes)}; give the "
                "inputs in the form it was exported for"
            )
        with refusing(str(path), inputs, f"shape {_said(sizes)}"):
            return gathered(batch, inputs, fixed or rows_at_once(inputs.shape[1:], device))

    return ask


def _read(path: Path, device: torch.device) -> Any:
    copy = cleaned(path)
    try:
        program = torch.export.load(copy)
        return program if device.type == "cpu" else _moved(program, device)
    except Exception as error:  # whatever a parser meets in foreign bytes
        raise ModelError(
            f"{path}: cannot be loaded by PyTorch {torch.__version__} ({first_line(error)}); "
            "export it again with this version"
        ) from None


def _moved(program: Any, device: torch.device) -> Any:
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(program, device)


def _takes(path: Path, program: Any) -> Tensor:
    """What the program's one input looks like; sizes that may vary are symbols."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    found = [nodes[name].meta["val"] for name in names if name in nodes]
    if len(names) != 1 or not isinstance(found[0], Tensor) or not found[0].ndim:
        raise ModelError(
            f"{path}: takes {len(names)} inputs; export a network of one tensor, (batch ...)"
        )
    return found[0]


def _number(size: Any) -> int | None:
    return size if isinstance(size, int) else None


def _fits(shape: tuple[int, ...], sizes: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, sizes, strict=False)
    return len(shape) == len(sizes) and all(size in (None, given) for given, size in pairs)


def _said(sizes: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in sizes) + ")"
