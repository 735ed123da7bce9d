"""One dict of defenses, one of selectors. A decorator fills each and hands the function back."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Literal, TypeVar

from nonmember.errors import SpecError, unknown

Family = Literal["language", "classifier"]
Stage = Literal["data", "training", "inference"]
RECIPE = "recipe"
"""The one thing that a training-stage defense is given."""
CLASSIFIER = "classifier"
"""The first thing that an inference-stage defense is given."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Defense:
    """A published method, by what kind of model it defends and the stage at which it steps in.

    At the data stage ``apply`` goes from what it ``needs`` (in order, one entry per training
    record: its ``exposure``, ``texts`` whole, or what is ``spoken`` and so trained on) to a
    role per record; at the training stage from a recipe to a recipe; at the inference stage
    from a classifier, and what the defender has beside it, to a classifier.
    """

    family: Family
    stage: Stage
    name: str
    apply: Callable[..., Any]
    paper: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    rewrites: bool = False

    @property
    def key(self) -> str:
        """The name under which it is registered, e.g. ``language.soft``."""
        return f"{self.family}.{self.name}"


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


def defense(
    *, family: Family, stage: Stage, paper: str, rewrites: bool = False
) -> Callable[[F], F]:
    """Register a defense under its family and its own name.

    Its positional parameters name what it needs, its keyword-only ones are its options; with
    ``rewrites`` some of the roles that it gives are to be rewritten.

    Raises:
        SpecError: the name is taken in its family, or what it needs is not of its stage: a
            recipe alone at the training stage, a classifier first at the inference stage.
    """

    def register(fn: F) -> F:
        needs, options = _signature(fn)
        _suits(fn.__name__, stage, needs)
        made = Defense(family, stage, fn.__name__, fn, paper, needs, options, rewrites)
        _free("defense", made.key, DEFENSES)
        DEFENSES[made.key] = made
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


def load_plugins() -> None:
    """Import third parties' defenses, so that they register themselves."""
    for point in entry_points(group="nonmember.defenses"):
        import_module(point.module)  # the attribute may not be there yet, if it is importing us


def of_family(family: Family) -> dict[str, Defense]:
    """The defenses of a family by their names."""
    return {one.name: one for one in DEFENSES.values() if one.family == family}


def get(name: str, family: Family) -> Defense:
    """Look up a defense of a family by its name.

    Raises:
        SpecError: there is none; the message names the closest.
    """
    known = of_family(family)
    if name not in known:
        raise SpecError(unknown("defense", name, known))
    return known[name]


def _suits(name: str, stage: Stage, needs: tuple[str, ...]) -> None:
    first = needs[:1] == (CLASSIFIER,)
    if (needs == (RECIPE,)) != (stage == "training") or first != (stage == "inference"):
        raise SpecError(
            f"defense {name!r}: needs {', '.join(needs) or 'nothing'} at the {stage} stage; take "
            f"{RECIPE} alone at the training stage, {CLASSIFIER} first at the inference stage, "
            "and neither at another"
        )


def _signature(fn: Callable[..., Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    parameters = inspect.signature(fn).parameters.values()
    needs = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    return needs, {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def _free(kind: str, name: str, taken: Mapping[str, Any]) -> None:
    if name in taken:
        raise SpecError(f"{kind} {name!r} is already registered; give yours another name")
