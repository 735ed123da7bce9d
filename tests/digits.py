"""Scanned digits, some labelled at random, and a small network that has learnt some by heart."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from nonmember.audit.classifiers.jobs import Inquire, Teach
from nonmember.audit.engines import work
from nonmember.data.images import digits
from nonmember.signals.store import Store

MEMBERS, OTHERS, CLASSES = 100, 200, 10
RECIPE = {"epochs": 60, "batch_size": 25, "learning_rate": 0.01}
REFERENCES = {"count": 8, "recipe": RECIPE}
EVALUATION = {"fpr": [0.1], "resamples": 200, "redraws": 2}
RUN = ["loss", "lira", "rmia"]

KINDS = (Teach, Inquire)

Side = tuple[np.ndarray, np.ndarray]


def network() -> nn.Module:
    """What targets and references are made of."""
    return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, CLASSES))


class Net(nn.Module):
    """The same, as a class of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = network()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.layers(rows)


@cache
def sides() -> tuple[Side, Side]:
    """Members and non-members, rows of 64; three labels in ten are nobody's guess."""
    rng = np.random.default_rng(0)
    images, labels = digits()
    places = rng.permutation(len(labels))[: MEMBERS + OTHERS]
    rows = (images[places].reshape(-1, 64) / images.max()).astype(np.float32)
    wrong = rng.random(len(places)) < 0.3
    labels = np.where(wrong, rng.integers(0, CLASSES, len(places)), labels[places])
    return (rows[:MEMBERS], labels[:MEMBERS]), (rows[MEMBERS:], labels[MEMBERS:])


@cache
def leaky() -> nn.Module:
    """The network after long training on the members."""
    rows, labels = (torch.from_numpy(part) for part in sides()[0])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = network()
    optimizer = torch.optim.Adam(made.parameters(), lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(rows), labels).backward()
        optimizer.step()
    return made.eval()


def settings(**change: Any) -> dict[str, Any]:
    """Further keys of an audit: few references, quickly trained."""
    plain = {"references": REFERENCES, "attacks": {"run": RUN}, "evaluation": EVALUATION}
    return {**plain, **change}


def written(folder: Path) -> list[str]:
    """Both sides as files."""
    paths = [folder / "in.npz", folder / "out.npz"]
    for path, (rows, labels) in zip(paths, sides(), strict=True):
        np.savez(path, x=rows, y=labels)
    return [str(path) for path in paths]


def work_in(store: Path) -> Sequence[Path]:
    """Every output that a store holds."""
    return sorted(store.glob("??/*"))


def counting(setitem: Callable[..., None], kinds: Iterable[type] = KINDS) -> list[Any]:
    """The jobs of these kinds, as they will be done; ``setitem`` is a monkeypatch's."""
    done: list[Any] = []

    def counted(do: Callable[..., None]) -> Callable[..., None]:
        def noted(job: Any, store: Store, told: Any) -> None:
            done.append(job)
            do(job, store, told)

        return noted

    for kind in kinds:
        setitem(work.MAKING, kind, counted(work.MAKING[kind]))
    return done
