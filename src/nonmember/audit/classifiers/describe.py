"""What was audited, in words and values: classifiers, data, and the circumstances of the work."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from nonmember.audit.classifiers.candidates import Candidates
from nonmember.audit.classifiers.defenses import Learned
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.spec import Labelled
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.provenance import circumstances, jobs
from nonmember.signals.store import Store

PACKAGES = ("nonmember", "torch", "numpy", "scipy", "scikit-learn")


def description(target: Target, subject: Subject) -> str:
    """The classifier, how it came about, and what it is compared with, in one line."""
    others = target.references
    beside = (
        f"; compared with {len(others.models)} reference models of {others.architecture.name}"
        if others
        else ""
    )
    names = [one.defense.name for one in target.guard.steps] if target.guard else []
    behind = f", behind {' and '.join(names)}" if names else ""
    if target.source is not None:
        return f"{target.source.name} ({target.source.kind}){behind}{beside}"
    assert target.made is not None
    which = subject.spec.targets[target.name].trained_on
    whom = "the members" if which == "members" else "examples that are not among the candidates"
    made = target.made
    return (
        f"{made.architecture.name}, trained here for {made.recipe.epochs} epochs on "
        f"{len(made.examples)} examples: {whom}{behind}{beside}"
    )


def training(target: Target, todo: Plan, store: Store) -> Mapping[str, Any] | None:
    """How the target was trained here; None for a model that was there."""
    job = todo.taught.get(target.name)
    return store.provenance(job.models[0].address) if job is not None else None


def origins(target: Target) -> dict[str, Any]:
    """Which weights were audited, by content."""
    if target.source is None:
        assert target.made is not None
        (model,) = target.made.models
        return {"model": {"name": target.made.architecture.name, "digest": model.address}}
    return {"model": {"name": target.source.name, "digest": target.source.digest}}


def data(subject: Subject) -> dict[str, Any]:
    """What the candidates are."""
    asked = subject.spec.data
    source = {"source": asked.canaries} if asked.canaries else {}
    return about(subject.candidates, asked) | source


def about(candidates: Candidates, asked: Labelled) -> dict[str, Any]:
    """What candidates are, and where they come from."""
    split, inputs = candidates.split, candidates.examples.inputs
    form = f"{inputs.dtype} {inputs.shape[1:]}" if isinstance(inputs, np.ndarray) else "texts"
    return {
        "members": int(split.member.sum()),
        "non-members": int((~split.member).sum()),
        "groups": len(np.unique(split.group)),
        "non-members that the attacker knows": len(candidates.population),
        "control examples": len(candidates.control),
        **_defenders(candidates),
        "classes": candidates.classes,
        "inputs": form,
        "source": asked.pool or f"{asked.members}, {asked.non_members}",
    }


def _defenders(candidates: Candidates) -> dict[str, Any]:
    """What defenders have, if they have anything."""
    known = candidates.calibration
    found = {
        "members that defenses are set by": len(known.members),
        "non-members that defenses are set by": len(known.non_members),
        "public examples": len(candidates.public),
    }
    return {name: count for name, count in found.items() if count}


def provenance(subject: Subject, todo: Plan, store: Store) -> dict[str, Any]:
    """All that is needed to do the same again, and when and how long each job took.

    No seed where a training is private: its noise follows from it.
    """
    return {
        **({} if subject.private else {"seed": subject.spec.seed}),
        **circumstances(subject.where, PACKAGES),
        **_diffusion(subject),
        "jobs": jobs(todo.jobs, store, private=subject.private),
    }


def _diffusion(subject: Subject) -> dict[str, Any]:
    """What regenerates inputs, and on whose data it was trained, if anything does."""
    by = subject.regenerator
    if by is None:
        return {}
    trained, asked = isinstance(by.model, Learned), subject.spec.diffusion
    on = (asked.trained_on if asked else "public") if trained else "unknown"
    return {"diffusion": {"trained on": on, "digest": by.model.digest, **asdict(by.how)}}
