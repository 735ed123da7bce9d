"""Records on disk for tests."""

import json
from pathlib import Path

import numpy as np


def sentences(count: int, seed: int) -> list[str]:
    """Distinct texts of one distribution, some two dozen tokens long."""
    rng = np.random.default_rng(seed)
    words = ("the", "cat", "sat", "on", "mat", "and", "dog", "log", "user", "paid", "entry", "said")
    return [f"{i} " + " ".join(rng.choice(words, 9)) for i in rng.permutation(10_000)[:count]]


def written(path: Path, texts: list[str]) -> Path:
    """A JSONL file of texts."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path
