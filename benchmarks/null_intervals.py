"""Coverage of every 95 % interval and false alarms of every test, where the truth is known.

    python benchmarks/null_intervals.py [NAME ...]

The worlds of tests/evaluation/test_null_intervals.py, of 100, 500 and 2,000 records. At least
93 % and at most 5 % are asked for, less or more two binomial standard errors of the simulation;
what fails is named. With names, only the worlds that begin with one are simulated again. Writes
benchmarks/results/null_intervals.json.
"""

import json
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, keep, rounded

from nonmember.evaluation.roc import bootstrap

TESTS = str(Path(__file__).parents[1] / "tests" / "evaluation")
SIMULATIONS = {100: 1_000, 500: 500, 2_000: 400}
QUICK = ("accuracy", "loss", "brier", "mean of", "measured fpr", "mcnemar", "conformal")
TIMES_AS_MANY = 4
TIMES = 400  # the fewest that give the ends of a 95 % interval themselves
SPEED = 2_000, 1_000


def main() -> None:
    """Simulate all, or what begins with a given name, tell each as it is done, and what fails."""
    sys.path.insert(0, TESTS)
    import test_null_intervals as worlds

    start, failed, begins = time.process_time(), [], tuple(sys.argv[1:]) or ("",)
    kinds: dict[str, dict[str, Callable[[int, int], float]]] = {
        "coverage": {
            world.name: lambda n, runs, world=world: worlds.coverage(world, n, runs, TIMES)
            for world in worlds.intervals()
        },
        "false alarms": {
            name: lambda n, runs, test=test: worlds.alarms(test, n, runs, TIMES)
            for name, test in worlds.null_tests().items()
        },
    }
    for kind, each in kinds.items():
        found = before(kind, each)
        for name in (one for one in each if one.startswith(begins)):
            more = TIMES_AS_MANY if name.startswith(QUICK) else 1
            sizes = {n: runs * more for n, runs in SIMULATIONS.items()}
            found[name] = {str(n): rounded(each[name](n, runs)) for n, runs in sizes.items()}
            found[name]["simulations"] = list(sizes.values())
            print(kind, name, found[name], flush=True)
        failed += [name for name in found if fails(kind, found[name], worlds)]
        keep("null_intervals", kind, found)
    seconds = round(time.process_time() - start)
    keep("null_intervals", "whole", {"failed": failed, "seconds": seconds, "resamples": TIMES})
    keep("null_intervals", "speed", speed())


def before(kind: str, each: Collection[str]) -> dict[str, Any]:
    """What earlier runs found of worlds that there still are."""
    path = RESULTS / "null_intervals.json"
    kept = json.loads(path.read_text()).get(kind, {}) if path.exists() else {}
    return {name: found for name, found in kept.items() if name in each}


def fails(kind: str, found: dict[str, Any], worlds: Any) -> bool:
    """Whether any size of a world covers too little, or raises too many false alarms."""
    shares = zip(found["simulations"], (found[str(n)] for n in SIMULATIONS), strict=True)
    if kind == "coverage":
        return any(share < worlds.least(runs) for runs, share in shares)
    return any(share > worlds.most(runs) for runs, share in shares)


def speed() -> dict[str, Any]:
    """Processor seconds of a bootstrap of the AUC and of two rates."""
    records, times = SPEED
    rng, member = np.random.default_rng(0), np.arange(records) < records // 2
    scores, own, found = rng.normal(size=records), np.arange(records), []
    for _ in range(5):
        start = time.process_time()
        bootstrap(scores, member, own, fprs=(0.01, 0.1), times=times)
        found.append(time.process_time() - start)
    return {"records": records, "resamples": times, "seconds": rounded(float(np.median(found)))}


if __name__ == "__main__":
    main()
