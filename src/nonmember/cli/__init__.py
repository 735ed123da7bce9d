"""The command line: words to verbs, and errors to one sentence. No logic."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

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
from nonmember.cli.emitted import say
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
        with _noting() as pressed:
            app()
    except (Exception, KeyboardInterrupt) as error:
        if pressed or isinstance(error, KeyboardInterrupt):
            _interrupted()
        if (said := _sentence(error)) is None:
            raise
        say(f"error: {said}", err=True)
        sys.exit(2)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            sys.exit(CLOSED)  # 1 would say that something was found amiss
        if ended.code == INTERRUPTED:
            _interrupted()
        raise


@contextmanager
def _noting() -> Iterator[list[int]]:
    """Notes each Ctrl-C: an import that one breaks off may raise an error of another kind."""
    pressed, before = list[int](), signal.getsignal(signal.SIGINT)

    def press(number: int, _frame: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    if before is not signal.default_int_handler:  # ignored, or somebody else's
        yield pressed
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted() -> NoReturn:
    say("interrupted; run the same command again, which repeats no work", err=True)
    sys.exit(INTERRUPTED)


def _sentence(error: BaseException) -> str | None:
    """What a user is told of an error; None: it is a defect of this program."""
    if isinstance(error, NonmemberError):
        return str(error)
    if isinstance(error, OSError):  # a full disk, a folder that may not be written
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}; mend that and run again"
    return f"{error}; mend that and run again" if _of_the_disk(error) else None


def _of_the_disk(error: BaseException) -> bool:
    """Whether safetensors met it as it wrote, which has an error of its own for that."""
    return type(error).__name__ == "SafetensorError" and "I/O error" in str(error)
