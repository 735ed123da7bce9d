"""One dict of rewriters. A decorator fills it and hands the function back unchanged."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nonmember.errors import SpecError, unknown
from nonmember.options import checked
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewriter

F = TypeVar("F", bound=Callable[..., Rewriter])


@dataclass(frozen=True)
class Make:
    """A rewriter by name: what makes it, its options, and what its rewrites must hold to."""

    name: str
    make: Callable[..., Rewriter]
    options: Mapping[str, Any]
    limits: Limits


REWRITERS: dict[str, Make] = {}


def rewriter(*, limits: Limits) -> Callable[[F], F]:
    """Register what makes a rewriter under the function's own name.

    Its parameters are keyword-only and have defaults: they are the options. It checks all
    that can be wrong and returns at once; models are read and connections opened by the
    first ``rewrite``.

    Args:
        limits: of the gates, as they suit what it writes; a user may set others.

    Raises:
        SpecError: the name is taken, or a parameter is no option.
    """

    def register(fn: F) -> F:
        name, parameters = fn.__name__, inspect.signature(fn).parameters.values()
        options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        if len(options) < len(parameters) or inspect.Parameter.empty in options.values():
            raise SpecError(
                f"rewriter {name!r}: a parameter is not keyword-only or has no default; "
                "make it an option"
            )
        if name in REWRITERS:
            raise SpecError(f"rewriter {name!r} is already registered; give yours another name")
        REWRITERS[name] = Make(name, fn, options, limits)
        return fn

    return register


def get(name: str) -> Make:
    """Look up a rewriter by its name.

    Raises:
        SpecError: there is none; the message names the closest.
    """
    if name not in REWRITERS:
        raise SpecError(unknown("rewriter", name, REWRITERS))
    return REWRITERS[name]


def made(name: str, options: Mapping[str, Any]) -> Rewriter:
    """The rewriter with these options, the others at their defaults.

    Raises:
        SpecError: no such rewriter or option, or a value that it cannot take.
        ModelError: there is no such model.
    """
    found = get(name)
    return found.make(**checked(found.make, found.options, options, f"rewriter {name}"))
