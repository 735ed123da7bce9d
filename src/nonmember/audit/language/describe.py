"""What was audited, in words and values: models, data, and the circumstances of the work."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from nonmember.audit.jobs import Plan
from nonmember.audit.language.subject import Subject, Target
from nonmember.audit.provenance import circumstances, jobs, shared
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.signals.store import Store

PACKAGES = ("nonmember", "torch", "transformers", "peft", "numpy", "scipy", "scikit-learn")


def description(target: Target, subject: Subject) -> str:
    """The model and how it came about, in one line."""
    if target.source is not None:
        size = target.source.parameters
        return f"{target.source.name} ({size:,} parameters)" if size else target.source.name
    assert target.base is not None
    how = "in full" if target.recipe.method == "full" else f"with LoRA of rank {target.recipe.rank}"
    which = subject.spec.targets[target.name].trained_on
    whom = "the members" if which == "members" else "records that are not among the candidates"
    by = ", ".join(one.name for one in subject.spec.targets[target.name].defenses)
    return (
        f"{target.base.name} ({target.base.parameters:,} parameters), fine-tuned here {how} for "
        f"{target.recipe.epochs} epochs on {len(target.training)} records: {whom}"
        f"{f'; defended by {by}' if by else ''}"
    )


def training(
    target: Target, subject: Subject, todo: Plan, store: Store
) -> Mapping[str, Any] | None:
    """How the target was fine-tuned here; None for a model that was there."""
    job = todo.trained.get(target.name)
    return shared(store.provenance(job.address), subject.private) if job is not None else None


def origins(target: Target) -> dict[str, Any]:
    """Which weights were audited, by content."""
    return {
        role: {"name": source.name, "digest": source.digest, "parameters": source.parameters}
        for role, source in (("model", target.source), ("base", target.base))
        if source is not None
    }


def quantised(target: Target) -> list[Finding]:
    """A finding where the weights went through a low-precision form."""
    model = target.source or target.base
    if model is None or model.quantised is None:
        return []
    whole = model.base if model.kind == "adapter" and model.base is not None else model
    return [checks.quantised(whole.name, model.quantised)]


def data(subject: Subject) -> dict[str, Any]:
    """What the candidates are."""
    split = subject.candidates.split
    asked = subject.spec.data
    lengths = subject.targets[0].met.scored
    return {
        "members": int(split.member.sum()),
        "non-members": int((~split.member).sum()),
        "groups": len(np.unique(split.group)),
        "control records": len(subject.candidates.control),
        "records the attacker knows": (
            f"{len(subject.candidates.known_members)} members, "
            f"{len(subject.candidates.known_non_members)} non-members"
        ),
        "scored tokens per record": f"{lengths.min()} to {lengths.max()}",
        "median scored tokens": int(np.median(lengths)),
        "source": asked.canaries or asked.pool or f"{asked.members}, {asked.non_members}",
    }


def provenance(subject: Subject, todo: Plan, store: Store) -> dict[str, Any]:
    """All that is needed to do the same again, and when and how long each job took.

    No seed where a training is private: its noise follows from it.
    """
    seed = {} if subject.private else {"seed": subject.spec.seed}
    done = jobs(todo.jobs, store, private=subject.private)
    return {**seed, **circumstances(subject.where, PACKAGES), "jobs": done}
