"""What can go wrong before work starts: one sentence saying where, what, and what to do."""

import difflib
from collections.abc import Iterable


class NonmemberError(Exception):
    r"""Root of every error a user can cause and mend.

    Its message may quote what stands in a file: what would not show there, or would break the
    line, is written as ``\x07`` or ``\n``.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class DataError(NonmemberError):
    """A data file, record or split cannot be used."""


class ModelError(NonmemberError):
    """A model, adapter or tokenizer cannot be used."""


class SpecError(NonmemberError):
    """The description of an audit is wrong."""


class RunError(NonmemberError):
    """A run folder cannot be used, or a run did not do what was asked."""


class UnresolvableError(NonmemberError):
    """The sample is too small to carry the figure that was asked for."""


def printable(text: str) -> str:
    r"""A text on one line, and nothing in it that a terminal obeys: ``\x1b``, ``\n``."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that ``name`` is no such ``kind``, naming the nearest known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3) or names
    return f"no {kind} {name!r}; did you mean {', '.join(near)}?"
