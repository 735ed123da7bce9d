"""One dict of defenses, one of selectors. A decorator fills each and hands the function back."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from nonmember.errors import SpecError, unknown

Stage = Literal["data", "training"]
RECIPE = "recipe"
"""The one thing that a training-stage defense is given."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Defense:
    """A published method, by the stage at which it steps in.

    At the data stage ``apply`` goes from what it ``needs`` (in order, one entry per training
    record: its ``exposure``, ``texts`` whole, or what is ``spoken`` and so trained on) to a
    role per record; at the training stage from a recipe to a recipe.
    """

    stage: Stage
    name: str
    apply: Callable[..., Any]
    paper: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    rewrites: bool = False


@dataclass(frozen=True)
class Selector:
    """How exposed each training record is, from what the attacks would see of a warm-up model.

    ``needs`` name the signals, in order; one that needs no model needs no warm-up either.
    """

    name: str
    exposure: Callable[..., Any]
    needs: tuple[str, ...]
    options: Mapping[str, Any]


DEFENSES: dict[str, Defense] = {}
SELECTORS: dict[str, Selector] = {}


def defense(*, stage: Stage, paper: str, rewrites: bool = False) -> Callable[[F], F]:
    """Register a defense under its own name.

    Its positional parameters name what it needs, its keyword-only ones are its options; with
    ``rewrites`` some of the roles that it gives are to be rewritten.

    Raises:
        SpecError: the name is taken, or one of the training stage asks for more than a recipe.
    """

    def register(fn: F) -> F:
        needs, options = _signature(fn)
        if (needs == (RECIPE,)) != (stage == "training"):
            raise SpecError(
                f"defense {fn.__name__!r}: needs {', '.join(needs) or 'nothing'} at the {stage} "
                f"stage; take {RECIPE} alone at the training stage, and only there"
            )
        _free("defense", fn.__name__, DEFENSES)
        DEFENSES[fn.__name__] = Defense(stage, fn.__name__, fn, paper, needs, options, rewrites)
        return fn

    return register


def selector(fn: F) -> F:
    """Register a measure of exposure under its own name; parameters as a defense's.

    Raises:
        SpecError: the name is taken.
    """
    _free("selector", fn.__name__, SELECTORS)
    SELECTORS[fn.__name__] = Selector(fn.__name__, fn, *_signature(fn))
    return fn


def get(name: str) -> Defense:
    """Look up a defense by its name.

    Raises:
        SpecError: there is none; the message names the closest.
    """
    if name not in DEFENSES:
        raise SpecError(unknown("defense", name, DEFENSES))
    return DEFENSES[name]


def _signature(fn: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    parameters = inspect.signature(fn).parameters.values()
    needs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    return needs, {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _free(kind: str, name: str, taken: Mapping[str, Any]) -> None:
    if name in taken:
        raise SpecError(f"{kind} {name!r} is already registered; give yours another name")
