"""Self-distillation: students of what models that did not see a record say of it.

SELENA; Tang et al. 2022, arXiv:2110.08324.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import softmax

from nonmember.data.examples import Examples
from nonmember.errors import DataError
from nonmember.seeds import derive, generator
from nonmember.training import fleet
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.progress import Evened
from nonmember.training.defended.task import Task, rows, run_of
from nonmember.training.ensemble import Ensemble, ensemble_logits, fit_ensemble
from nonmember.training.fleet import State
from nonmember.training.objectives import SelfDistilled
from nonmember.types import Member

WEIGHTS = 1 << 26  # of submodels that are held at a time

Excluded = Bool[np.ndarray, "k n"]
"""Which of k submodels are never shown each record of one model."""

SoftTargets = Float[np.ndarray, "n c"]
"""A distribution over the classes for each record, (n c)."""


def updates(recipe: ClassifierRecipe, rows: int) -> int:
    """Of the student and of its submodels, for which the average size stands."""
    own = recipe.epochs * -(-recipe.trained(rows) // recipe.batch_size)
    return own + _of_submodels(recipe, rows)


def fit(task: Task) -> Ensemble:
    """Train the submodels of some models together, keep what they say, then all students together.

    Raises:
        DataError: too few records that do not belong together.
    """
    objective = task.recipe.objective
    assert isinstance(objective, SelfDistilled)
    drawn = [excluded(task, i) for i in range(len(task.seeds))]
    network = fleet.fresh(task.make, 0)
    size = objective.k * sum(weight.numel() for weight in network.parameters())
    together = max(1, WEIGHTS // size)
    soft: list[SoftTargets] = []
    for first in range(0, len(drawn), together):
        soft += _soft_of(task, range(first, min(first + together, len(drawn))), drawn)
    fitted = fit_ensemble(
        task.make,
        np.asarray(task.examples.inputs),
        task.examples.labels,
        task.member,
        replace(task.recipe, objective=None),
        seeds=task.seeds,
        soft=np.stack(soft),
        device=task.device,
        scratch=None if task.scratch is None else task.scratch / "students",
        watch=task.watch,
    )
    about = {"submodels": objective.k, "submodels that did not see a record": objective.l}
    return replace(fitted, about=tuple({**one, **about} for one in fitted.about))


def excluded(task: Task, i: int) -> Excluded:
    """Which submodels of model ``i`` are never shown each record: L of K for its own, else all.

    Records of one group, and those with equal inputs, share their draw.

    Raises:
        DataError: a submodel would be shown nothing.
    """
    objective = task.recipe.objective
    assert isinstance(objective, SelfDistilled)
    own = rows(task, i)
    code = belonging(task.examples.take(own))
    rng = generator(task.seeds[i], "excluded")
    order = rng.permuted(np.tile(np.arange(objective.k), (code.max() + 1, 1)), axis=1)
    found = np.ones((objective.k, len(task.examples)), dtype=bool)
    found[:, own] = False
    for column in order[code, : objective.l].T:
        found[column, own] = True
    if found.all(axis=1).any():
        raise DataError(
            f"SELENA: {code.max() + 1} records that do not belong together leave one of "
            f"{objective.k} submodels without any; give more records, or a smaller k"
        )
    return found


def belonging(examples: Examples) -> Int[np.ndarray, "_"]:
    """A number per record: equal for those of a group, those with equal inputs, and chains."""
    n = len(examples)
    of_content = np.unique(examples.digests, axis=0, return_inverse=True)[1].reshape(-1)
    names = [("", i) if one is None else ("group", one) for i, one in enumerate(examples.groups)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    of_group = np.array([numbers[name] for name in names])
    places = np.tile(np.arange(n), 2)
    links = np.concatenate([of_content, of_group + n]) + n
    graph = coo_array((np.ones(2 * n, dtype=bool), (places, links)), shape=(3 * n, 3 * n))
    found = connected_components(graph, directed=False)[1][:n]
    return np.unique(found, return_inverse=True)[1].reshape(-1)


def _soft_of(task: Task, numbers: range, drawn: list[Excluded]) -> list[SoftTargets]:
    """The soft targets of these models: read where an earlier run has left them, or made."""
    paths = [None if task.scratch is None else _path(task, task.scratch, i) for i in numbers]
    found = [_read(path) for path in paths]
    there = [one for one in found if one is not None]
    planned = sum(_of_submodels(task.recipe, int(task.member[i].sum())) for i in numbers)
    told = Evened(task.watch, planned)
    if len(there) < len(found):
        there = _made(replace(task, watch=told), numbers, drawn)
        for path, one in zip(paths, there, strict=True):
            _keep(one, path)
        for folder in _submodels(task, numbers)[:1]:
            shutil.rmtree(folder, ignore_errors=True)
    told.end()
    return there


def _made(task: Task, numbers: range, drawn: list[Excluded]) -> list[SoftTargets]:
    """Train all submodels of these models, and have each asked about what it never saw."""
    k = len(drawn[0])
    shown = np.concatenate([task.member[i] & ~drawn[i] for i in numbers])
    for row in shown:
        _leave_no_rest(row, task.recipe)
    fitted = fit_ensemble(
        task.make,
        np.asarray(task.examples.inputs),
        task.examples.labels,
        shown,
        replace(task.recipe, objective=None),
        seeds=[derive(task.seeds[i], "submodel", one) for i in numbers for one in range(k)],
        device=task.device,
        scratch=next(iter(_submodels(task, numbers)), None),
        watch=task.watch,
    )
    return [
        soft_targets(task, i, drawn[i], fitted.states[place * k : (place + 1) * k])
        for place, i in enumerate(numbers)
    ]


def soft_targets(task: Task, i: int, drawn: Excluded, states: Sequence[State]) -> SoftTargets:
    """The mean probabilities of each own record of model ``i`` under those that never saw it.

    Equal ones for all other records, which nobody is trained on.
    """
    own, inputs = task.member[i], np.asarray(task.examples.inputs)
    ask = partial(ensemble_logits, task.make, device=task.device)
    found = np.zeros((len(inputs), ask(states[:1], inputs[:1]).shape[2]))
    for state, unseen in zip(states, drawn & own, strict=True):
        if unseen.any():
            found[unseen] += softmax(ask([state], inputs[unseen])[0].astype(np.float64), axis=1)
    found /= np.maximum(1, drawn.sum(axis=0))[:, None]
    found[~own] = 1 / found.shape[1]
    return found.astype(np.float32)


def _leave_no_rest(row: Member, recipe: ClassifierRecipe) -> None:
    """Leave a record out rather than a last batch of one, which BatchNorm cannot normalise."""
    while row.sum() > 2 and recipe.trained(int(row.sum())) % recipe.batch_size == 1:
        row[np.flatnonzero(row)[-1]] = False


def _of_submodels(recipe: ClassifierRecipe, rows: int) -> int:
    """Updates of the submodels of a model with so many records, if each saw the average share."""
    objective = recipe.objective
    assert isinstance(objective, SelfDistilled)
    shown = round(rows * (objective.k - objective.l) / objective.k)
    return recipe.epochs * objective.k * -(-recipe.trained(shown) // recipe.batch_size)


def _submodels(task: Task, numbers: range) -> list[Path]:
    """Where the checkpoints of these models' submodels are, if any are kept."""
    return [] if task.scratch is None else [task.scratch / f"submodels-{numbers[0]}"]


def _path(task: Task, scratch: Path, i: int) -> Path:
    return scratch / f"soft-{run_of(task, i)}.npy"


def _read(path: Path | None) -> SoftTargets | None:
    if path is None:
        return None
    with suppress(OSError, ValueError, EOFError):
        found: SoftTargets = np.load(path, allow_pickle=False)
        return found
    return None


def _keep(soft: SoftTargets, path: Path | None) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.part.npy")
    np.save(part, soft, allow_pickle=False)
    part.replace(path)
