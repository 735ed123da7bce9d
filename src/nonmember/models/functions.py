"""Code of a user's that is called: functions by name, and what it says when it fails."""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.errors import ModelError, unknown
from nonmember.types import Inputs

VALUES = re.compile(r"\[.*\]|(?<!\w)['\"`](?:.*['\"`]|.*)", re.DOTALL)
"""What an error quotes or lists: names of settings, or of what an input holds."""


def imported(name: str) -> Callable[..., Any]:
    """What ``package.module:function`` names; the working folder is searched first, for good.

    Raises:
        ModelError: no such module, it fails on import, has no such name, or that is no function.
    """
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever a module of the user's raises
        raise ModelError(
            f"{name}: the module {module} cannot be imported ({first_line(error)}); start where "
            "it is found, or mend it"
        ) from None
    if not hasattr(found, function):
        near = unknown("function", function, [one for one in dir(found) if one[0] != "_"] or ["-"])
        raise ModelError(f"{name}: in the module {module} there is {near}")
    held = getattr(found, function)
    if not callable(held):
        raise ModelError(f"{name}: is {type(held).__name__} and cannot be called; name a function")
    return held


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    return said[:200]


def without_inputs(error: Exception, inputs: Inputs) -> str:
    """What an error over inputs says, in one line, without what any of them holds.

    Of an error over texts, which may repeat one unquoted, only the kind is told.
    """
    if not isinstance(inputs, np.ndarray) or inputs.dtype.kind not in "fiub":
        return type(error).__name__
    said = VALUES.sub("(left out)", str(error)).strip() or type(error).__name__
    return said.splitlines()[0].rstrip(".")[:200]
