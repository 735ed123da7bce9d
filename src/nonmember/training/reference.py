"""Reference models: m of them, each kept under an address made of all that decides it.

Shadow models (Shokri et al. 2017, arXiv:1610.05820) are bought once here: a model is trained if
nobody has trained it yet, whatever attack asks, and is never mistaken for another one.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import RunError, SpecError
from nonmember.models.architecture import Architecture, try_out
from nonmember.models.classifiers.answers import LEAST
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.training import defended, estimators, grouping, kept, membership
from nonmember.training.addresses import Model, Origin, address_of, check_recipe, described
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import Ensemble, fit_ensemble
from nonmember.training.kept import References, load
from nonmember.training.objectives import Private, stackable
from nonmember.types import Member, RefMember

__all__ = ["Model", "References", "load", "models", "steps", "target", "train"]

KIND = "reference models"
FLOOR = round(log(LEAST), 1)


@dataclass(frozen=True)
class _Order:
    """All that the models of one call have in common."""

    origin: Origin
    store: Store
    device: str
    watch: Callable[[int], None] | None


def models(
    architecture: Architecture,
    examples: Examples,
    member: RefMember,
    recipe: ClassifierRecipe,
    *,
    seed: int = 0,
    parents: Sequence[str] | None = None,
    reserve: Examples | None = None,
) -> tuple[Model, ...]:
    """The m reference models, with the address of each; none is trained or looked for.

    An address covers the inputs and labels that the model is trained on, in their order, the
    architecture, the recipe (an estimator has none), its seed, its parent and torch's version;
    of a recipe whose objective needs one, the reserve.
    Device and threads are not covered: they round differently. A model's address depends on
    its own row of ``member`` and the row's number, so rows can be added.

    Args:
        architecture: what they are made of.
        examples: the n candidates.
        member: whom each is trained on, (m n); every column needs both kinds.
        recipe: how a network is trained.
        seed: of initialisations, orders and noise.
        parents: addresses of the m models that these are fine-tuned from, all layers. Their
            own membership stays with them: it is not ``member``.
        reserve: records that are no candidates, where the recipe's objective needs them.

    Raises:
        SpecError: fewer than 4 models; parents of another number or of estimators; or settings
            that do not go together.
        DataError: ``member`` has another shape, or an example is in all models or none; a
            label beyond the classes; a class that a model would not be shown; or a reserve that
            the objective cannot do with.
        ModelError: the network has layers that the objective cannot do with.
    """
    membership.check(examples, member, architecture.classes)
    if parents is not None and (architecture.kind == "estimator" or len(parents) != len(member)):
        raise SpecError(
            f"reference models: {len(parents)} parents for {len(member)} of {architecture.name}; "
            "give one for each of them, and networks: estimators cannot be fine-tuned"
        )
    origin = Origin(architecture, examples, recipe, reserve)
    check_recipe(origin, member, children=parents is not None)
    found = []
    for number, rows in enumerate(member):
        own = derive(seed, "reference", number)
        parent = None if parents is None else parents[number]
        found.append(Model(address_of(origin, rows, own, parent), own, np.array(rows), parent))
    return tuple(found)


def target(
    architecture: Architecture,
    examples: Examples,
    recipe: ClassifierRecipe,
    *,
    seed: int = 0,
    reserve: Examples | None = None,
) -> Model:
    """The model that is trained on all examples: a target, made as its references are.

    Raises:
        SpecError, DataError, ModelError: as for ``models``.
    """
    rows = np.ones(len(examples), dtype=bool)
    origin = Origin(architecture, examples, recipe, reserve)
    check_recipe(origin, rows[None], children=False)
    return Model(address_of(origin, rows, seed, None), seed, rows)


def steps(
    architecture: Architecture,
    recipe: ClassifierRecipe,
    models: Sequence[Model],
    reserve: Examples | None = None,
) -> int:
    """What ``train`` tells its watch in all if none of them is there yet."""
    if architecture.kind == "estimator":
        return len(models)
    beside = 0 if reserve is None else len(reserve)
    return sum(defended.updates(recipe, int(one.rows.sum()), beside) for one in models)


def train(
    architecture: Architecture,
    examples: Examples,
    recipe: ClassifierRecipe,
    models: Sequence[Model],
    store: Store,
    *,
    reserve: Examples | None = None,
    device: str = "cpu",
    watch: Callable[[int], None] | None = None,
) -> None:
    """Train those that the store lacks: networks together, estimators one after the other.

    What was interrupted goes on from its last checkpoint. ``watch`` is told the steps done:
    updates of one network, or one estimator.

    Raises:
        RunError: a model was not planned for this architecture, recipe, reserve or these
            examples, or a parent is missing, damaged or of another architecture.
        ModelError: the architecture refuses the examples, or learns nothing from them.
    """
    origin = Origin(architecture, examples, recipe, reserve)
    order = _Order(origin, store, device, watch)
    for model in models:
        _check_order(order, model)
    if all(store.has(model.address) for model in models):
        return
    try_out(architecture, examples.inputs)
    if architecture.kind == "estimator":
        for model in models:
            if not store.has(model.address):
                _fit_one(order, model)
        return
    most = grouping.most(architecture)
    for some in ([one for one in models if not one.parent], [one for one in models if one.parent]):
        for group in grouping.groups(KIND, some, store, most):
            _fit_group(order, group)


def _fit_group(order: _Order, group: Sequence[Model]) -> None:
    start, scratch = time.perf_counter(), grouping.scratch(KIND, group, order.store)
    _write(order, group, _fitted(order, group, scratch), start)
    shutil.rmtree(scratch, ignore_errors=True)


def _fitted(order: _Order, group: Sequence[Model], scratch: Path) -> Ensemble:
    origin, member = order.origin, np.stack([model.rows for model in group])
    seeds = [model.seed for model in group]
    if not stackable(origin.recipe):
        return defended.fit(
            origin.architecture.make,
            *(origin.examples, member, origin.recipe),
            seeds=seeds,
            reserve=origin.reserve,
            device=order.device,
            scratch=scratch,
            watch=order.watch,
        )
    parents = [model.parent for model in group if model.parent is not None]
    return fit_ensemble(
        origin.architecture.make,
        *(np.asarray(origin.examples.inputs), origin.examples.labels, member, origin.recipe),
        seeds=seeds,
        device=order.device,
        starts=[kept.state(origin.architecture, one, order.store) for one in parents] or None,
        scratch=scratch,
        watch=order.watch,
    )


def _write(order: _Order, group: Sequence[Model], fitted: Ensemble, start: float) -> None:
    """Keep each of the models that were fitted together."""
    networks = kept.Networks(order.origin.architecture.make, fitted.states, order.device)
    hits = kept.hits(networks, order.origin.examples)
    seconds = (time.perf_counter() - start) / len(group)

    def write(place: int) -> None:
        about = {
            "trained together": len(group),
            "stacked": fitted.stacked,
            "why not stacked": fitted.why,
            "loss of the last epoch, nats": float(fitted.losses[place, -1]),
            **(fitted.about[place] if fitted.about else {}),
        }
        _keep(order, group[place], fitted.states[place], hits[place], seconds, about)

    with ThreadPoolExecutor(grouping.WRITERS) as pool:  # most of it is waiting for the disk
        list(pool.map(write, range(len(group))))


def _fit_one(order: _Order, model: Model) -> None:
    start = time.perf_counter()
    chosen = order.origin.examples.take(np.flatnonzero(model.rows))
    fitted, said = estimators.fit(order.origin.architecture, chosen, seed=model.seed)
    hits = kept.hits(kept.asked(order.origin.architecture, [fitted]), order.origin.examples)[0]
    seconds = time.perf_counter() - start
    about = {"trained together": 1, "warnings": said, "log of no probability, nats": FLOOR}
    _keep(order, model, fitted, hits, seconds, about)
    if order.watch is not None:
        order.watch(1)


def _keep(
    order: _Order,
    model: Model,
    made: object,
    hits: Member,
    seconds: float,
    about: Mapping[str, Any],
) -> None:
    recipe, network = order.origin.recipe, order.origin.architecture.kind == "network"
    secret = network and isinstance(recipe.objective, Private)  # the noise follows from the seed
    recorded = {
        "recipe": described(recipe) if network else None,
        **({} if secret else {"seed": model.seed}),
        "parent": model.parent,
        "parent's rows sha256": _rows_of(order.store, model.parent),
        "examples": int(model.rows.sum()),
        "examples left out": int((~model.rows).sum()),
        "accuracy": float(hits[model.rows].mean()),
        "accuracy on those left out": None if model.rows.all() else float(hits[~model.rows].mean()),
        "seconds": round(seconds, 3),
        "device": order.device if network else "cpu",
        "torch": torch.__version__,
    }
    rows = order.origin.examples.digests[model.rows]
    kept.put(
        order.store, order.origin.architecture, model.address, made, rows, recorded | dict(about)
    )


def _rows_of(store: Store, address: str | None) -> str | None:
    """What a model's parent was trained on: a child has two memberships, never to be mixed."""
    return None if address is None else str(store.provenance(address)["rows sha256"])


def _check_order(order: _Order, model: Model) -> None:
    """Refuse to write under an address what it does not stand for."""
    if address_of(order.origin, model.rows, model.seed, model.parent) != model.address:
        raise RunError(
            f"reference model {model.address}: planned for another architecture, recipe, seed, "
            "parent, reserve or other examples; plan it again with these"
        )
    if model.parent is not None and not order.store.has(model.parent):
        raise RunError(
            f"reference model {model.address}: its parent {model.parent} is not in "
            f"{order.store.root}; train that first"
        )
