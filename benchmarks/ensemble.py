"""64 reference models in one stacked fit, against the same fits one after the other.

    python benchmarks/ensemble.py [--only mlp] [--models 64] [--times 5]

The networks of models/nets.py on digits: the MLP of 128 and of 32 units, and the small CNN. One
after the other is the plain loop of PyTorch with a fused optimiser. Both draw orders and noise,
and take turns in the same run. Writes benchmarks/results/ensemble.json: the ratio beside its
target, and the arithmetic limit: what the multiplications alone would take at the speed that this
machine multiplies large matrices with.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from machine import interleaved, keep, ratios, rounded, spread
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from nonmember.models.nets import cnn, mlp
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import fit_ensemble
from nonmember.training.fleet import fresh

ROWS, TRAINED = 500, 250
MLP = ((64,), partial(mlp, (64,), 10), 20)
NARROW = ((64,), partial(mlp, (64,), 10, width=32), 40)
CNN = ((1, 8, 8), partial(cnn, (1, 8, 8), 10), 2)
PARTS: dict[str, tuple[tuple[int, ...], Callable[[], nn.Module], int]] = {
    "mlp": MLP,  # shape of an input, network, epochs of the shortened fit
    "mlp32": NARROW,
    "cnn": CNN,
}
TARGETS = {"mlp": 3.0, "mlp32": 8.0, "cnn": 2.0}


def measure(part: str, models: int, times: int) -> dict[str, Any]:
    """Both ways, turn by turn, and the limit."""
    shape, make, epochs = PARTS[part]
    inputs, labels, member = material(shape, models)
    recipe = ClassifierRecipe(epochs=epochs, noise=0.15)
    seeds = range(models)
    ways = {
        "stacked": lambda: fit_ensemble(make, inputs, labels, member, recipe, seeds=seeds),
        "one by one": lambda: one_by_one(make, inputs, labels, member, recipe),
    }
    interleaved(ways, 1)  # warm up
    seconds = interleaved(ways, times)
    updates = models * epochs * -(-TRAINED // recipe.batch_size)
    each = {name: spread([s / updates * 1e6 for s in found]) for name, found in seconds.items()}
    flops = of_an_update(make, torch.from_numpy(inputs[: recipe.batch_size]), labels)
    peak = statistics.median(speeds())
    limit = flops / peak * 1e6
    return {
        "models": models,
        "epochs": epochs,
        "PyTorch threads": torch.get_num_threads(),
        "ratio": ratios(seconds["one by one"], seconds["stacked"]),
        "target": TARGETS[part],
        "microseconds per model and update": each,
        "flops per model and update": flops,
        "flops per second of a large product": rounded(peak),
        "microseconds at that speed": rounded(limit),
        "ratio at that speed": rounded(each["one by one"]["median"] / limit),
    }


def material(shape: Sequence[int], models: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digits, their classes, and half of them for each model, complements in pairs."""
    images, labels = load_digits(return_X_y=True)
    inputs = (2 * (images[:ROWS] / 16 - 0.3)).astype(np.float32).reshape(-1, *shape)
    halves = np.stack([np.random.default_rng(k).permutation(ROWS) for k in range(models // 2)])
    first = halves < TRAINED
    member = np.stack([first, ~first], axis=1).reshape(-1, ROWS)
    return inputs, labels[:ROWS], member


def one_by_one(
    make: Callable[[], nn.Module],
    inputs: np.ndarray,
    labels: np.ndarray,
    member: np.ndarray,
    recipe: ClassifierRecipe,
) -> None:
    """The same fits in the plain loop."""
    data, classes = torch.from_numpy(inputs), torch.from_numpy(labels)
    for seed, mask in enumerate(member):
        network, rows = fresh(make, seed), torch.from_numpy(np.flatnonzero(mask))
        optimiser = torch.optim.Adam(network.parameters(), recipe.learning_rate, fused=True)
        updates = recipe.epochs * -(-len(rows) // recipe.batch_size)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
        random = torch.Generator().manual_seed(seed)
        for _ in range(recipe.epochs):
            order = rows[torch.randperm(len(rows), generator=random)]
            for places in order.split(recipe.batch_size):
                chosen = data[places]
                noise = torch.randn(chosen.shape, generator=random)
                loss = cross_entropy(network(chosen + recipe.noise * noise), classes[places])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                falling.step()


def of_an_update(make: Callable[[], nn.Module], inputs: torch.Tensor, labels: np.ndarray) -> int:
    """Floating-point operations of the products of one update, forward and backward."""
    network = make()
    with FlopCounterMode(display=False) as counter:
        classes = torch.from_numpy(labels[: len(inputs)])
        cross_entropy(network(inputs), classes).backward()
    return counter.get_total_flops()


def speeds(size: int = 1024) -> list[float]:
    """Operations per second of a large matrix product, in repetitions."""
    one, other = torch.rand(size, size), torch.rand(size, size)
    found = []
    for _ in range(15):
        start = time.perf_counter()
        torch.mm(one, other)
        found.append(2 * size**3 / (time.perf_counter() - start))
    return found[5:]


def main() -> None:
    """Measure what was asked for and keep it with the machine's description."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=sorted(PARTS))
    parser.add_argument("--models", type=int, default=64)
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    for part in [given.only] if given.only else PARTS:
        keep("ensemble", part, measure(part, given.models, given.times))


if __name__ == "__main__":
    main()
