"""Children of reference parents: models fine-tuned from them for another task, and kept like them.

Whoever was in a parent's training set may still be told from what its child answers (TMI;
Abascal et al. 2024, arXiv:2306.01181). A child has two memberships: its parent's, of the
candidates, and its own, of the downstream examples. They are never mixed.
"""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from nonmember.data.examples import Examples
from nonmember.errors import RunError
from nonmember.models.architecture import Architecture, try_out
from nonmember.models.transfer import Transfer, child_of
from nonmember.signals.store import Store
from nonmember.training import children_fitting, children_privacy, grouping, kept
from nonmember.training.addresses import described
from nonmember.training.children_fitting import Fitted
from nonmember.training.children_planning import Tuning, address_of, classes_of, draws, models
from nonmember.training.children_privacy import Budget
from nonmember.training.fleet import State
from nonmember.training.reference import Model
from nonmember.types import Member

__all__ = ["Budget", "Transfer", "Tuning", "draws", "load", "models", "train"]

KIND = "children"


def train(
    architecture: Architecture,
    examples: Examples,
    tuning: Tuning,
    children: Sequence[Model],
    store: Store,
    *,
    device: str = "cpu",
    watch: Callable[[int], None] | None = None,
) -> None:
    """Train those that the store lacks; their parents must be there and are not trained.

    What was interrupted goes on from its last checkpoint, but under a budget. ``watch`` is told
    the updates of one network done; ``reference.steps`` says how many there will be.

    Raises:
        RunError: a child was not planned for this architecture, tuning or these examples, or a
            parent is missing, damaged or of another architecture.
        SpecError: the budget cannot be met.
        ModelError: the architecture refuses the examples, or learns nothing from them.
    """
    made = child_of(architecture, classes_of(examples))
    order = _Order(architecture, made, examples, tuning, store, device, watch)
    for child in children:
        _check_order(order, child)
    if all(store.has(child.address) for child in children):
        return
    try_out(made, examples.inputs)
    singly = tuning.budget is not None and tuning.transfer.kind != "head"  # no checkpoint of these
    for group in grouping.groups(KIND, children, store, 1 if singly else grouping.most(made)):
        _fit(order, group)


def load(
    architecture: Architecture,
    classes: int,
    addresses: Sequence[str],
    store: Store,
    *,
    device: str = "cpu",
) -> kept.References:
    """The children at these addresses, in this order, ready to be asked.

    Args:
        architecture: of their parents.
        classes: of their own task.
        addresses: theirs.
        store: where they are kept.
        device: where they answer.

    Raises:
        RunError: one is missing, damaged, of another architecture, or that of another address.
    """
    return kept.load(child_of(architecture, classes), addresses, store, device=device)


@dataclass(frozen=True)
class _Order:
    """All that the children of one call have in common; ``made`` is what they are."""

    parents: Architecture
    made: Architecture
    examples: Examples
    tuning: Tuning
    store: Store
    device: str
    watch: Callable[[int], None] | None


def _fit(order: _Order, group: Sequence[Model]) -> None:
    start, scratch = time.perf_counter(), grouping.scratch(KIND, group, order.store)
    tuning = order.tuning
    addresses = [child.parent for child in group if child.parent is not None]
    task = children_fitting.Task(
        order.made.make,
        tuning.transfer,
        tuning.recipe,
        tuning.budget,
        np.asarray(order.examples.inputs),
        order.examples.labels,
        np.stack([child.rows for child in group]),
        [kept.state(order.parents, one, order.store) for one in addresses],
        [child.seed for child in group],
        [child.address for child in group],
        order.device,
        scratch,
        order.watch,
    )
    _write(order, group, children_fitting.fit(task), start)
    shutil.rmtree(scratch, ignore_errors=True)


def _write(order: _Order, group: Sequence[Model], fitted: Fitted, start: float) -> None:
    """Keep each of the children that were fitted together."""
    asked = kept.Networks(order.made.make, fitted.states, order.device)
    hits = kept.hits(asked, order.examples)
    about = {
        "trained together": len(group),
        "trained as": fitted.how,
        "stacked": fitted.stacked,
        "why not stacked": fitted.why,
        "seconds": round((time.perf_counter() - start) / len(group), 3),
    }

    def write(place: int) -> None:
        _keep(order, group[place], fitted.states[place], hits[place], about)

    with ThreadPoolExecutor(grouping.WRITERS) as pool:  # most of it is waiting for the disk
        list(pool.map(write, range(len(group))))


def _keep(
    order: _Order, child: Model, state: State, hits: Member, about: Mapping[str, Any]
) -> None:
    tuning, rows = order.tuning, child.rows
    parent = order.store.provenance(str(child.parent))
    budget = tuning.budget
    recorded = {
        "stage": "fine-tuning",
        "transfer": asdict(tuning.transfer),
        "recipe": described(tuning.recipe),
        "privacy": budget and children_privacy.spent(int(rows.sum()), tuning.recipe, budget),
        **({} if budget else {"seed": child.seed}),  # the noise follows from it
        "parent": child.parent,
        "parent's rows sha256": parent["rows sha256"],
        "parent's accuracy": parent["accuracy"],
        "parent's accuracy on those left out": parent["accuracy on those left out"],
        "examples": int(rows.sum()),
        "examples left out": int((~rows).sum()),
        "accuracy": float(hits[rows].mean()),
        "accuracy on those left out": None if rows.all() else float(hits[~rows].mean()),
        "device": order.device,
        "torch": torch.__version__,
    }
    own = order.examples.digests[rows]
    kept.put(order.store, order.made, child.address, state, own, recorded | dict(about))


def _check_order(order: _Order, child: Model) -> None:
    """Refuse to write under an address what it does not stand for."""
    parent, store = str(child.parent), order.store
    wanted = address_of(order.made, order.examples, order.tuning, child.rows, child.seed, parent)
    if wanted != child.address:
        raise RunError(
            f"child {child.address}: planned for another architecture, tuning, seed, parent or "
            "other examples; plan it again with these"
        )
    if not store.has(parent):
        raise RunError(
            f"child {child.address}: its parent {parent} is not in {store.root}; train that first"
        )
    about = store.provenance(parent)
    if about["architecture digest"] != order.parents.digest:
        raise RunError(
            f"child {child.address}: its parent is {about['architecture']} as it was then, and "
            f"{order.parents.name} as it is now differs; give the architecture of the parents"
        )
