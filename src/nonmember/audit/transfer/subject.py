"""What an audit of fine-tuned classifiers is about: parents, their children, all checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import threat
from nonmember.audit.classifiers import made
from nonmember.audit.classifiers.candidates import Candidates, Sides, candidates_of, read_sides
from nonmember.audit.classifiers.made import Trained, Tuned
from nonmember.audit.classifiers.subject import findings, source_of
from nonmember.audit.transfer import spec as specs
from nonmember.audit.transfer.data import Role, Task, mislabelled, read_task
from nonmember.audit.transfer.means import as_seen, asks_parents, lacks
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.data.examples import Examples
from nonmember.errors import ModelError, NonmemberError, SpecError
from nonmember.evaluation.checks import Finding
from nonmember.models import causal, classifiers
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.transfer import child_of
from nonmember.seeds import derive
from nonmember.training import children

UNEQUAL = 0.1  # share of their records by which parents may differ without a word


@dataclass(frozen=True)
class Target:
    """A fine-tuned classifier: one that is there (``source``), or the ``child`` of a ``parent``.

    ``references`` are pre-trained models of whom it is known whom they saw, and ``kin`` their
    children, made as the target was.
    """

    name: str
    source: ClassifierSource | None
    parent: Trained | None
    child: Tuned | None
    references: Trained
    kin: Tuned
    attacks: tuple[Attack, ...]
    left_out: Mapping[str, str]

    prompts_per_text = 1
    looks = 1
    meets = ""


@dataclass(frozen=True)
class Subject:
    """A spec together with everything it names."""

    spec: TransferSpec
    candidates: Candidates
    task: Task
    targets: tuple[Target, ...]
    where: Placement
    findings: tuple[Finding, ...]

    @property
    def private(self) -> bool:
        """Whether a fine-tuning is differentially private, so that no seed may be told."""
        return any(target.kin.tuning.budget is not None for target in self.targets)

    @property
    def grouped(self) -> bool:
        """Whether the examples say whose they are."""
        return any(group is not None for group in self.candidates.examples.groups)

    @cached_property
    def unlabelled(self) -> Examples:
        """The candidates as children are shown them: in their task no class is the true one."""
        examples = self.candidates.examples
        return replace(examples, labels=np.zeros_like(examples.labels))


@dataclass(frozen=True)
class Given:
    """What a caller hands over in memory: models and architectures by name, and examples."""

    models: Mapping[str, Any] = field(default_factory=dict)
    sides: Sides | None = None
    downstream: Examples | None = None


def inspect(spec: TransferSpec, given: Given = Given()) -> Subject:
    """Read and check all that ``spec`` names; whatever is wrong is raised here, before work.

    Raises:
        DataError, ModelError, SpecError: one sentence saying where, what, and what to do.
    """
    threat.check(spec)
    spec = as_seen(spec)
    where = causal.placement(spec.compute.device, "float32")
    sides = given.sides or read_sides(spec.data, None, seed=spec.seed)
    sides = mislabelled(sides, spec.data.mislabelled, seed=spec.seed)
    candidates = candidates_of(sides, 0.0, seed=spec.seed)
    task = read_task(spec.downstream, spec.data, candidates, given.downstream, seed=spec.seed)
    parent, references = _parents(spec, candidates, given)
    made_here = any(one.model is None for one in spec.targets.values())
    told = (*findings(spec, candidates), *(unequal(parent, references) if made_here else ()))
    about = Subject(spec, candidates, task, (), where, told)
    targets = tuple(
        _target(name, about, given, parent=parent, references=references) for name in spec.targets
    )
    return replace(about, targets=targets)


def _parents(spec: TransferSpec, candidates: Candidates, given: Given) -> tuple[Trained, Trained]:
    """The one of all members, and those of half the candidates; all targets share them."""
    asked = spec.parents
    try:
        architecture = made.architecture(asked.architecture, candidates, given.models)
        mine = candidates.examples.take(np.flatnonzero(candidates.split.member))
        return (
            made.on_all(architecture, asked.recipe, mine, spec.seed),
            made.on_halves(architecture, asked.recipe, candidates, asked.count, spec.seed),
        )
    except NonmemberError as error:
        raise type(error)(f"parents: {error}") from None


def unequal(parent: Trained, references: Trained) -> list[Finding]:
    """E126: the ancestor saw more records than the references' parents do, or fewer."""
    own, others = int(parent.member.sum()), float(references.member.sum(axis=1).mean())
    if abs(own - others) <= UNEQUAL * others:
        return []
    message = (
        f"the ancestor is trained on {own} records, and the references' parents on {others:g} "
        "each: what tells members of the ones need not tell those of the other, so less may be "
        "found than there is; give as many members as non-members"
    )
    return [Finding("E126", "warning", message)]


def _target(
    name: str, subject: Subject, given: Given, *, parent: Trained, references: Trained
) -> Target:
    spec, asked = subject.spec, subject.spec.targets[name]
    source = source_of(name, asked.model, asked.weights, given.models)
    try:
        kin = _children(references, asked, subject, "children")
        child = _children(parent, asked, subject, "child") if source is None else None
        if source is not None:
            _check(source, subject)
    except NonmemberError as error:
        raise type(error)(f"targets.{name}: {error}") from None
    there = source is None
    allowed = "weights" if source is None else source.access
    attacks, left_out = threat.chosen(spec, lacks(spec, allowed, parent=there))
    if all(one.family == "blind" or asks_parents(one) for one in attacks):
        raise SpecError(
            f"targets.{name}: no attack that runs asks the fine-tuned model; add one, such as "
            "tmi_lda"
        )
    old = parent if there else None
    return Target(name, source, old, child, references, kin, attacks, left_out)


def _children(parents: Trained, asked: specs.Target, subject: Subject, role: Role) -> Tuned:
    """One child of each of the parents."""
    task, seed, tuning = subject.task, derive(subject.spec.seed, role), asked.tuning
    share = subject.spec.downstream.share if asked.share is None else asked.share
    places = task.places[role]
    member = np.zeros((len(parents.models), len(task.examples)), dtype=bool)
    member[:, places] = children.draws(len(places), len(member), share=share, seed=seed)
    old, addresses = parents.architecture, [one.address for one in parents.models]
    models = children.models(old, task.examples, member, tuning, addresses, seed=seed)
    return Tuned(parents, child_of(old, task.classes), tuning, task.examples, member, models)


def _check(source: ClassifierSource, subject: Subject) -> None:
    """Refuse a model that is there and no child of such parents for this task."""
    if not source.asks:
        raise ModelError(
            f"{source.name}: a file of answers says nothing of altered inputs, which all models "
            "are shown; give the model itself"
        )
    found = classifiers.load(source, str(subject.where.device), subject.task.test)
    if found.classes != subject.task.classes:
        raise ModelError(
            f"{source.name}: knows {found.classes} classes, and the downstream task has "
            f"{subject.task.classes}; give the task that it was fine-tuned for"
        )
