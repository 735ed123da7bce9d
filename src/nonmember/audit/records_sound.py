"""What no audit finds: an AUC above 1, a count below 0, a curve of no points.

Types are held against the records' own before this; here it is what the values say. Whoever
draws or judges results need not fear for them afterwards.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import pairwise
from math import isinf
from typing import Annotated, Any

from pydantic import AllowInfNan, Field, Strict, TypeAdapter

from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import Curve, TprAtFpr

ROUNDING = 1e-9
BEYOND = 1e100  # no figure is as large; its square is still a number
Fault = tuple[str, str]
"""Where a value stands, and what is wrong with it."""

SHARES = {
    "AttackResult": ("auc", "simultaneous", "accuracy"),
    "RoleResult": ("auc", "simultaneous"),
    "PersonsResult": ("auc",),
    "TprAtFpr": ("tpr", "simultaneous", "measured_fpr"),
}
"""Intervals of shares, which lie between 0 and 1 with their ends; a mean's may be infinite."""

LEAST = {"AttackResult": ("members", "non_members"), "TprAtFpr": ("members", "non_members")}
"""Counts of whom a figure is of, which is none of nobody."""

Number = Annotated[float, Strict(), AllowInfNan(False)]
Ends = tuple[Number, Number]


@dataclass(frozen=True)
class _References:
    """What a page reads of a job that made reference models; all else is printed as it stands."""

    models: Annotated[int, Strict()] = 0
    seconds: Number = 0.0
    recipe: Mapping[str, Any] | None = None
    accuracy: Ends | None = None
    left_out: Annotated[Ends | None, Field(alias="accuracy on those left out")] = None


@dataclass(frozen=True)
class _Provenance:
    """What a page reads of where results come from."""

    references: Mapping[str, _References]
    jobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    diffusion: Mapping[str, Any] | None = None


_PROVENANCE = TypeAdapter(_Provenance)


def check_provenance(provenance: Mapping[str, Any]) -> None:
    """Check what a page reads of the provenance, which as such may hold anything.

    Raises:
        ValidationError: naming the place.
    """
    jobs = provenance.get("jobs")
    made = jobs.items() if isinstance(jobs, Mapping) else ()
    references = {label: about for label, about in made if " references " in f"{label} "}
    _PROVENANCE.validate_python({**provenance, "references": references})


def faults(value: Any, place: str = "") -> Iterator[Fault]:
    """Everything in a record that cannot be so, from the outside in.

    Mappings are not looked into: what they hold is printed, and neither drawn nor judged.
    """
    wrong = _wrong(value)
    if wrong is not None:
        yield place, wrong
    if is_dataclass(value) and not isinstance(value, Interval):
        yield from _of_shares(value, place)
        for name in LEAST.get(type(value).__name__, ()):
            if not getattr(value, name):
                yield f"{place}.{name}", "is 0, and a figure is of some"
        for one in fields(value):
            yield from faults(getattr(value, one.name), f"{place}.{one.name}".removeprefix("."))
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from faults(one, f"{place}.{number}")


def _wrong(value: Any) -> str | None:
    if isinstance(value, float):
        return None if abs(value) < BEYOND else "is no figure"
    if isinstance(value, int):
        return "is a count below 0" if value < 0 else None
    look = LOOKS.get(type(value).__name__)
    return None if look is None else look(value)


def _interval(found: Interval) -> str | None:
    ends = found.low, found.high
    if not abs(found.value) < BEYOND or not all(abs(end) < BEYOND or isinf(end) for end in ends):
        return "is no interval of figures"
    if not 0 < found.level < 1:
        return f"has the level {found.level:g}, which is not between 0 and 1"
    if found.low > found.high + ROUNDING:
        return f"begins at {found.low:g} and ends at {found.high:g}, which is less"
    return None


def _rate(found: TprAtFpr) -> str | None:
    return None if 0 < found.fpr <= 1 else f"is at a rate of {found.fpr:g}, not between 0 and 1"


def _curve(found: Curve) -> str | None:
    if len(found.fpr) != len(found.tpr) or len(found.fpr) < 2:
        return f"is a curve of {len(found.fpr)} and {len(found.tpr)} points"
    if not all(_share(point) for point in (*found.fpr, *found.tpr)):
        return "has a point that is not between 0 and 1"
    return None


def _histogram(found: Any) -> str | None:
    bins = len(found.edges) - 1
    if bins < 1 or not len(found.members) == len(found.non_members) == bins:
        counts = f"{len(found.members)} and {len(found.non_members)} bins"
        return f"has {counts} between {len(found.edges)} edges"
    return None if _rising(found.edges) else "has edges that do not rise"


def _rising(edges: Sequence[float]) -> bool:
    return all(one <= other for one, other in pairwise(edges))


def _of_shares(value: Any, place: str) -> Iterator[Fault]:
    for name in SHARES.get(type(value).__name__, ()):
        found = getattr(value, name)
        if found is not None and not all(map(_share, (found.low, found.value, found.high))):
            yield f"{place}.{name}", "is a share that is not between 0 and 1"


def _share(value: float) -> bool:
    return -ROUNDING <= value <= 1 + ROUNDING


LOOKS: dict[str, Callable[[Any], str | None]] = {
    "Interval": _interval,
    "TprAtFpr": _rate,
    "Curve": _curve,
    "Histogram": _histogram,
}
