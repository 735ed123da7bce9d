"""Networks one after the other, each kept when it is done: a run that is killed repeats one."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nonmember.training.defended.task import One, Task, run_of
from nonmember.training.ensemble import Ensemble

Fit = Callable[[Task, int, str], One]
"""Trains the network of a number in a run of a name."""


def one_by_one(task: Task, fit: Fit, updates: Callable[[int], int], why: str) -> Ensemble:
    """Train each network by itself, or read it where an earlier run has left it.

    Args:
        task: what is to be trained.
        fit: trains one.
        updates: of a network that is trained on so many rows; told for those that are read.
        why: they are not trained together.
    """
    found = []
    for i, rows in enumerate(task.member.sum(axis=1).tolist()):
        run = run_of(task, i)
        path = None if task.scratch is None else task.scratch / f"{i}.done.safetensors"
        one = None if path is None else _read(path, run)
        if one is not None and task.watch is not None:
            task.watch(updates(rows))
        if one is None:
            one = fit(task, i, run)
            _keep(one, run, path)
        found.append(one)
    losses = np.array([one.losses for one in found])
    about = tuple(one.about for one in found)
    return Ensemble(tuple(one.state for one in found), losses, False, why, about)


def _keep(one: One, run: str, path: Path | None) -> None:
    if path is None:
        return
    told = {"run": run, "losses": json.dumps(one.losses), "about": json.dumps(one.about)}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    save_file({name: value.contiguous() for name, value in one.state.items()}, part, told)
    part.replace(path)


def _read(path: Path, run: str) -> One | None:
    """None without one, with one of another run, or with a damaged one."""
    stored: Any = None
    with suppress(FileNotFoundError, SafetensorError):
        stored = safe_open(path, "pt")
    told = {} if stored is None else stored.metadata()
    if told.get("run") != run:
        return None
    state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    return One(state, tuple(json.loads(told["losses"])), json.loads(told["about"]))
