"""Wall time and peak memory of `nonmember demo`, full and quick, each from an empty store.

    python benchmarks/demo.py [--only quick]

Writes benchmarks/results/demo.json: of each study the budget beside what was measured.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import keep

BUDGET_SECONDS = {
    "language": {"full": 480, "quick": 120},
    "transfer": {"full": 60, "quick": 20},
    "classifier": {"full": 90, "quick": 20},
}  # of the design, on two cores that nothing else uses
BUDGET_GIGABYTES = 4.0


def measure(part: str) -> dict:
    """Run one form of the demo in a process of its own, with nothing to reuse."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nonmember", "demo", "--output", f"{folder}/run"]
        command += ["--store", f"{folder}/store"] + (["--quick"] if part == "quick" else [])
        began, start = time.time(), time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        studies = {}
        for name in BUDGET_SECONDS:  # one after the other; its results are what each writes last
            path = Path(folder, "run", name, "results.json")
            ended = path.stat().st_mtime
            studies[name] = told(json.loads(path.read_text()), ended - began, name, part)
            began = ended
    # The largest child so far: run the smaller form first, or alone.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {
        "seconds": round(seconds, 1),
        "budget seconds": sum(one[part] for one in BUDGET_SECONDS.values()),
        "peak gigabytes": round(peak, 2),
        "budget gigabytes": BUDGET_GIGABYTES,
        "studies": studies,
    }


def told(results: dict, seconds: float, name: str, part: str) -> dict:
    """What one study took, and what it found."""
    jobs, targets = results["provenance"]["jobs"], results["targets"]
    return {
        "seconds": round(seconds, 1),
        "budget seconds": BUDGET_SECONDS[name][part],
        "seconds by job": {label: job["seconds"] for label, job in jobs.items()},
        "redraws": {target["name"]: target["redraws"] for target in targets},
        "auc": {target["name"]: intervals(target) for target in targets},
    }


def intervals(target: dict) -> dict:
    """The AUC of each attack between its ends; "in turn" is that on all parents of a child."""
    found = {one["name"]: one["simultaneous"] for one in target["attacks"]}
    found |= {"in turn": target["in_turn"]["auc"]} if target["in_turn"] else {}
    ends = ("low", "value", "high")
    return {name: [round(one[end], 4) for end in ends] for name, one in found.items()}


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    for part in [sys.argv[2]] if sys.argv[1:2] == ["--only"] else ["quick", "full"]:
        keep("demo", part, measure(part))


if __name__ == "__main__":
    main()
