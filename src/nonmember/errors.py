"""What can go wrong before work starts: one sentence saying where, what, and what to do."""

import difflib
from collections.abc import Iterable


class NonmemberError(Exception):
    """Root of every error a user can cause and mend."""


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


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that ``name`` is no such ``kind``, naming the nearest known ones."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3) or names
    return f"no {kind} {name!r}; did you mean {', '.join(near)}?"
