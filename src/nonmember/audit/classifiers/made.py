"""Classifiers that an audit trains itself: from nothing, or from others that it trains."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from nonmember.audit.classifiers.candidates import Candidates
from nonmember.data.examples import Examples
from nonmember.models.architecture import Architecture, architecture_of, try_out
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.training import children, reference
from nonmember.training.children import Tuning
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.membership import balanced
from nonmember.training.reference import Model
from nonmember.types import RefMember

Told = Callable[[int], None]
NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Trained:
    """Classifiers that are trained here: of what, on which examples, and which of them each.

    References are trained on candidates, which come first, and perhaps others. ``reserve`` are
    those that the recipe trains with on neither side, where it does.
    """

    architecture: Architecture
    recipe: ClassifierRecipe
    examples: Examples
    member: RefMember
    models: tuple[Model, ...]
    reserve: Examples | None = None

    def train(self, models: tuple[Model, ...], store: Store, device: str, told: Told) -> None:
        """Train what the store lacks of some of them."""
        how = (self.architecture, self.examples, self.recipe)
        reference.train(*how, models, store, reserve=self.reserve, device=device, watch=told)


@dataclass(frozen=True)
class Tuned:
    """Classifiers that are fine-tuned here, each from one of ``parents``.

    ``architecture`` is theirs, with the new head; ``examples`` and ``member`` are of their own
    task.
    """

    parents: Trained
    architecture: Architecture
    tuning: Tuning
    examples: Examples
    member: RefMember
    models: tuple[Model, ...]

    @property
    def recipe(self) -> ClassifierRecipe:
        """How they are trained."""
        return self.tuning.recipe

    def train(self, models: tuple[Model, ...], store: Store, device: str, told: Told) -> None:
        """Fine-tune what the store lacks of some of them; their parents are there."""
        how = (self.parents.architecture, self.examples, self.tuning)
        children.train(*how, models, store, device=device, watch=told)


Made = Trained | Tuned


def on_all(
    architecture: Architecture,
    recipe: ClassifierRecipe,
    examples: Examples,
    root: int,
    reserve: Examples | None = None,
) -> Trained:
    """A target: the one model that is trained on all of the examples."""
    seed = derive(root, "target")
    own = reference.target(architecture, examples, recipe, seed=seed, reserve=reserve)
    return Trained(architecture, recipe, examples, own.rows[None], (own,), reserve)


def on_halves(
    architecture: Architecture,
    recipe: ClassifierRecipe,
    candidates: Candidates,
    count: int,
    root: int,
    reserve: Examples | None = None,
) -> Trained:
    """So many reference models, each of a random half of the candidates and what goes with them."""
    seed = derive(root, "references")
    examples, group = candidates.halved
    member = balanced(group, count, seed=seed)
    how = (architecture, examples, member, recipe)
    models = reference.models(*how, seed=seed, reserve=reserve)
    return Trained(architecture, recipe, examples, member, models, reserve)


def architecture(
    name: str, candidates: Candidates, given: Mapping[str, Any], options: Mapping[str, Any] = NONE
) -> Architecture:
    """What is called so, or was handed over by that name, tried out on a candidate."""
    thing, inputs = given.get(name, name), candidates.examples.inputs
    shape = inputs.shape[1:] if isinstance(inputs, np.ndarray) else ()
    found = architecture_of(thing, shape, candidates.classes, options)
    try_out(found, inputs)
    return found
