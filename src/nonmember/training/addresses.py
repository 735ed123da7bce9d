"""Under which address a reference model is kept: a digest of all that decides its weights.

A recipe that could not be trained as it says gets none.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import SpecError
from nonmember.models.architecture import Architecture
from nonmember.models.source import digest
from nonmember.training import defended, fleet
from nonmember.training.checks import check_moves
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.objectives import needs_reserve, stackable
from nonmember.types import Member, RefMember

VERSION = 1


@dataclass(frozen=True)
class Model:
    """One reference model: where it is or will be kept, its seed and the examples it learns.

    ``rows`` is (n,), whom it is trained on; ``parent`` the address of the model it starts from,
    None: a fresh initialisation.
    """

    address: str
    seed: int
    rows: Member
    parent: str | None = None


@dataclass(frozen=True)
class Origin:
    """What models of one call have in common, as far as it decides their weights."""

    architecture: Architecture
    examples: Examples
    recipe: ClassifierRecipe
    reserve: Examples | None = None


def address_of(origin: Origin, rows: Member, seed: int, parent: str | None) -> str:
    """Of the model with these rows and this seed, a child of the one at ``parent`` if given."""
    architecture, examples = origin.architecture, origin.examples
    network = architecture.kind == "network"
    parts = [
        f"reference {VERSION} {architecture.kind} {architecture.digest} {architecture.classes}",
        f"{seed} {torch.__version__} {described(origin.recipe)}" if network else f"{seed}",
        "" if parent is None else f"all layers of {parent}",
        examples.digests[rows].tobytes(),
        examples.labels[rows].astype(np.int64).tobytes(),
    ]
    reserve = origin.reserve
    if reserve is not None and needs_reserve(origin.recipe):
        parts += [reserve.digests.tobytes(), reserve.labels.astype(np.int64).tobytes()]
    return digest(*parts)


def check_recipe(origin: Origin, member: RefMember, *, children: bool) -> None:
    """Refuse, before any is trained, a defense that would not be trained as it says.

    Raises:
        SpecError: settings that do not go together, or with estimators, or with children, or
            with the examples.
        DataError: a reserve that the objective cannot do with.
        ModelError: the network has layers that the objective cannot do with.
    """
    recipe, name = origin.recipe, origin.architecture.name
    kind = type(recipe.objective).__name__ if recipe.objective else "hold_back"
    if origin.architecture.kind == "estimator" and (recipe.objective or recipe.hold_back):
        raise SpecError(
            f"recipe: {kind} changes how a network is trained, and {name} is an estimator; give a "
            "network, or no such defense"
        )
    if children and not stackable(recipe):
        raise SpecError(
            f"recipe: {kind} trains a network from scratch, and these start from parents; give no "
            "parents, or no such defense"
        )
    defended.check(origin.examples, member, recipe, origin.reserve)
    if origin.architecture.kind == "network":
        check_moves(np.asarray(origin.examples.inputs), recipe)
        network = fleet.fresh(origin.architecture.make, 0)
        defended.check_norms(network, member, recipe, origin.reserve)


def described(recipe: ClassifierRecipe) -> dict[str, Any]:
    """A recipe's settings by name; those that came later only where they change anything.

    So what was trained before they came keeps its address.
    """
    found = asdict(recipe)
    if recipe.objective is None:
        del found["objective"]
    else:
        found["objective"] = {"name": type(recipe.objective).__name__, **found["objective"]}
    if not recipe.hold_back:
        del found["hold_back"]
    return found
