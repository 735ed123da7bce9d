"""Wall time and peak memory of `nonmember demo`, full and quick, each from an empty store.

    python benchmarks/demo.py [--only quick]

Writes benchmarks/results/demo.json: budgets of the design beside what was measured.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

BUDGET_SECONDS = {"full": 300, "quick": 90}
BUDGET_GIGABYTES = 4.0
RESULTS = Path(__file__).parent / "results" / "demo.json"


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


def processor() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    parts = [sys.argv[2]] if sys.argv[1:2] == ["--only"] else ["quick", "full"]
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for part in parts:
        kept[part] = measure(part)
        print(part, json.dumps(kept[part], indent=1))
    kept["machine"] = {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
