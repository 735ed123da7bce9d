"""What was audited, in words and values: fine-tuned classifiers, both tasks, circumstances."""

from collections.abc import Mapping
from typing import Any

from nonmember.audit import options
from nonmember.audit.classifiers import describe
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.provenance import circumstances, jobs
from nonmember.audit.transfer.subject import Subject, Target
from nonmember.signals.catalogue import extractor
from nonmember.signals.store import Store
from nonmember.training.children import Tuning

ANSWERS = "aug_logits"
PACKAGES = (*describe.PACKAGES, "opacus")


def setting(target: Target) -> str:
    """How a target was made of its parent: what of that was trained, how long, on how much."""
    kin = target.child or target.kin
    shown = f"{kin.recipe.epochs} epochs, {int(kin.member[0].sum())} examples"
    return f"{trained(kin.tuning)}, {shown}"


def trained(tuning: Tuning) -> str:
    """What of the parent was trained, and within which budget."""
    one, budget = tuning.transfer, tuning.budget
    what = {
        "head": "the head",
        "last_k": f"the last {one.k} layers",
        "full": "all layers",
        "lora": f"LoRA of rank {one.rank}",
    }[one.kind]
    return what if budget is None else f"{what}, epsilon {budget.epsilon:g}"


def description(target: Target, subject: Subject) -> str:
    """The classifier, how it came about, and what it is compared with, in one line."""
    how = trained(target.kin.tuning)
    beside = f"compared with children of {len(target.references.models)} other parents, made alike"
    if target.source is not None:
        name = f"{target.source.name} ({target.source.kind})"
        return f"{name}, said to be fine-tuned by {how}; {beside}"
    assert target.parent is not None and target.child is not None
    parent, child = target.parent, target.child
    return (
        f"{parent.architecture.name}, pre-trained here for {parent.recipe.epochs} epochs on "
        f"{len(parent.examples)} examples: the members; then fine-tuned ({how}) for "
        f"{child.recipe.epochs} epochs on {int(child.member.sum())} examples of "
        f"{subject.task.classes} other classes; {beside}"
    )


def training(target: Target, todo: Plan, store: Store) -> Mapping[str, Any] | None:
    """How the target was fine-tuned here; None for a model that was there."""
    job = todo.taught.get(target.name)
    if job is None:
        return None
    told = store.provenance(job.models[0].address)
    return {name: value for name, value in told.items() if name != "seed"}  # noise follows from it


def origins(target: Target) -> dict[str, Any]:
    """Which weights were audited, by content."""
    if target.source is not None:
        return {"model": {"name": target.source.name, "digest": target.source.digest}}
    assert target.parent is not None and target.child is not None
    return {
        "model": {"digest": target.child.models[0].address},
        "pre-trained model": {"digest": target.parent.models[0].address},
    }


def data(subject: Subject) -> dict[str, Any]:
    """What the candidates are, and what models are fine-tuned for."""
    candidates, asked, task = subject.candidates, subject.spec.downstream, subject.task
    told = describe.about(candidates, subject.spec.data)
    planted = subject.spec.data.mislabelled
    return {
        **told,
        **({"labels drawn anew": f"{planted:g} of them"} if planted else {}),
        "classes": candidates.classes,
        "downstream source": asked.pool,
        "downstream classes": task.classes,
        "downstream examples": f"{len(task.examples)}, of which each model is shown "
        f"{asked.share:g} where nothing else is said; {len(task.test)} more to judge by",
        "downstream overlap": overlap(subject),
        "initialisation of parents": "fresh: each from a seed of its own",
        "references": subject.spec.parents.count,
        "copies of a candidate that models are shown, itself one of them": views(subject),
        "of an answer the attacker sees": seen(subject),
    }


def overlap(subject: Subject) -> str:
    """Whether references are fine-tuned on examples that the targets are fine-tuned on, too."""
    if any(one.source is not None for one in subject.targets):
        return "not known: what a model that is there was fine-tuned on is not told"
    if subject.spec.downstream.overlap == "shared":
        return "shared: all models draw from the same examples"
    return (
        "disjoint: the targets draw from one half of the examples, the references from the other; "
        "references in turn draw from the same half"
    )


def views(subject: Subject) -> int:
    """How many copies of a candidate there are, v."""
    return int(options.of_signal(extractor(ANSWERS), subject.spec)["views"])


def seen(subject: Subject) -> str:
    """How much of an answer attacks on the fine-tuned model may look at."""
    asked = subject.spec.attacks
    if asked.access == "topk":
        return f"the {asked.k} largest probabilities; the rest is spread evenly"
    return "the likeliest class" if asked.access == "label" else "all probabilities"


def provenance(subject: Subject, todo: Plan, store: Store) -> dict[str, Any]:
    """All that is needed to do the same again, and when and how long each job took.

    No seed where a fine-tuning is private: its noise follows from it.
    """
    return {
        **({} if subject.private else {"seed": subject.spec.seed}),
        **circumstances(subject.where, PACKAGES),
        "jobs": jobs(todo.jobs, store, private=subject.private),
    }
