"""m classifiers in one stacked fit: fresh initialisation, rows, order and noise of each its own.

A model's numbers depend on its seed, its rows in order, the recipe, the architecture and the data,
never on who is trained beside it: no layer adds up over models, the optimiser works on each
number by itself, and batches are filled up by the model's own count of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from nonmember.errors import DataError, ModelError, SpecError
from nonmember.models.batches import rows_at_once
from nonmember.training import fleet
from nonmember.training.checks import TRIED, check_network, check_records, check_rests
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.fitting import Job, train, wide_of
from nonmember.training.fleet import Make, State
from nonmember.training.objectives import stackable
from nonmember.training.stacked import why_not
from nonmember.types import Labels, RefLogits, RefMember

STATE_BYTES = 2**25  # of weights, gradients and moments in one stack: what a CPU's cache holds
MOST = 64  # models of a stack
ROUNDING = 1e-3  # most that a soft target's shares may sum to more or less than 1

SoftTargets = Float[np.ndarray, "_ _ c"]
"""For each of m models a distribution over the classes for each of n records, (m n c)."""


@dataclass(frozen=True)
class Ensemble:
    """What was trained.

    Args:
        states: one state dict per model, on the CPU.
        losses: mean training loss of each epoch in nats, (m e).
        stacked: whether models were trained together.
        why: why not; "" if they were.
        about: what else is to be told of each model; () if there is nothing.
    """

    states: tuple[dict[str, torch.Tensor], ...]
    losses: Float[np.ndarray, "m e"]
    stacked: bool
    why: str
    about: tuple[Mapping[str, Any], ...] = ()


def fit_ensemble(  # noqa: PLR0913 - a run's settings, and where its state goes
    make: Make,
    inputs: np.ndarray,
    labels: Labels,
    member: RefMember,
    recipe: ClassifierRecipe,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
    starts: Sequence[State] | None = None,
    scratch: Path | None = None,
    watch: Callable[[int], None] | None = None,
    soft: SoftTargets | None = None,
) -> Ensemble:
    """Train one network per row of ``member``, together where the architecture allows it.

    Args:
        make: makes one, freshly initialised from torch's generator, which is seeded before.
        inputs: (n ...), as numbers that the network takes.
        labels: true classes, (n,).
        member: the training rows of each model, (m n).
        recipe: the settings.
        seeds: one per model, of its initialisation, its order and what changes its inputs.
        device: where to train.
        starts: state dicts to start from instead, one per model: children of these models.
        scratch: where the checkpoints of this run go; a run that finds its own there goes on from
            them, and ends with the numbers it would have had without the interruption.
        watch: told the updates done, each model's counted, after each.
        soft: for each model, distributions over the classes to learn instead of the labels;
            those of its training rows are looked at.

    Raises:
        DataError: the arrays do not fit each other, a model has no rows, or soft targets are no
            distributions.
        ModelError: the network does not fit them, or the loss is no number any more.
        SpecError: seeds or starts are not one for each model, images are to be moved and there
            are none, nothing is left to train on, or the objective is not one of those that are
            trained for here.
    """
    check_records(inputs, labels, member, recipe)
    _check_models(len(member), seeds, starts)
    _check_aims(member, recipe, soft)
    data, classes = _tensor(inputs, device), torch.from_numpy(labels.astype(np.int64)).to(device)
    aims = None if soft is None else _tensor(soft, device)
    job = Job(make, data, classes, member, recipe, tuple(seeds), starts, watch, "", aims)
    pair = [fleet.fresh(make, seed).to(device) for seed in (0, 1)]
    _check_network(pair[0], job)
    why = _why_not(pair, job)
    if scratch is not None:
        job = replace(job, run=_name(job, pair[0]))
    states: dict[int, dict[str, torch.Tensor]] = {}
    about: dict[int, Mapping[str, Any]] = {}
    losses = np.zeros((len(member), recipe.epochs))
    for group in _groups(job, pair[0], stacked=not why):
        path = None if scratch is None else scratch / f"{group[0]}.safetensors"
        found = train(job, group, path, stacked=not why)
        losses[group] = found.losses
        states |= zip(group, found.states, strict=True)
        about |= zip(group, found.about, strict=True)
    order = range(len(member))
    kept, told = tuple(states[i] for i in order), tuple(about[i] for i in order)
    return Ensemble(kept, losses, not why, why, told)


def ensemble_logits(
    make: Make, states: Sequence[State], inputs: np.ndarray, *, device: str = "cpu"
) -> RefLogits:
    """Logits of every model on every input, float32, without dropout; one model at a time.

    Args:
        make: makes the network that the states belong to.
        states: state dicts, m of them.
        inputs: (n ...).
        device: where to compute.

    Raises:
        ModelError: a state does not fit the network, or a logit is not finite.
    """
    network = fleet.fresh(make, 0).to(device).eval()
    data = _tensor(inputs, device)
    rows, found = rows_at_once(inputs.shape[1:], device), []
    for i, state in enumerate(states):
        fleet.load(network, state, i)
        with torch.no_grad():
            parts = [network(part.float()).cpu() for part in torch.split(data, rows)]
        found.append(torch.cat(parts).numpy())
        if not np.isfinite(found[-1]).all():
            raise ModelError(f"reference model {i}: a logit is not finite; train it anew")
    return np.stack(found)


def _check_models(m: int, seeds: Sequence[int], starts: Sequence[State] | None) -> None:
    if len(seeds) != m or len(set(seeds)) != m:
        raise SpecError(
            f"training: {len(set(seeds))} different seeds for {m} models; give each its own"
        )
    if starts is not None and len(starts) != m:
        raise SpecError(f"training: {len(starts)} states to start {m} models from; give one each")


def _check_aims(member: RefMember, recipe: ClassifierRecipe, soft: SoftTargets | None) -> None:
    kind = type(recipe.objective).__name__
    if not stackable(recipe) or (soft is not None and recipe.objective is not None):
        raise SpecError(
            f"training: the objective {kind} is not one of a single fit, or not one with soft "
            "targets; train for it with training.defended, or give a recipe without"
        )
    few = np.flatnonzero([recipe.trained(rows) < 1 for rows in member.sum(axis=1).tolist()])
    if len(few):
        raise SpecError(
            f"recipe: hold_back = {recipe.hold_back} leaves reference model {few[0]} nothing to "
            "be trained on; give less, or more records"
        )
    if soft is None:
        return
    if soft.shape[:2] != member.shape:
        raise DataError(
            f"training: soft targets of the shape {soft.shape}, and membership of {member.shape}; "
            "give each model a distribution for each record"
        )
    own = soft[member]
    if not ((own >= 0).all() and np.allclose(own.sum(axis=-1), 1, atol=ROUNDING)):
        raise DataError("training: a soft target is no distribution; give shares that sum to 1")


def _check_network(network: nn.Module, job: Job) -> None:
    """Refuse one that does not fit the data, the targets or the batches."""
    classes = int(job.labels.max()) + 1 if job.soft is None else job.soft.shape[-1]
    check_network(network, job.data, classes, more=job.soft is None)
    check_rests(job.member.sum(axis=1).tolist(), job.recipe, network)


def _why_not(pair: Sequence[nn.Module], job: Job) -> str:
    """Why these networks cannot be stacked, "" if they can."""
    half = max(1, min(TRIED, len(job.data) // 2))
    with fleet.forked(), torch.no_grad():
        return why_not(pair, torch.cat([job.data[:half], job.data[-half:]]).float())


def _groups(job: Job, network: nn.Module, *, stacked: bool) -> list[list[int]]:
    """Numbers of the models of each stack: those whose batches have the same shapes.

    On a CPU no more than its cache holds go together: no model waits for another, so it is
    faster to train one stack to its end, and then the next.
    """
    weights = sum(parameter.numel() for parameter in network.parameters())
    fit = STATE_BYTES // (16 * weights) if job.data.device.type == "cpu" else MOST
    most = max(1, min(MOST, fit)) if stacked else 1
    alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for i, rows in enumerate(job.member.sum(axis=1).tolist()):
        trained = job.recipe.trained(rows)
        parts = (wide_of(part, job.recipe, stacked=stacked) for part in (trained, rows - trained))
        alike.setdefault(tuple(parts), []).append(i)
    return [
        group[start : start + most]
        for group in alike.values()
        for start in range(0, len(group), most)
    ]


def _name(job: Job, network: nn.Module) -> str:
    """Of a run, by all that decides its numbers but the code of the network."""
    digest = sha256(f"{job.recipe} {job.seeds} {job.data.device} {network}".encode())
    for state in job.starts or ():
        for name in sorted(state):
            digest.update(state[name].detach().cpu().contiguous().numpy().tobytes())
    tensors = [job.data, job.labels, *([] if job.soft is None else [job.soft])]
    for array in (*(one.cpu().numpy() for one in tensors), job.member):
        digest.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _tensor(inputs: np.ndarray, device: str) -> torch.Tensor:
    """Bytes as they are, all other numbers as float32."""
    if inputs.dtype != np.uint8:
        inputs = inputs.astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(inputs)).to(device)
