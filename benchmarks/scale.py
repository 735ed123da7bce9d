"""How a whole audit grows with the number of records: time and peak memory, in processes apart.

    python benchmarks/scale.py [--only 1000]

The model is so small that what is measured is everything else: reading, splitting, tokens,
shards, attacks, figures, the page. Records are random words, half of them "members", and no
model was trained on any. Writes benchmarks/results/scale.json.
"""

import json
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from machine import RESULTS, inside, keep, memory

from nonmember.seeds import generator

SIZES = (1_000, 10_000, 100_000)
SEED = 0
WORDS_EACH, LEXICON, MAX_TOKENS = 26, 2_000, 128
TESTS = str(Path(__file__).parents[1] / "tests")


def measure(records: int) -> dict[str, Any]:
    """One audit in a process of its own, with nothing to reuse."""
    with tempfile.TemporaryDirectory() as folder:
        return inside(__file__, "--inside", folder, str(records))


def audited(folder: Path, records: int) -> dict[str, Any]:
    """Audit a tiny model on so many records, and tell what this process took for it."""
    import nonmember as nm

    values = _spec(folder, records)
    before, start = memory()["resident"], time.perf_counter()
    results = nm.audit_spec(values, folder / "run", store=folder / "store")
    seconds, peak = time.perf_counter() - start, memory()["peak"]
    jobs = [job["seconds"] for job in results.provenance["jobs"].values()]
    stored = sum(file.stat().st_size for file in (folder / "store").rglob("*.npy"))
    return {
        "records": records,
        "seed": SEED,
        "median scored tokens": results.data["median scored tokens"],
        "attacks": [attack.name for attack in results.targets[0].attacks],
        "resamples": values["evaluation"]["resamples"],
        "seconds": round(seconds, 1),
        "seconds asking models": round(sum(jobs), 1),
        "milliseconds per record": round(seconds / records * 1e3, 3),
        "gigabytes before": round(before, 3),
        "peak gigabytes": round(peak, 3),
        "stored gigabytes": round(stored / 2**30, 3),
    }


def _spec(folder: Path, records: int) -> dict[str, Any]:
    """An audit of a model that is there, against a base; attacks that ask once per record."""
    sys.path.insert(0, TESTS)
    import tiny

    models = {"model": 1, "base": 0}
    return {
        "data": {
            "members": _written(folder / "members.jsonl", records // 2),
            "non_members": _written(folder / "non_members.jsonl", records - records // 2),
            "max_tokens": MAX_TOKENS,
        },
        "targets": {
            "tiny": {
                name: str(tiny.llama(folder / name, seed=seed, max_position_embeddings=MAX_TOKENS))
                for name, seed in models.items()
            }
        },
        "attacks": {"queries": 1},
        "evaluation": {"resamples": 200, "redraws": 0},
        "compute": {"precision": "float32"},
    }


def _written(path: Path, records: int) -> str:
    """A file of texts of random words, the same words in every file."""
    letters = generator(SEED, "words").integers(ord("a"), ord("z") + 1, (LEXICON, 3))
    words = ["".join(map(chr, row)) for row in letters]
    rng = generator(SEED, path.name)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(records):
            chosen = rng.integers(0, LEXICON, WORDS_EACH)
            file.write(json.dumps({"text": " ".join(words[i] for i in chosen)}) + "\n")
    return str(path)


def growth() -> None:
    """Print how time and memory grow from each size that was measured to the next."""
    kept = json.loads((RESULTS / "scale.json").read_text())
    found = sorted(kept.values(), key=lambda part: part["records"])
    for small, large in pairwise(found):
        more = large["records"] - small["records"]
        seconds, gigabytes = (large[key] - small[key] for key in ("seconds", "peak gigabytes"))
        print(
            f"{small['records']:,} to {large['records']:,} records: "
            f"{large['seconds'] / small['seconds']:.1f} times the seconds; per record more "
            f"{seconds / more * 1e3:.2f} ms and {gigabytes / more * 2**20:.1f} kB of peak memory"
        )


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(audited(Path(sys.argv[2]), int(sys.argv[3]))))
        return
    for size in [int(sys.argv[2])] if sys.argv[1:2] == ["--only"] else SIZES:
        keep("scale", str(size), measure(size))
    growth()


if __name__ == "__main__":
    main()
