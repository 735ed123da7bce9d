"""Seconds and memory of scoring with reference models: LiRA and RMIA, on made-up answers.

    python benchmarks/reference_speed.py [--only lira --candidates 1000 --references 8]

2,500 to 20,000 candidates, 64 reference models, 10 classes, a population of 10,000; each attack
and size in a process of its own. Under 2 seconds are asked for at 10,000. Memory is what
scoring adds to the arrays that are scored, at its peak; it is to grow as the candidates do, and
no faster. Writes benchmarks/results/reference_speed.json; with `--only` it only prints.
"""

import argparse
import json
import time
from itertools import pairwise
from typing import Any

import numpy as np
from machine import inside, keep, memory

import nonmember.attacks  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import ATTACKS

SIZES, REFERENCES, CLASSES, POPULATION, TIMES = (2_500, 5_000, 10_000, 20_000), 64, 10, 10_000, 5
ASKED = 10_000
NAMES = ("lira", "lira_offline", "rmia")


def world(candidates: int, references: int) -> dict[str, np.ndarray]:
    """Answers of a target and its references, float32 as the store keeps them."""
    rng = np.random.default_rng(0)
    half = np.array([rng.permutation(candidates) % 2 == 0 for _ in range(references // 2)])

    def answers(*shape: int) -> np.ndarray:
        return rng.standard_normal((*shape, CLASSES), dtype=np.float32)

    return {
        "labels": rng.integers(0, CLASSES, candidates),
        "pop_labels": rng.integers(0, CLASSES, POPULATION),
        "logits": answers(candidates),
        "pop_logits": answers(POPULATION),
        "ref_logits": answers(references, candidates),
        "ref_pop_logits": answers(references, POPULATION),
        "ref_member": np.stack([half, ~half], axis=1).reshape(references, candidates),
    }


def measured(name: str, candidates: int, references: int) -> dict[str, float]:
    """The quickest of five runs of an attack, and what they add to memory."""
    given, attack = world(candidates, references), ATTACKS[f"classifier.{name}"]
    arguments, seconds = [given[need] for need in attack.needs], []
    before = memory()["resident"]
    for _ in range(TIMES):
        start = time.perf_counter()
        attack.score(*arguments)
        seconds.append(time.perf_counter() - start)
    added = memory()["peak"] - before
    return {"seconds": round(min(seconds), 3), "gigabytes": round(added, 4)}


def of_sizes(name: str) -> dict[str, Any]:
    """An attack at every size, and how its memory grows from each to the next."""
    found = [inside(__file__, "--only", name, "--candidates", str(size)) for size in SIZES]
    growth = [round(two["gigabytes"] / one["gigabytes"], 2) for one, two in pairwise(found)]
    by_size = {str(size): one for size, one in zip(SIZES, found, strict=True)}
    return {"by candidates": by_size, "growth of memory (2 is linear)": growth}


def main() -> None:
    """Measure every attack at every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", choices=NAMES)
    parser.add_argument("--candidates", type=int, default=ASKED)
    parser.add_argument("--references", type=int, default=REFERENCES)
    line = parser.parse_args()
    if line.only:
        print(json.dumps(measured(line.only, line.candidates, line.references)))
        return
    sizes = {"references": REFERENCES, "classes": CLASSES, "population": POPULATION}
    keep("reference_speed", "scoring", sizes | {name: of_sizes(name) for name in NAMES})


if __name__ == "__main__":
    main()
