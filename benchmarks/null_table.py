"""The tables of simulated audits for the documentation, as Markdown.

    python benchmarks/null_table.py > tables.md

From benchmarks/results/null_bounds.json and null_intervals.json, which null_bounds.py and
null_intervals.py write.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from machine import RESULTS

SIZES = ("100", "500", "2000")
HEADS = ("n = 100", "n = 500", "n = 2,000", "simulations of each")


def main() -> None:
    """Print all of it."""
    for line in tables():
        print(line)


def tables() -> Iterator[str]:
    """Bounds of epsilon, tests, and intervals, each against the rate that was asked for."""
    bounds = _read("null_bounds")["false alarms"]
    rates = {name: _shares(each) for name, each in bounds["rates"].items()}
    sizes = [f"n = {int(n):,}" for n in next(iter(bounds["rates"].values()))]
    yield f"Bounds above 0 where nothing leaks, in {bounds['nulls']:,} audits each, nominally 5 %:"
    yield from _table("bound", sizes, rates)
    found = _read("null_intervals")
    yield ""
    yield "False alarms of tests at 5 % where there is nothing to find:"
    yield from _table("test", HEADS, _cells(found["false alarms"]))
    yield ""
    yield "Coverage of 95 % intervals:"
    yield from _table("interval", HEADS, _cells(found["coverage"]))


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _shares(each: Mapping[str, float]) -> list[str]:
    return [f"{share:.1%}" for share in each.values()]


def _cells(found: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: [*_shares({n: each[n] for n in SIZES}), ", ".join(map(str, each["simulations"]))]
        for name, each in found.items()
        if isinstance(each, dict) and "simulations" in each
    }


def _table(what: str, heads: Sequence[str], rows: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield ""
    yield f"| {what} | " + " | ".join(heads) + " |"
    yield "|---|" + "---:|" * len(heads)
    for name, cells in rows.items():
        yield f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
