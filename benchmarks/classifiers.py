"""Attacks on classifiers: LiRA and RMIA with 4, 16 and 64 references against those without.

    python benchmarks/classifiers.py --data DIR --store DIR [--only PART ...] [--tiny]

A part is a name, or the beginning of several: `attacks.digits`, `attacks.location30`,
`attacks.adult`, `attacks.cifar10`, and `null.` of each, which attacks a target that was trained
on none of the candidates, in 20 redrawn splits. Models are kept in the store, so that an
interrupted part goes on where it stopped. A part whose data are not there says what to do.
Writes benchmarks/results/classifiers.json; with `--tiny`, which tries everything on very little,
it only prints.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import classifiers_scores as scored
from classifiers_data import TASKS, MissingError, tiny
from classifiers_models import World
from machine import keep

COUNTS, TINY_COUNTS = (4, 16, 64), (4, 8)
REDRAWS, TINY_REDRAWS = 20, 2
TIMES, NULL_TIMES = 1_000, 400
PARTS = tuple(f"{kind}.{name}" for name in TASKS for kind in ("attacks", "null"))


def attacked(world: World, counts: tuple[int, ...]) -> dict[str, Any]:
    """What every attack finds out about the target."""
    task, member = world.task, world.plan[0]
    given, start = world.of_target(), time.perf_counter()
    found = scored.figures(given, member, counts, task.fprs, TIMES)
    return {
        **about(world),
        **world.trained[1],
        "attacks": found,
        "standard error owed to the references": scored.owed(given, member, counts),
        "seconds of attacks": round(time.perf_counter() - start, 1),
    }


def null(world: World, counts: tuple[int, ...], redraws: int) -> dict[str, Any]:
    """How often anything is found out where there is nothing."""
    given, start = world.of_control(), time.perf_counter()
    found = scored.redrawn(given, counts, redraws, NULL_TIMES)
    return {**about(world), **found, "seconds of attacks": round(time.perf_counter() - start, 1)}


def about(world: World) -> dict[str, Any]:
    """Sizes and settings."""
    task = world.task
    return {
        "candidates": task.candidates,
        "population": len(task.labels[world.population]),
        "classes": task.classes,
        "network": world.architecture.name,
        "epochs": task.recipe.epochs,
        "references": world.references,
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The attacks in Markdown, strongest first."""
    columns = [key for key in next(iter(found.values())) if key != "auc, simultaneous"]
    columns += sorted(
        {key for one in found.values() for key in one if key[:3] == "tpr"} - {*columns}
    )
    lines = [("attack", *columns), ("---",) * (1 + len(columns))]
    for name, one in sorted(found.items(), key=lambda pair: -pair[1]["auc"][1]):
        lines.append((f"`{name}`", *(_shown(one.get(key)) for key in columns)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(ends: list[float] | None) -> str:
    return f"{ends[1]:.3f} ({ends[0]:.3f} to {ends[2]:.3f})" if ends else "-"


def measure(part: str, data: Path | None, store: Path, small: bool) -> dict[str, Any]:
    """One part."""
    kind, name = part.split(".")
    task = tiny(TASKS[name](data)) if small else TASKS[name](data)
    counts = TINY_COUNTS if small else COUNTS
    world = World(task, store, counts[-1])
    if kind == "attacks":
        return attacked(world, counts)
    return null(world, counts, TINY_REDRAWS if small else REDRAWS)


def main() -> None:
    """Measure what was asked for, a part after another, and keep each with the machine's state."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--tiny", action="store_true")
    line = parser.parse_args()
    chosen = [part for part in PARTS if part.startswith(tuple(line.only))]
    if not chosen:
        raise SystemExit(f"--only {' '.join(line.only)}: give the beginning of {', '.join(PARTS)}")
    for part in chosen:
        try:
            found = measure(part, line.data, line.store, line.tiny)
        except MissingError as missing:
            print(f"{part} is left out: {missing}", flush=True)
            continue
        if line.tiny:
            print(part, json.dumps(found, indent=1))
        else:
            keep("classifiers", part, found)
        if "attacks" in found:
            print(table(found["attacks"]), flush=True)


if __name__ == "__main__":
    main()
