"""What a fence costs beside the networks it asks, and what a grid of defenses shares.

Times are of one processor: run with OMP_NUM_THREADS=1.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import diffence_audits as audits
import diffence_kept as kept
import numpy as np
import torch
from diffence_audits import Setting
from diffence_parts import SMALL_DIGITS, Study
from diffence_rows import DIGITS, FENCED
from machine import ratios, rounded, spread
from torch import Tensor, nn

from nonmember.audit.classifiers import defense_work
from nonmember.data import examples
from nonmember.defenses.classifier.diffence import diffence
from nonmember.models import classifiers, diffusion
from nonmember.models.batches import rows_at_once
from nonmember.models.diffusion import Diffusion, Regeneration, fresh
from nonmember.models.diffusion.networks import Denoiser
from nonmember.models.diffusion.schedule import linear
from nonmember.models.fence import interval
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.fenced import Fenced
from nonmember.models.fence.interval import Objective
from nonmember.models.nets import mlp, resnet
from nonmember.seeds import generator
from nonmember.signals.copies_kept import remembered
from nonmember.signals.store import Store

N, STEP = 30, 159
SECRET = b"of the benchmark"
TARGETS = {"overhead": 1.1, "grid": 7.0, "interval search, seconds": 0.4, "second classifier": 0.02}
OBJECTIVES: tuple[Objective, ...] = ("js", "ks")
CANDIDATES, COPIES, LOOPED = 1_000, 31, 6
GRID_RECIPE = {**DIGITS.recipe, "epochs": 3}
SHORT = {"recipe": {"network": "mlp", "updates": 20}}
LEVELS = (0.05, 0.2, 0.5, 1.0)  # of further rows


def speed(study: Study) -> None:
    """All ratios, each kept as soon as it is there."""
    times = 2 if study.tiny else 7
    parts: dict[str, Callable[[], Any]] = {
        "digits, MLP": lambda: of_images((8, 8), 200, times),
        "32x32, UNet": lambda: of_images((3, 32, 32), 4 if study.tiny else 16, times),
        "grid": grid,
        "interval search": lambda: searched(times),
    }
    for name, measure in parts.items():
        found = measure()
        print(name, found, flush=True)
        if not study.tiny:
            kept.put("speed", {"copies": N, "aims": TARGETS, name: found})


def of_images(shape: tuple[int, ...], count: int, times: int) -> dict[str, Any]:
    """A fence against its networks alone, and a second classifier on kept copies."""
    network = mlp(shape, 10, width=512) if len(shape) == 2 else resnet(shape, 10, width=16)
    denoiser = diffusion.mlp(shape) if len(shape) == 2 else diffusion.unet(shape, widths=(32, 64))
    made = diffusion.of(denoiser, linear(), shape, low=-1, high=1)
    rng = generator(0, "images")
    images = rng.uniform(-1, 1, (count, *shape)).astype(np.float32)
    fenced = around(network, made, images)
    ways = {"fence": lambda: fenced.logits(images), "bare": lambda: bare(network, made, images)}
    turns(ways, 1)  # warm up
    found = turns(ways, times)
    per_image = {name: spread([1e3 * one / count for one in s]) for name, s in found.items()}
    return {
        "images": count,
        "milliseconds of a processor per image": per_image,
        "fence / bare": ratios(found["fence"], found["bare"]),
        **second(network, made, images, times),
    }


def around(network: nn.Module, made: Diffusion, images: np.ndarray) -> Fenced:
    """Diffence with S3, and as many public images as make donors."""
    shown = examples.of(images, np.zeros(len(images), dtype=np.int64))
    classifier = classifiers.load(classifiers.of(network), "cpu", shown)
    calibration = Calibration(shown, shown, shown, SECRET)
    copies = fresh(made, Regeneration(n=N), SECRET)
    return diffence(classifier, calibration, copies)


def bare(network: nn.Module, made: Diffusion, images: np.ndarray) -> None:
    """The networks alone: each image by the classifier, N of it by the denoiser, then by it."""
    clean = torch.from_numpy(images)
    copies, rows = clean.repeat_interleave(N, 0), rows_at_once(clean.shape[1:])
    with torch.inference_mode():
        network(clean)
        done = torch.cat([made.denoiser(some, STEP) for some in copies.split(rows)])
        for some in done.split(rows):
            network(some)


def second(
    network: nn.Module, made: Diffusion, images: np.ndarray, times: int
) -> dict[str, dict[str, float]]:
    """What another classifier's answers cost where copies are kept, and the copies alone."""
    shares, looked_up = [], []
    for _ in range(times):
        with TemporaryDirectory() as folder:
            fenced = around(network, made, images)
            copies = remembered(fenced.copies, Store(Path(folder)), low=-1, high=1)
            behind = Fenced(fenced.classifier, copies, fenced.fence, SECRET)
            first, again = (seconds(partial(behind.logits, images)) for _ in range(2))
            looked_up.append(seconds(partial(copies, images)) / first)
        shares.append(again / first)
    return {
        "second classifier / first": spread(shares),
        "of that the kept copies / first": spread(looked_up),
    }


