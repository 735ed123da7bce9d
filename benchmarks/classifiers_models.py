"""What the attacks are given: a target, one that saw no candidate, and 64 reference models."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from classifiers_data import Task

from nonmember.data import examples
from nonmember.models.architecture import Architecture, architecture_of
from nonmember.models.protocols import Classifier
from nonmember.signals.boundary import hop_skip_jump
from nonmember.signals.store import Store
from nonmember.training import reference
from nonmember.training.ensemble import ensemble_logits, fit_ensemble
from nonmember.training.membership import balanced

Signals = Mapping[str, np.ndarray]
BUDGET = 500  # inputs put to the model for each candidate's way to the boundary


@dataclass(frozen=True)
class Asked:
    """A model that answers by whatever is behind it."""

    classes: int
    answer: Callable[[np.ndarray], np.ndarray]

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """Logits (n c)."""
        return self.answer(np.asarray(inputs))


@dataclass(frozen=True)
class World:
    """A task with its models. Row 0 of a balanced plan is the target, its twin is left out."""

    task: Task
    store: Path
    references: int

    @cached_property
    def architecture(self) -> Architecture:
        """Of every model."""
        task = self.task
        return architecture_of(task.network, task.inputs.shape[1:], task.classes, task.options)

    @cached_property
    def candidates(self) -> examples.Examples:
        """Those whose membership is asked about."""
        task = self.task
        return examples.of(task.inputs[: task.candidates], task.labels[: task.candidates])

    @cached_property
    def plan(self) -> np.ndarray:
        """Whom the target, its twin and the references are trained on."""
        return balanced(np.arange(self.task.candidates), self.references + 2)

    @property
    def population(self) -> slice:
        """The places of those that no model is trained on."""
        return slice(self.task.candidates + self.task.candidates // 2, None)

    @cached_property
    def trained(self) -> tuple[reference.References, dict[str, Any]]:
        """The target and the references, and what training took."""
        task, store = self.task, Store(self.store)
        made = reference.models(self.architecture, self.candidates, self.plan, task.recipe)
        wanted, start = (made[0], *made[2:]), time.perf_counter()
        reference.train(self.architecture, self.candidates, task.recipe, wanted, store)
        told = [store.provenance(one.address) for one in wanted]
        about = {
            "seconds now": round(time.perf_counter() - start, 1),
            "seconds of training": round(sum(one["seconds"] for one in told), 1),
            "stacked": told[0]["stacked"],
            "accuracy of the target": told[0]["accuracy"],
            "its accuracy on those left out": told[0]["accuracy on those left out"],
        }
        loaded = reference.load(self.architecture, [one.address for one in wanted], store)
        return loaded, about

    @cached_property
    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """Logits (1 + m n c) of the candidates and (1 + m z c) of the population."""
        inputs, (models, _) = self.task.inputs, self.trained
        return models.logits(inputs[: self.task.candidates]), models.logits(inputs[self.population])

    def of_target(self) -> Signals:
        """What attacks on the target are given."""
        ours, others = self.answers
        first = self.trained[0]
        asked = Asked(self.task.classes, lambda x: first.logits(x)[0])
        return self._signals(ours[0], others[0], asked)

    def of_control(self) -> Signals:
        """The same of a target that was trained alike, on as many others."""
        task, make = self.task, self.architecture.make
        rows = np.zeros((1, len(task.labels)), dtype=bool)
        rows[0, task.candidates : self.population.start] = True
        inputs, labels = task.inputs, task.labels
        fitted = fit_ensemble(make, inputs, labels, rows, task.recipe, seeds=[1])
        asked = Asked(task.classes, lambda x: ensemble_logits(make, fitted.states, x)[0])
        ours, others = (asked.logits(part) for part in (self.candidates.inputs, self._aside))
        return self._signals(ours, others, asked)

    @property
    def _aside(self) -> np.ndarray:
        return self.task.inputs[self.population]

    def _signals(self, ours: np.ndarray, others: np.ndarray, asked: Classifier) -> Signals:
        task, (candidates, population) = self.task, self.answers
        found = {
            "logits": ours,
            "hit": (ours.argmax(axis=1) == self.candidates.labels).astype(float),
            "labels": self.candidates.labels,
            "ref_logits": candidates[1:],
            "ref_member": self.plan[2:],
            "pop_logits": others,
            "pop_labels": task.labels[self.population],
            "ref_pop_logits": population[1:],
            "input_features": task.features[: task.candidates],
            "pop_input_features": task.features[self.population],
        }
        if task.boundary:
            found |= hop_skip_jump(asked, self.candidates, budget=BUDGET)
        return found
