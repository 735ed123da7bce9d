"""What a command says itself: lines for whoever reads it, one object for a program."""

import json
import sys
from typing import Any

import typer

from nonmember.errors import printable


def say(text: str, *, err: bool = False) -> None:
    """Print a line; the paths and names in it may be anybody's, and give a terminal no order."""
    typer.echo(printable(text), err=err)


def emit(found: Any) -> None:
    """Print what a command found as one JSON object on one line: what ``--json`` asks for.

    Args:
        found: a mapping, dataclass or model of plain values, paths and NumPy's numbers. A number
            that is not finite becomes null, a character beyond ASCII its escape.
    """
    from pydantic_core import to_jsonable_python

    values = to_jsonable_python(found, inf_nan_mode="null", fallback=lambda value: value.tolist())
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()  # whoever reads it may wait for it while the command goes on
