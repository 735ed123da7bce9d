"""docs/benchmarks.md from results/*.json and ledger.toml, and the tables of other pages.

    python benchmarks/document.py

No figure is written by hand: the ledger holds words, aims, and the way to each figure in the
results; other pages hold tables by name (`tables.py`), between `<!-- table: NAME -->` and
`<!-- end of table -->`. A test holds all of them against the results.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tables import TABLES, results

LEDGER = Path(__file__).parent / "ledger.toml"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HELD = re.compile(r"<!-- table: ([^\n]+) -->\n.*?<!-- end of table -->", re.DOTALL)
HEAD = "| what | measured | aim | |\n|---|---|---|---|"


def write() -> None:
    """Write the document, and the tables of the other pages, anew."""
    PAGE.write_text(render(), encoding="utf-8")
    for page in PAGE.parent.glob("*.md"):
        held = page.read_text(encoding="utf-8")
        if held != filled(held):
            page.write_text(filled(held), encoding="utf-8")


def filled(page: str) -> str:
    """A page with its tables as the results are.

    Raises:
        KeyError: it asks for a table that nothing writes.
    """

    def table(held: re.Match[str]) -> str:
        return f"<!-- table: {held[1]} -->\n\n{TABLES[held[1]]()}\n\n<!-- end of table -->"

    return HELD.sub(table, page)


def render() -> str:
    """The document: chapters of the ledger, each with its words and a table, and the machines."""
    ledger = tomllib.loads(LEDGER.read_text(encoding="utf-8"))
    parts = ["# Benchmarks", ledger["opening"].strip()]
    for chapter in ledger["chapter"]:
        parts += [f"## {chapter['title']}", chapter["words"].strip()]
        if chapter.get("row"):
            parts.append("\n".join([HEAD, *map(_row, chapter["row"])]))
        parts += [chapter["after"].strip()] if "after" in chapter else []
    parts += ["## Machines and dates", "\n".join(_machines(ledger["chapter"]))]
    return "\n\n".join(parts) + "\n"


def _row(row: Mapping[str, Any]) -> str:
    found = figure(row["at"])
    unit = row.get("unit", "")
    aim, met = "", ""
    if "most" in row:
        aim, met = f"at most {row['most']:g}{unit}", _met(_middle(found) <= row["most"])
    if "least" in row:
        aim, met = f"at least {row['least']:g}{unit}", _met(_middle(found) >= row["least"])
    return f"| {row['what']} | {_shown(found, unit)} | {row.get('claim', aim)} | {met} |"


def figure(at: Sequence[str]) -> Any:
    """What stands in the results at a path: a file's name, and keys or places below it.

    Raises:
        KeyError: nothing stands there.
    """
    found: Any = results(at[0])
    for key in at[1:]:
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (KeyError, IndexError):
            raise KeyError(f"results/{at[0]}.json has nothing at {' > '.join(at[1:])}") from None
    return found


def _middle(found: Any) -> float:
    """The figure itself, of one that comes with ends."""
    if isinstance(found, Mapping):
        return float(found["median"] if "median" in found else found["value"])
    return float(found[1] if isinstance(found, list) else found)


def _ends(found: Any) -> tuple[float, float] | None:
    if isinstance(found, Mapping):
        low, high = found.get("interval") or (found["low"], found["high"])
        return low, high
    return (found[0], found[2]) if isinstance(found, list) else None


def _shown(found: Any, unit: str) -> str:
    ends = _ends(found)
    spread = f" [{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    return f"{_number(_middle(found))}{unit}{spread}"


def _number(value: float) -> str:
    if value and abs(value) < 1:
        return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _met(reached: bool) -> str:
    return "met" if reached else "**missed**"


def _machines(chapters: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line for each file: on what, with which versions, and when its parts were measured."""
    names = {row["at"][0] for chapter in chapters for row in chapter.get("row", ())}
    for name in sorted(names):
        told = [*_descriptions(results(name))]
        if not told:
            raise KeyError(f"results/{name}.json: no part says on what machine it was measured")
        dates = sorted({one["date"] for one in told})
        last = max(told, key=lambda one: one["date"])
        days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        made = ", ".join(f"{package} {number}" for package, number in last["versions"].items())
        yield (
            f"* `{name}`: {last['processor']}, {last['cores']} cores, {last['system']}, Python "
            f"{last['python']}, {made}; {days}"
        )


def _descriptions(found: Any) -> Iterator[Mapping[str, Any]]:
    """Every description of a machine that stands somewhere in some results."""
    if not isinstance(found, Mapping):
        return
    if "processor" in found and "versions" in found:
        yield found
        return
    for inner in found.values():
        yield from _descriptions(inner)


if __name__ == "__main__":
    write()
