"""The small audit that faults are done to, and what is held against the undisturbed one."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SPEC = """
kind = "classifier"
title = "What survives"
data = { pool = "noisy-digits", take = { members = 250, non_members = 250, public = 300 }, calibration = 0.15 }
references = { count = 8, recipe = { epochs = 20 } }
diffusion = { n = 4, recipe = { network = "mlp", widths = [64], updates = 200 } }
attacks = { run = ["loss", "gap", "lira", "rmia"] }
evaluation = { fpr = [0.1], resamples = 200, redraws = 2 }

[targets.undefended]
trained_on = "members"
architecture = "mlp"
recipe = { epochs = 40 }

[targets.diffence]
trained_on = "members"
architecture = "mlp"
recipe = { epochs = 40 }
defenses = [{ name = "diffence" }]
"""  # noqa: E501


@dataclass(frozen=True)
class Undisturbed:
    """The audit as it should be: its figures, its outputs, how long it took."""

    figures: Mapping[str, Any]
    outputs: frozenset[str]
    seconds: float


def command(folder: Path) -> list[str]:
    """The audit in a folder of its own."""
    spec = folder / "spec.toml"
    if not spec.exists():
        spec.write_text(SPEC, encoding="utf-8")
    run, store = str(folder / "run"), str(folder / "store")
    words = ["audit", "spec", str(spec), "--output", run, "--store", store]
    return [sys.executable, "-m", "nonmember", *words]


def ended(folder: Path, **other: Any) -> subprocess.CompletedProcess[str]:
    """The audit, until it ends by itself."""
    return subprocess.run(command(folder), capture_output=True, text=True, check=False, **other)


def outputs(folder: Path) -> dict[str, int]:
    """When each finished output was written, in nanoseconds."""
    found = (folder / "store").glob("??/*")
    return {one.name: one.stat().st_mtime_ns for one in found if not one.name.startswith(".")}


def figures(folder: Path) -> Any:
    """All of a run but when, where, and how long."""
    found = json.loads((folder / "run" / "results.json").read_text(encoding="utf-8"))
    return _without(found, {"created", "provenance", "seconds", "milliseconds"})


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, names) for key, one in value.items() if key not in names}
    return [_without(one, names) for one in value] if isinstance(value, list) else value


def undisturbed(folder: Path) -> Undisturbed:
    """Run the audit in peace."""
    start = time.perf_counter()
    told = ended(folder)
    if told.returncode:
        raise SystemExit(f"the undisturbed audit failed: {told.stderr}")
    seconds = time.perf_counter() - start
    return Undisturbed(figures(folder), frozenset(outputs(folder)), seconds)


def compare(before: Mapping[str, int], after: Mapping[str, int], counts: dict[str, int]) -> None:
    """Count what is not there any more, or was written again."""
    counts["lost"] += len(before.keys() - after.keys())
    counts["made again"] += sum(after.get(name, made) != made for name, made in before.items())


def finish(folder: Path, peace: Undisturbed, counts: dict[str, int]) -> None:
    """Run the audit to its end, and count what that loses or makes again, and other figures."""
    before = outputs(folder)
    told = ended(folder)
    compare(before, outputs(folder), counts)
    whole = told.returncode == 0 and peace.outputs <= outputs(folder).keys()
    counts["differ"] += not (whole and figures(folder) == peace.figures)


def refused(told: subprocess.CompletedProcess[str]) -> bool:
    """Whether it ended with one sentence that says why."""
    lines = told.stderr.strip().splitlines()
    plain = told.returncode == 2 and "Traceback" not in told.stderr
    return plain and lines[-1].startswith("error: ")
