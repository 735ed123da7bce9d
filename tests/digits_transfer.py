"""Digits, some labelled at random, and networks that are fine-tuned to halve them."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from nonmember.data.images import digits
from nonmember.models.nets import mlp

SIDE, DOWNSTREAM, CLASSES, REFERENCES = 80, 300, 5, 8
PARENT = {"epochs": 60, "batch_size": 20, "learning_rate": 0.01}
CHILD = {"epochs": 3, "learning_rate": 0.01}
ATTACKS = ["tmi_lda", "adapted_lira", "max_confidence", "parent_lira", "input_statistics"]
PARENTS = {"architecture": "digits_transfer:narrow", "recipe": PARENT, "count": REFERENCES}
EVALUATION = {"fpr": [0.1], "resamples": 200, "redraws": 2}
OPTIONS = {"input_statistics": {"trees": 5}}

Side = tuple[np.ndarray, np.ndarray]


def narrow(shape: tuple[int, ...], classes: int) -> nn.Module:
    """What parents are made of."""
    return mlp(shape, classes, width=16)


def values(**change: Any) -> dict[str, Any]:
    """A spec: two ways of fine-tuning, few references, quickly trained."""
    plain = {
        "kind": "transfer",
        "data": {
            "pool": "digits",
            "take": {"members": SIDE, "non_members": SIDE},
            "mislabelled": 0.3,
        },
        "downstream": {"pool": "digits", "merge": 2},
        "parents": PARENTS,
        "targets": {"head": {"recipe": CHILD}, "all": {"kind": "full", "recipe": CHILD}},
        "signals": {"options": {"view_logits": {"views": 2}}},
        "attacks": {"run": ATTACKS, "options": OPTIONS},
        "evaluation": EVALUATION,
    }
    return {**plain, **change}


def sides() -> tuple[Side, Side, Side]:
    """Members, non-members and examples of the downstream task, as arrays."""
    images, labels = digits()
    rng = np.random.default_rng(0)
    places = rng.permutation(len(labels))[: 2 * SIDE + DOWNSTREAM]
    given = np.where(
        rng.random(len(places)) < 0.3, rng.integers(0, 10, len(places)), labels[places]
    )
    rows = images[places]
    last = (rows[2 * SIDE :], labels[places][2 * SIDE :] // 2)
    inside, outside = slice(0, SIDE), slice(SIDE, 2 * SIDE)
    return (rows[inside], given[inside]), (rows[outside], given[outside]), last


def written(folder: Path) -> list[str]:
    """The same as files."""
    paths = [folder / f"{name}.npz" for name in ("in", "out", "task")]
    for path, (rows, labels) in zip(paths, sides(), strict=True):
        np.savez(path, x=rows, y=labels)
    return [str(path) for path in paths]
