"""The command line: words to verbs, and errors to one sentence. No logic."""

import sys

import typer

from nonmember.cli import audits, classifier, fence, lists, protect, transfer
from nonmember.cli.flags import app
from nonmember.errors import NonmemberError

__all__ = ["app", "audits", "classifier", "fence", "lists", "main", "protect", "transfer"]


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
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where this one stopped", err=True)
        sys.exit(130)
