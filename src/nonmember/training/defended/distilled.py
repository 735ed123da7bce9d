"""Distillation for membership privacy: students of a teacher, on records of nobody's.

DMP; Shejwalkar and Houmansadr 2021, arXiv:1906.06589.
"""

from dataclasses import replace

import numpy as np
from scipy.special import entr, softmax

from nonmember.data.examples import Examples
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.defended.task import Task
from nonmember.training.ensemble import Ensemble, ensemble_logits, fit_ensemble
from nonmember.training.objectives import Distilled
from nonmember.types import Logits, Member, RefLogits


def updates(recipe: ClassifierRecipe, rows: int, reserve: int) -> int:
    """Of a teacher on so many rows, and of its student on its share of so many of the reserve."""
    objective = recipe.objective
    assert isinstance(objective, Distilled)
    counts = (rows, chosen_of(reserve, objective))
    batches = [-(-recipe.trained(count) // recipe.batch_size) for count in counts]
    return recipe.epochs * sum(batches)


def chosen_of(reserve: int, objective: Distilled) -> int:
    """How many records of a reserve a student is shown."""
    return max(1, round(objective.share * reserve))


def fit(task: Task) -> Ensemble:
    """Train teachers on their own rows, and for each a student that is shown the reserve alone."""
    assert task.reserve is not None
    teachers = fit_ensemble(
        task.make,
        np.asarray(task.examples.inputs),
        task.examples.labels,
        task.member,
        replace(task.recipe, objective=None),
        seeds=task.seeds,
        device=task.device,
        scratch=None if task.scratch is None else task.scratch / "teachers",
        watch=task.watch,
    )
    shown = np.asarray(task.reserve.inputs)
    return _taught(
        task,
        task.reserve,
        ensemble_logits(task.make, teachers.states, shown, device=task.device),
    )


def _taught(task: Task, reserve: Examples, answers: RefLogits) -> Ensemble:
    """A student of each teacher's answers to the reserve, (m n c)."""
    objective = task.recipe.objective
    assert isinstance(objective, Distilled)
    count = chosen_of(len(reserve), objective)
    students = fit_ensemble(
        task.make,
        np.asarray(reserve.inputs),
        reserve.labels,
        np.stack([surest(one, count) for one in answers]),
        replace(task.recipe, objective=None, label_smoothing=0.0),
        seeds=task.seeds,
        soft=softmax(answers / objective.temperature, axis=2),
        device=task.device,
        scratch=None if task.scratch is None else task.scratch / "students",
        watch=task.watch,
    )
    about = {"records of the reserve": len(reserve), "of them shown": count}
    return replace(students, about=tuple({**one, **about} for one in students.about))


def surest(logits: Logits, count: int) -> Member:
    """Those records, so many, whose answers have the least entropy; of equal ones the first."""
    entropy = entr(softmax(logits.astype(np.float64), axis=1)).sum(axis=1)
    found = np.zeros(len(logits), dtype=bool)
    found[np.argsort(entropy, kind="stable")[:count]] = True
    return found
