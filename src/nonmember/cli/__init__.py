"""The command line: words to verbs, and errors to one sentence. No logic."""

import sys

import typer

from nonmember.cli import (
    audits,
    canaries,
    classifier,
    compare,
    export,
    fence,
    gate,
    lists,
    protect,
    transfer,
    verify,
)
from nonmember.cli.flags import app
from nonmember.errors import NonmemberError

__all__ = [
    "app",
    "audits",
    "canaries",
    "classifier",
    "compare",
    "export",
    "fence",
    "gate",
    "lists",
    "main",
    "protect",
    "transfer",
    "verify",
]

INTERRUPTED, CLOSED = 130, 141
"""Exit statuses after Ctrl-C, and where nobody reads on, as the shell has them."""


def main() -> None:
    """Run the command line; a user's mistake is one sentence and exit status 2."""
    try:
        app()
    except NonmemberError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}; mend that and run again", err=True)
        sys.exit(2)
    except Exception as error:
        if not _of_the_disk(error):
            raise
        typer.echo(f"error: {error}; mend that and run again", err=True)
        sys.exit(2)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(CLOSED)  # 1 would say that something was found amiss
        if ended.code == INTERRUPTED:
            typer.echo("interrupted; run the same command again, which repeats no work", err=True)
        raise


def _of_the_disk(error: Exception) -> bool:
    """Whether safetensors met it as it wrote, which has an error of its own for that."""
    return type(error).__name__ == "SafetensorError" and "I/O error" in str(error)
