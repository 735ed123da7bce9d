"""Wall time and peak memory of `nonmember demo`, full and quick, each from an empty store.

    python benchmarks/demo.py [--only quick]

Writes benchmarks/results/demo.json: budgets of the design beside what was measured.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import keep

BUDGET_SECONDS = {"full": 480, "quick": 120}  # of the design, for the language model
BUDGET_GIGABYTES = 4.0


def measure(part: str) -> dict:
    """Run one form of the demo in a process of its own, with nothing to reuse."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nonmember", "demo", "--output", f"{folder}/run"]
        command += ["--store", f"{folder}/store"] + (["--quick"] if part == "quick" else [])
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        results = json.loads(Path(folder, "run", "results.json").read_text())
    # The largest child so far: run the smaller form first, or alone.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return {
        "seconds": round(seconds, 1),
        "budget seconds": BUDGET_SECONDS[part],
        "peak gigabytes": round(peak, 2),
        "budget gigabytes": BUDGET_GIGABYTES,
        "seconds by job": {
            label: job["seconds"] for label, job in results["provenance"]["jobs"].items()
        },
        "redraws": {t["name"]: t["redraws"] for t in results["targets"]},
        "auc": {
            t["name"]: {
                a["name"]: [round(a["simultaneous"][end], 4) for end in ("low", "value", "high")]
                for a in t["attacks"]
            }
            for t in results["targets"]
        },
    }


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    for part in [sys.argv[2]] if sys.argv[1:2] == ["--only"] else ["quick", "full"]:
        keep("demo", part, measure(part))


if __name__ == "__main__":
    main()
