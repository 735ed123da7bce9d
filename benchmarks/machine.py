"""What a measurement was made on, how its repetitions are told, and where figures are kept."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
STATUS = Path("/proc/self/status")
LOAD_BEFORE = os.getloadavg()[0]  # processes that wanted to run before this one did
VERSIONS = ("nonmember", "torch", "transformers", "numpy", "scikit-learn")


def description() -> dict[str, Any]:
    """The machine, its software, its load and the day."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "as PyTorch chooses"),
        "load before": round(LOAD_BEFORE, 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: version(package) for package in VERSIONS},
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor() -> str:
    """The processor's name where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def memory() -> dict[str, float]:
    """Gigabytes that this process holds ("resident"), and the most that it has held ("peak").

    From /proc, so on Linux only: ``ru_maxrss`` of a process begins with that of its parent.
    """
    lines = (line.split() for line in STATUS.read_text().splitlines())
    kilobytes = {fields[0]: int(fields[1]) for fields in lines if fields[0][:2] == "Vm"}
    sizes = {"resident": kilobytes["VmRSS:"], "peak": kilobytes["VmHWM:"]}
    return {name: round(size / 2**20, 4) for name, size in sizes.items()}


def inside(script: str, *arguments: str) -> dict[str, Any]:
    """The figures that a script prints as the last line, run in a process of its own."""
    command = [sys.executable, script, *arguments]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def interleaved(ways: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[float]]:
    """Seconds of each way in each turn: what slows the machine for a while meets them all."""
    names, seconds = list(ways), {name: list[float]() for name in ways}
    for turn in range(times):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratios(one: Sequence[float], other: Sequence[float]) -> dict[str, float]:
    """How many times as long ``one`` took as ``other``, turn by turn."""
    return spread([a / b for a, b in zip(one, other, strict=True)])


def rounded(value: float) -> float:
    """The value to three digits."""
    return float(f"{value:.3g}")


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of repetitions between the lowest and the highest."""
    ends = {"low": min(values), "median": statistics.median(values), "high": max(values)}
    return {name: round(value, 4) for name, value in ends.items()}


def keep(name: str, part: str, found: Mapping[str, Any]) -> None:
    """Print one part's figures and put them, with the machine, into ``results/<name>.json``."""
    path = RESULTS / f"{name}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    kept[part] = {**found, "machine": description()}
    print(part, json.dumps(kept[part], indent=1), flush=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(kept, indent=1) + "\n")
