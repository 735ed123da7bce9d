"""Eight LoRA adapters trained side by side against eight runs one after the other.

    python benchmarks/adapters.py

Each adapter is of rank 4 on q and v and makes updates of four records of the same length, side
by side or alone. Speed is that of the updates after the first one of a process: reading the base
and writing the adapters are left out, and told apart. Each way runs in a process of its own, in
turns. Writes benchmarks/results/adapters.json.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from forward import MODEL, SEED, functions
from machine import inside, keep, memory, ratios, spread

from nonmember.models import causal
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded
from nonmember.training.adapters import fit_adapters
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material
from nonmember.training.recipe import Recipe

ADAPTERS, ROWS, UPDATES, TOKENS, REPETITIONS = 8, 4, 4, 128, 5
TARGET = 1.2  # of the base's bytes: with eight adapters and their optimiser's state
WAYS = {"alone": ROWS, "together, 4 rows a pass": ROWS, "together, 32 rows a pass": 8 * ROWS}


def measure() -> dict[str, Any]:
    """Tokens per second and peak memory of each way, and how much faster the stacked ones are."""
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for _ in range(REPETITIONS):
        for way in WAYS:
            runs[way].append(inside(__file__, "--inside", way))
    speeds = {way: [run["tokens per second"] for run in some] for way, some in runs.items()}
    return {
        "model": MODEL,
        "adapters": ADAPTERS,
        "rows per adapter": ROWS,
        "tokens per row": TOKENS,
        "updates": UPDATES,
        "seed": SEED,
        "repetitions": REPETITIONS,
        **{
            name: {way: spread([run[name] for run in some]) for way, some in runs.items()}
            for name in ("tokens per second", "seconds in all", "peak gigabytes")
        },
        "times as fast as alone": {
            way: ratios(speed, speeds["alone"]) for way, speed in speeds.items() if way != "alone"
        },
        "weights": runs["alone"][0]["weights"],
    }


def trained(way: str) -> dict[str, Any]:
    """Train them in one way, and tell what this process took for it."""
    base, where = locate(MODEL), causal.placement()
    texts = functions(causal.load_tokenizer(base), ROWS * UPDATES, TOKENS)
    recipe = Recipe(
        method="lora", epochs=1, batch_size=ROWS, micro_batch=WAYS[way], learning_rate=1e-3,
        rank=4, alpha=8.0, exclude=("k_proj", "o_proj", "mlp"),
    )  # fmt: skip
    clock, start = _Clock(), time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(number) for number in range(ADAPTERS)]
        train = _alone if way == "alone" else _together
        train(base, where, texts, recipe, folders, clock)
        files = [(folder / "adapter_model.safetensors").stat().st_size for folder in folders]
    return {
        "tokens per second": round(clock.speed),
        "seconds in all": round(time.perf_counter() - start, 1),
        "peak gigabytes": memory()["peak"],
        "weights": _weights(base, where, sum(files)),
    }


class _Clock:
    """Tokens and seconds of all updates but the first after a ``start``."""

    def __init__(self) -> None:
        self.tokens, self.seconds, self.last = 0, 0.0, float("nan")

    def start(self) -> None:
        """What follows is another run, and its first update is not counted."""
        self.last = float("nan")

    def watch(self, tokens: int) -> None:
        """An update is done."""
        now = time.perf_counter()
        if self.last == self.last:
            self.tokens, self.seconds = self.tokens + tokens, self.seconds + now - self.last
        self.last = now

    @property
    def speed(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


def _together(
    base: Source,
    where: causal.Placement,
    texts: tuple[Encoded, ...],
    recipe: Recipe,
    folders: list[Path],
    clock: _Clock,
) -> None:
    member, seeds = np.ones((len(folders), len(texts)), dtype=bool), range(len(folders))
    fit_adapters(base, where, texts, member, recipe, folders, seeds=seeds, watch=clock.watch)


def _alone(
    base: Source,
    where: causal.Placement,
    texts: tuple[Encoded, ...],
    recipe: Recipe,
    folders: list[Path],
    clock: _Clock,
) -> None:
    for seed, folder in enumerate(folders):
        clock.start()
        fine_tune(base, Material((texts,)), recipe, where, folder, seed=seed, watch=clock.watch)


def _weights(base: Source, where: causal.Placement, saved: int) -> dict[str, Any]:
    """Bytes of the base, and of the adapters with AdamW's two moments."""
    below, above = base.parameters * where.dtype.itemsize, 3 * saved
    return {
        "format of the base": str(where.dtype).removeprefix("torch."),
        "base, gigabytes": round(below / 2**30, 4),
        "adapters and optimiser, gigabytes": round(above / 2**30, 4),
        "all over base": round((below + above) / below, 3),
        "target": TARGET,
    }


def main() -> None:
    """Measure and keep it with the machine's description."""
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(trained(sys.argv[2])))
        return
    keep("adapters", "eight of rank 4", measure())


if __name__ == "__main__":
    main()
