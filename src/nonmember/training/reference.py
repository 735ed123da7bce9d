"""Reference models: m of them, each kept under an address made of all that decides it.

Shadow models (Shokri et al. 2017, arXiv:1610.05820) are bought once here: a model is trained if
nobody has trained it yet, whatever attack asks, and is never mistaken for another one.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import RunError, SpecError
from nonmember.models.architecture import Architecture, try_out
from nonmember.models.classifiers.answers import LEAST
from nonmember.models.source import digest
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.training import estimators, kept, membership
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.ensemble import Ensemble, fit_ensemble
from nonmember.training.kept import References, load
from nonmember.types import Member, RefMember

__all__ = ["Model", "References", "load", "models", "steps", "train"]

VERSION = 1
TOGETHER = 64  # models in one fit, and
WEIGHTS = 1 << 26  # weights of them all, which are held until they are written
WRITERS = 16
FLOOR = round(log(LEAST), 1)


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
class _Order:
    """All that the models of one call have in common."""

    architecture: Architecture
    examples: Examples
    recipe: ClassifierRecipe
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
) -> tuple[Model, ...]:
    """The m reference models, with the address of each; none is trained or looked for.

    An address covers the inputs and labels that the model is trained on, in their order, the
    architecture, the recipe (an estimator has none), its seed, its parent and torch's version.
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

    Raises:
        SpecError: fewer than 4 models, or parents of another number or of estimators.
        DataError: ``member`` has another shape, or an example is in all models or none; a
            label beyond the classes; a class that a model would not be shown.
    """
    membership.check(examples, member, architecture.classes)
    if parents is not None and (architecture.kind == "estimator" or len(parents) != len(member)):
        raise SpecError(
            f"reference models: {len(parents)} parents for {len(member)} of {architecture.name}; "
            "give one for each of them, and networks: estimators cannot be fine-tuned"
        )
    found = []
    for number, rows in enumerate(member):
        own = derive(seed, "reference", number)
        parent = None if parents is None else parents[number]
        address = _address(architecture, examples, recipe, rows, own, parent)
        found.append(Model(address, own, np.array(rows), parent))
    return tuple(found)


def target(
    architecture: Architecture, examples: Examples, recipe: ClassifierRecipe, *, seed: int = 0
) -> Model:
    """The model that is trained on all examples: a target, made as its references are."""
    rows = np.ones(len(examples), dtype=bool)
    return Model(_address(architecture, examples, recipe, rows, seed, None), seed, rows)


def steps(architecture: Architecture, recipe: ClassifierRecipe, models: Sequence[Model]) -> int:
    """What ``train`` tells its watch in all if none of them is there yet."""
    if architecture.kind == "estimator":
        return len(models)
    batches = (-(-int(model.rows.sum()) // recipe.batch_size) for model in models)
    return recipe.epochs * sum(batches)


def train(
    architecture: Architecture,
    examples: Examples,
    recipe: ClassifierRecipe,
    models: Sequence[Model],
    store: Store,
    *,
    device: str = "cpu",
    watch: Callable[[int], None] | None = None,
) -> None:
    """Train those that the store lacks: networks together, estimators one after the other.

    What was interrupted goes on from its last checkpoint. ``watch`` is told the steps done:
    updates of one network, or one estimator.

    Raises:
        RunError: a model was not planned for this architecture, recipe or these examples, or a
            parent is missing, damaged or of another architecture.
        ModelError: the architecture refuses the examples, or learns nothing from them.
    """
    order = _Order(architecture, examples, recipe, store, device, watch)
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
    for some in ([one for one in models if not one.parent], [one for one in models if one.parent]):
        for group in _groups(order, some):
            _fit_group(order, group)


def _groups(order: _Order, models: Sequence[Model]) -> Iterator[Sequence[Model]]:
    """Those to be fitted together: of each group what is missing.

    A group that was interrupted is gone on with whole, even if some of it is in the store: its
    checkpoint is that of all of them.
    """
    most = max(1, min(TOGETHER, WEIGHTS // max(1, order.architecture.size)))
    for first in range(0, len(models), most):
        group = models[first : first + most]
        missing = [model for model in group if not order.store.has(model.address)]
        if missing:
            yield group if any(_scratch(order.store, group).iterdir()) else missing


def _scratch(store: Store, group: Sequence[Model]) -> Path:
    return store.scratch(digest("reference models", *(model.address for model in group)))


def _fit_group(order: _Order, group: Sequence[Model]) -> None:
    start = time.perf_counter()
    architecture, scratch = order.architecture, _scratch(order.store, group)
    parents = [model.parent for model in group if model.parent is not None]
    fitted = fit_ensemble(
        architecture.make,
        np.asarray(order.examples.inputs),
        order.examples.labels,
        np.stack([model.rows for model in group]),
        order.recipe,
        seeds=[model.seed for model in group],
        device=order.device,
        starts=[kept.state(architecture, one, order.store) for one in parents] or None,
        scratch=scratch,
        watch=order.watch,
    )
    _write(order, group, fitted, start)
    shutil.rmtree(scratch, ignore_errors=True)


def _write(order: _Order, group: Sequence[Model], fitted: Ensemble, start: float) -> None:
    """Keep each of the models that were fitted together."""
    networks = kept.Networks(order.architecture.make, fitted.states, order.device)
    hits = kept.hits(networks, order.examples)
    seconds = (time.perf_counter() - start) / len(group)

    def write(place: int) -> None:
        about = {
            "trained together": len(group),
            "stacked": fitted.stacked,
            "why not stacked": fitted.why,
            "loss of the last epoch, nats": float(fitted.losses[place, -1]),
        }
        _keep(order, group[place], fitted.states[place], hits[place], seconds, about)

    with ThreadPoolExecutor(WRITERS) as pool:  # most of it is waiting for the disk
        list(pool.map(write, range(len(group))))


def _fit_one(order: _Order, model: Model) -> None:
    start = time.perf_counter()
    chosen = order.examples.take(np.flatnonzero(model.rows))
    fitted, said = estimators.fit(order.architecture, chosen, seed=model.seed)
    hits = kept.hits(kept.asked(order.architecture, [fitted]), order.examples)[0]
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
    network = order.architecture.kind == "network"
    recorded = {
        "recipe": asdict(order.recipe) if network else None,
        "seed": model.seed,
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
    rows = order.examples.digests[model.rows]
    kept.put(order.store, order.architecture, model.address, made, rows, recorded | dict(about))


def _rows_of(store: Store, address: str | None) -> str | None:
    """What a model's parent was trained on: a child has two memberships, never to be mixed."""
    return None if address is None else str(store.provenance(address)["rows sha256"])


def _address(
    architecture: Architecture,
    examples: Examples,
    recipe: ClassifierRecipe,
    rows: Member,
    seed: int,
    parent: str | None,
) -> str:
    network = architecture.kind == "network"
    return digest(
        f"reference {VERSION} {architecture.kind} {architecture.digest} {architecture.classes}",
        f"{seed} {torch.__version__} {asdict(recipe)}" if network else f"{seed}",
        "" if parent is None else f"all layers of {parent}",
        examples.digests[rows].tobytes(),
        examples.labels[rows].astype(np.int64).tobytes(),
    )


def _check_order(order: _Order, model: Model) -> None:
    """Refuse to write under an address what it does not stand for."""
    wanted = _address(
        order.architecture, order.examples, order.recipe, model.rows, model.seed, model.parent
    )
    if wanted != model.address:
        raise RunError(
            f"reference model {model.address}: planned for another architecture, recipe, seed, "
            "parent or other examples; plan it again with these"
        )
    if model.parent is not None and not order.store.has(model.parent):
        raise RunError(
            f"reference model {model.address}: its parent {model.parent} is not in "
            f"{order.store.root}; train that first"
        )
