"""Seconds of the transfer attacks: networks in a stack against one at a time, and closed forms.

    OMP_NUM_THREADS=1 python benchmarks/tmi_speed.py [--only fits|attacks] [--times 3]

``fits``: a network of 64 hidden units is fitted to 512 rows of 10 log-odds in 160 steps, as one
small PyTorch fit after the other and in stacks of 64, in turns; at least 15 times as quick is
asked for, and 10 ms a fit. ``attacks``: 64 models, each in turn the victim, 1,000 candidates, 8
copies, 10 classes, 32 pairs; ``tmi_lda`` is to take 0.3 s, ``adapted_lira`` 8 s, ``tmi`` 90 s,
log-odds 1 s. Processor seconds stand beside wall seconds, for machines that are shared. Writes
benchmarks/results/tmi_speed.json; with `--only` it only prints.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import keep, rounded, spread

from nonmember.attacks.transfer import all as every
from nonmember.attacks.transfer.features import log_odds
from nonmember.attacks.transfer.metaclassifier import PUBLISHED, TOGETHER
from nonmember.attacks.transfer.networks import fitted

MODELS, CANDIDATES, VIEWS, CLASSES = 64, 1_000, 8, 10
LOOPED = 4  # fits of the loop in a turn
ASKED = {"log_odds": 1, "tmi_lda": 0.3, "adapted_lira": 8, "tmi": 90}


def world() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, whom parents saw, and the pairs."""
    rng = np.random.default_rng(0)
    half = np.array([rng.permutation(CANDIDATES) % 2 == 0 for _ in range(MODELS // 2)])
    saw = np.stack([half, ~half], axis=1).reshape(MODELS, CANDIDATES)
    logits = rng.standard_normal((MODELS, CANDIDATES, VIEWS, CLASSES), dtype=np.float32)
    return logits, saw, np.arange(MODELS) // 2


def one_small_fit(rows: np.ndarray, member: np.ndarray) -> torch.nn.Module:
    """The same network for one candidate and target, as PyTorch's own parts fit it."""
    network = torch.nn.Sequential(
        torch.nn.Linear(CLASSES, PUBLISHED.hidden),
        torch.nn.ReLU(),
        torch.nn.Dropout(PUBLISHED.dropout),
        torch.nn.Linear(PUBLISHED.hidden, PUBLISHED.outputs),
    )
    adam = torch.optim.Adam(network.parameters(), lr=PUBLISHED.rate, weight_decay=PUBLISHED.decay)
    schedule = torch.optim.lr_scheduler.StepLR(adam, PUBLISHED.every, PUBLISHED.fall)
    data = torch.utils.data.TensorDataset(torch.from_numpy(rows), torch.from_numpy(member).long())
    loader = torch.utils.data.DataLoader(data, batch_size=PUBLISHED.batch, shuffle=True)
    for _ in range(PUBLISHED.epochs):
        for given, side in loader:
            adam.zero_grad()
            torch.nn.functional.cross_entropy(network(given), side).backward()
            adam.step()
        schedule.step()
    return network


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def fits(times: int) -> dict[str, Any]:
    """Milliseconds of one fit in either way, and how many times as long the loop takes."""
    rng, (_, saw, _) = np.random.default_rng(1), world()
    rows = rng.standard_normal((TOGETHER, MODELS * VIEWS, CLASSES), dtype=np.float32)
    member = saw.T[:TOGETHER].repeat(VIEWS, axis=1)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "one at a time": (
            lambda: [one_small_fit(rows[i], member[i]) for i in range(LOOPED)],
            LOOPED,
        ),
        "stacked": (lambda: fitted(rows, member, PUBLISHED, 0), TOGETHER),
    }
    one_small_fit(rows[0], member[0])  # what is loaded at first use
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(times):
        for name, (work, count) in ways.items():
            wall, used = timed(work)
            seconds[name].append((1e3 * wall / count, 1e3 * used / count))
    found: dict[str, Any] = {
        name: {
            "wall ms": spread([wall for wall, _ in one]),
            "processor ms": spread([used for _, used in one]),
        }
        for name, one in seconds.items()
    }
    loop, stack = (seconds[name] for name in ("one at a time", "stacked"))
    quicker = [slow[1] / quick[1] for slow, quick in zip(loop, stack, strict=True)]
    return found | {"times as long, processor": spread(quicker), "asked for": 15}


def attacks(times: int) -> dict[str, Any]:
    """The quickest of some runs of every attack on all 64 victims; one of the networks'."""
    logits, saw, groups = world()
    work: dict[str, tuple[Callable[[], object], int]] = {
        "log_odds": (lambda: log_odds(logits), times),
        "tmi_lda": (lambda: every.tmi_lda_all(logits, saw, groups), times),
        "adapted_lira": (lambda: every.adapted_lira_all(logits, saw, groups), times),
        "tmi_global": (lambda: every.tmi_global_all(logits, saw, groups), 1),
        "tmi": (lambda: every.tmi_all(logits, saw, groups), 1),
    }
    found: dict[str, Any] = {}
    for name, (run, count) in work.items():
        runs = [timed(run) for _ in range(count)]
        wall, used = (rounded(min(one)) for one in zip(*runs, strict=True))
        found[name] = {"wall seconds": wall, "processor seconds": used, "asked": ASKED.get(name)}
        print(name, found[name], flush=True)
    sizes = {"models": MODELS, "candidates": CANDIDATES, "copies": VIEWS, "classes": CLASSES}
    return sizes | found


def main() -> None:
    """Measure both parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", choices=["fits", "attacks"])
    parser.add_argument("--times", type=int, default=3)
    line = parser.parse_args()
    torch.set_num_threads(1)
    parts = {"fits": fits, "attacks": attacks}
    if line.only:
        print(json.dumps(parts[line.only](line.times)))
        return
    for name, part in parts.items():
        keep("tmi_speed", name, part(line.times))


if __name__ == "__main__":
    main()
