"""The parts of a study under several seeds: their names, and what they say together."""

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

NAMED = re.compile(r"(.+), seed (\d+)")
TOGETHER = "seeds"  # the part that sums the others up
SEEDS = (0, 1, 2)


def titled(part: str, seed: int) -> str:
    """A part's name under a seed; under the first, 0, it is the part's own."""
    return f"{part}, seed {seed}" if seed else part


def first(found: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of the first seed."""
    return {name: one for name, one in found.items() if name != TOGETHER and not _seed(name)}


def together(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of each part that was measured under several seeds every figure that all of them have.

    A figure is a list (low, value, high), or a mapping with a ``value``; told are the mean of the
    values, the lowest, the highest, and each.
    """
    parts: dict[str, list[Any]] = {}
    for name in sorted((name for name in found if name != TOGETHER), key=_seed):
        parts.setdefault(_part(name), []).append(found[name])
    return {name: _common(ones) for name, ones in parts.items() if len(ones) > 1}


def _seed(name: str) -> int:
    matched = NAMED.fullmatch(name)
    return int(matched[2]) if matched else 0


def _part(name: str) -> str:
    matched = NAMED.fullmatch(name)
    return matched[1] if matched else name


def _common(ones: Sequence[Any]) -> Any:
    """The mean and the ends of one figure, or the same of what stands below; none: no figure."""
    values = [*map(_value, ones)]
    if all(value is not None for value in values):
        ends = {"low": min(values), "value": mean(values), "high": max(values)}
        return {**{name: round(end, 4) for name, end in ends.items()}, "seeds": values}
    if not all(isinstance(one, Mapping) for one in ones):
        return None
    inner = {key: _common([one[key] for one in ones]) for key in _shared(ones)}
    return {key: told for key, told in inner.items() if told} or None


def _value(one: Any) -> float | None:
    if isinstance(one, Mapping):
        return one.get("value")
    numbers = isinstance(one, list) and len(one) == 3 and all(isinstance(end, float) for end in one)
    return one[1] if numbers else None


def _shared(ones: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    return [key for key in ones[0] if all(key in one for one in ones)]