def turns(ways: Mapping[str, Callable[[], object]], times: int) -> dict[str, list[float]]:
    """Processor seconds of each way in each turn: what else runs on the machine adds none."""
    found = [[seconds(do) for do in ways.values()] for _ in range(times)]
    return {name: [turn[place] for turn in found] for place, name in enumerate(ways)}


def seconds(do: Callable[[], object]) -> float:
    """How long it takes, of a processor; with one thread as long as on an idle machine."""
    start = time.process_time()
    do()
    return time.process_time() - start


def grid() -> dict[str, Any]:
    """Copies that the denoiser makes in one audit of a grid, and where each defense has its own.

    Eight ways of training under S1, S2 and S3. Apart from the answers, an audit regenerates
    some images of each row again to tell milliseconds: those are counted by themselves.
    """
    training = _ways()
    rows = {
        f"{name}, {one}": [*before, *fence]
        for name, before in training.items()
        for one, fence in FENCED.items()
    }
    setting = _small()
    together = counted(setting, rows)
    alone = 0
    for name in training:
        own = {row: before for row, before in rows.items() if row.startswith(f"{name}, ")}
        alone += counted(setting, own)
    each = counted(setting, {"s1": FENCED["s1"]}) * len(rows)
    return {
        "ways of training": len(training),
        "rows": len(rows),
        "copies made for all rows": together,
        "copies if each way of training had its own": alone,
        "copies if each row had its own": each,
        "fewer than by way of training": rounded(alone / together),
        "fewer than by row": rounded(each / together),
        "copies made for the clock, of a row": _clocked(setting),
    }


def _ways() -> dict[str, Any]:
    """Eight ways of training that take no time."""
    return {
        "undefended": [],
        **{name: DIGITS.training[name] for name in ("relaxloss", "hamp", "label_smoothing")},
        **{f"relaxloss {level}": [audits.named("relaxloss", level=level)] for level in LEVELS},
    }


def _small() -> Setting:
    return replace(DIGITS, data=SMALL_DIGITS, recipe=GRID_RECIPE, diffusion=SHORT, resamples=200)


def counted(setting: Setting, rows: dict[str, Any]) -> int:
    """Copies that are denoised for the answers of an audit of these rows, in a fresh store."""
    asked = audits.values(setting, 0, [], rows, ("gap", "loss", "nn_attack"))
    with TemporaryDirectory() as folder, counting() as count:
        audits.audited(audits.Study(Path(folder), 0), "grid", asked)
    return count[0] - len(rows) * _clocked(setting)


def _clocked(setting: Setting) -> int:
    """Copies by which an audit tells a row's milliseconds."""
    inputs = setting.data["take"]["members"] + setting.data["take"]["non_members"]
    many = min(defense_work.HUNDRED, inputs)
    return N * (1 + defense_work.TIMES + many)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Counts the inputs that any denoiser is shown when it regenerates."""
    shown, count = Denoiser.__call__, [0]

    def call(self: Denoiser, noised: Tensor, t: int) -> Tensor:
        count[0] += len(noised)
        return shown(self, noised, t)

    Denoiser.__call__ = call  # type: ignore[method-assign]
    try:
        yield count
    finally:
        Denoiser.__call__ = shown  # type: ignore[method-assign]


def searched(times: int) -> dict[str, Any]:
    """The interval search over 2,000 x 31 copies, and a loop over inputs for some intervals."""
    rng = generator(0, "odds")
    sides = [rng.normal(mean, 2, (CANDIDATES, COPIES)) for mean in (3, 2)]
    for side, lost in zip(sides, (0.3, 0.4), strict=True):
        side[rng.random(side.shape) < lost] = np.inf
    ours, others = sides
    found = {
        name: [seconds(partial(interval.search, ours, others, name)) for _ in range(times)]
        for name in OBJECTIVES
    }
    grid_ends = np.linspace(ours.min(), others[np.isfinite(others)].max(), interval.POINTS)
    pairs = list(combinations(grid_ends.tolist(), 2))
    looped = seconds(lambda: [looked(sides, *pair) for pair in pairs[:LOOPED]])
    whole = looped / LOOPED * len(pairs)
    return {
        "inputs": 2 * CANDIDATES,
        "copies of each": COPIES,
        "seconds": {name: spread(one) for name, one in found.items()},
        "a loop over inputs and copies, seconds": rounded(whole),
        "loop / search": rounded(whole / statistics.median(found["js"])),
    }


def looked(sides: list[np.ndarray], low: float, high: float) -> list[list[int]]:
    """The first copy of each input inside an interval or else the nearest, one after the other."""
    return [[_nearest(row, low, high) for row in side.tolist()] for side in sides]


def _nearest(row: list[float], low: float, high: float) -> int:
    away = [max(low - value, value - high, 0.0) for value in row]
    return away.index(min(away))
