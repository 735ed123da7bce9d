"""TMI on digits: what fine-tuned models tell of their parents' training data.

    python benchmarks/tmi.py --store DIR [--only PART ...] [--seeds 0 1 2] [--tiny]

128 parents of a small network in 64 complementary pairs, a fifth of their labels redrawn; their
children for another task, in eight ways of fine-tuning; every model a victim once, with its pair
left out. A part is a name or the beginning of several: `speed`, `upper`, `8.1 head` and so on for
each way, `8.2 models`, `8.2 who leaks`, `8.2 seen less`, `8.2 shrinkage`, `8.2 redrawn views`,
`8.2 shared initialisation`, `8.2 independent masks`, `8.2 halves`, and last `checks`: whether what
was measured is what was expected, from the parts that are kept. Models are kept in the store, so
that an interrupted part goes on where it stopped. Writes benchmarks/results/tmi.json; with
`--tiny` (16 models, one seed) it only prints.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import tmi_parts as parts
from machine import RESULTS, keep
from tmi_figures import table
from tmi_world import SETTINGS, World, timed

from nonmember.signals.store import Store

MODELS, TINY = 128, 16
Part = Callable[[Sequence[World]], dict[str, Any]]


def speed(worlds: Sequence[World]) -> dict[str, Any]:
    """128 parents and their children with a new head, from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        found = timed(World(0, Store(Path(folder)), worlds[0].models))
    return {"seconds": found, "target": 60, "models": worlds[0].models}


PARTS: dict[str, Part] = {
    "speed": speed,
    "upper": parts.upper,
    **{f"8.1 {name}": partial(parts.setting, name) for name in SETTINGS},
    "8.2 models": parts.by_models,
    "8.2 who leaks": parts.who_leaks,
    "8.2 seen less": parts.seen_less,
    "8.2 shrinkage": parts.shrinkage,
    "8.2 redrawn views": parts.redrawn,
    "8.2 shared initialisation": partial(parts.otherwise, design="shared"),
    "8.2 independent masks": partial(parts.otherwise, design="independent"),
    "8.2 halves": parts.halves,
}


def checks(kept: dict[str, Any]) -> dict[str, Any]:
    """The specification's conditions, each with its figures; None: not measured yet."""
    rows = {name: kept.get(f"8.1 {name}", {}) for name in SETTINGS}

    def value(name: str, column: str = "LDA") -> float:
        return float(rows[name][column]["value"])

    conditions: dict[str, Callable[[], bool]] = {
        "head: LDA within .61-.66": lambda: 0.61 <= value("head") <= 0.66,
        "head: LDA not below MLP unit - .005": lambda: (
            value("head") >= value("head", "MLP unit") - 0.005
        ),
        "LDA of head above last 2": lambda: value("head") > value("last 2 layers"),
        "LDA of last 2 above full + .01": lambda: value("last 2 layers") > value("full") + 0.01,
        "eps 6.7 not below head - .01": lambda: value("dp_head eps 6.7") >= value("head") - 0.01,
        "eps .46 below eps .99": lambda: value("dp_head eps .46") < value("dp_head eps .99"),
        "placebo within .48-.52": lambda: all(
            0.48 <= one <= 0.52 for name in rows for one in rows[name]["placebo"]["seeds"]
        ),
        "upper reference within .85-.90": lambda: 0.85 <= kept["upper"]["auc"]["value"] <= 0.90,
        "max confidence at most .55": lambda: all(
            value(name, "max confidence") <= 0.55 for name in rows
        ),
        "parents and heads under 60 seconds": lambda: kept["speed"]["seconds"]["together"] < 60,
    }
    return {name: _met(condition) for name, condition in conditions.items()}


def _met(condition: Callable[[], bool]) -> bool | None:
    try:
        return condition()
    except KeyError:
        return None


def shown(found: dict[str, Any]) -> str:
    """The tables in Markdown, of what there is; the specification's figures in brackets."""
    rows = {name: found[f"8.1 {name}"] for name in SETTINGS if f"8.1 {name}" in found}
    lines = [table(rows, parts.COLUMNS_81)] if rows else []
    for name, part in found.items():
        if name == "8.2 models":
            counts = {key: part[key] for key in parts.BY_MODELS}
            lines.append(table(counts, list(next(iter(counts.values())))))
        elif name.startswith("8.2"):
            told = {key: one for key, one in part.items() if "specification" in _dict(one)}
            lines.append(
                table({f"{name}: {key}": {"AUC": one} for key, one in told.items()}, ["AUC"])
            )
    return "\n\n".join(lines)


def _dict(one: object) -> dict[str, Any]:
    return one if isinstance(one, dict) else {}


def main() -> None:
    """Measure what was asked for, a part after another, and keep each with the machine's state."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tiny", action="store_true")
    line = parser.parse_args()
    chosen = [name for name in (*PARTS, "checks") if name.startswith(tuple(line.only))]
    if not chosen:
        raise SystemExit(f"--only {' '.join(line.only)}: give the beginning of {', '.join(PARTS)}")
    models, seeds = (TINY, line.seeds[:1]) if line.tiny else (MODELS, line.seeds)
    worlds = [World(seed, Store(line.store), models) for seed in seeds]
    found: dict[str, Any] = {}
    for name in [one for one in chosen if one != "checks"]:
        start = time.perf_counter()
        found[name] = PARTS[name](worlds)
        found[name]["seconds in all"] = round(time.perf_counter() - start, 1)
        if line.tiny:
            print(name, json.dumps(found[name]), flush=True)
        else:
            keep("tmi", name, found[name])
    path = RESULTS / "tmi.json"
    if not line.tiny and path.exists():
        found = json.loads(path.read_text())
    print(shown(found))
    if "checks" in chosen:
        told = checks(found)
        print(json.dumps(told, indent=1)) if line.tiny else keep("tmi", "checks", told)
        failed = [name for name, met in told.items() if met is False]
        if failed:
            raise SystemExit(f"not as expected: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
