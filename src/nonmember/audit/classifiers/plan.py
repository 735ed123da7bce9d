"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

from nonmember.audit import options
from nonmember.audit.classifiers.candidates import Candidates
from nonmember.audit.classifiers.jobs import Inquire, Plan, Teach
from nonmember.audit.classifiers.made import Made
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.language.asking import arithmetic
from nonmember.audit.parts import Common
from nonmember.audit.threat import needs_of
from nonmember.data.examples import Examples
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.source import digest
from nonmember.signals.catalogue import SIGNALS, Of, Signal, Whose, extractor, queried
from nonmember.training import reference

BLOCK = 16  # reference models trained in one job: what an interruption can cost, and workers share
UPDATE, ANSWER = 5e7, 2e5  # operations that an update of a small network, or an answer, stands for
WHOM: dict[Whose, str] = {"target": "", "reference": "the references of "}
ORDER: tuple[Whose, ...] = ("target", "reference")  # a target amiss shows before any is trained
OF: dict[Of, str] = {"candidates": "candidates", "population": "the population"}


@runtime_checkable
class Placed(Protocol):
    """What was asked, and where models are."""

    @property
    def spec(self) -> Common:
        """What was asked."""

    @property
    def where(self) -> Placement:
        """Where they answer."""


def plan(subject: Subject) -> Plan:
    """The jobs of an audit: train what is to be trained, then ask every model once."""
    jobs: dict[str, Teach | Inquire] = {}
    answers: dict[tuple[str, str, str, str], tuple[str, ...]] = {}
    taught: dict[str, Teach] = {}
    for target in subject.targets:
        models = _models(target, subject)
        (own,) = models["target"]
        if isinstance(own, Teach):
            taught[target.name] = own
        for whose, of, name in _asked(target, subject):
            asked = [
                _inquiry(target, subject, model, whose, of, SIGNALS[name])
                for model in models[whose]
            ]
            before = (one for one in models[whose] if isinstance(one, Teach))
            made: tuple[Teach | Inquire, ...] = (*before, *asked)
            for job in made:
                jobs.setdefault(job.address, job)
            answers[target.name, whose, name, of] = tuple(job.address for job in asked)
    return Plan(tuple(jobs.values()), answers, taught)


def _models(target: Target, subject: Subject) -> dict[Whose, list[ClassifierSource | Teach]]:
    """The target, and its references in blocks, of which those of a first look stay the same."""
    made, others, where = target.made, target.references, subject.where
    size = max(1, min(BLOCK, subject.spec.references.count))
    mine: ClassifierSource | Teach | None = target.source
    if made is not None:
        mine = teaching(made, slice(0, 1), f"train {target.name}", where)
    assert mine is not None
    blocks = range(0, len(others.models), size) if others else ()
    label = f"train references of {target.name}"
    return {
        "target": [mine],
        "reference": [
            teaching(others, slice(start, start + size), label, where)
            for start in blocks
            if others is not None
        ],
    }


def teaching(
    kind: Made, rows: slice, label: str, where: Placement, after: tuple[str, ...] = ()
) -> Teach:
    """The job that trains some of a kind, once those at ``after`` are there."""
    models = kind.models[rows]
    updates = reference.steps(kind.architecture, kind.recipe, models)
    numbered = f" {rows.start + 1}-{rows.start + len(models)}" if len(kind.models) > 1 else ""
    return Teach(
        digest("teach", *(one.address for one in models)),
        f"{label}{numbered}",
        kind,
        models,
        where,
        updates,
        UPDATE * updates,
        after,
    )


def _asked(target: Target, subject: Subject) -> list[tuple[Whose, Of, str]]:
    """Whom the target's attacks ask, about what, and for which signals."""
    spec = subject.spec
    needs = [need for one in target.attacks for need in needs_of(one, target.attacks, spec)]
    needs.append("logits")  # what the target is worth, too
    found = {(one.whose, _of(one.of), extractor(one.name).name) for one in queried(needs)}
    return sorted(found, key=lambda one: (ORDER.index(one[0]), one))


def _of(of: Of) -> Of:
    """Known records are candidates, told apart when they are scored."""
    return "population" if of == "population" else "candidates"


def examples_of(of: Of, candidates: Candidates) -> Examples:
    """The candidates, or the population."""
    return candidates.population if of == "population" else candidates.examples


def _inquiry(
    target: Target,
    subject: Subject,
    model: ClassifierSource | Teach,
    whose: Whose,
    of: Of,
    signal: Signal,
) -> Inquire:
    label = f"ask {WHOM[whose]}{target.name} for {signal.name} of {OF[of]}"
    of_them = examples_of(of, subject.candidates)
    return inquiry(label, model, signal, of_them, subject.candidates.every, subject)


def inquiry(
    label: str,
    model: ClassifierSource | Teach,
    signal: Signal,
    examples: Examples,
    every: Examples,
    subject: Placed,
) -> Inquire:
    """The job that asks a model, or several, for a signal of examples, some of ``every``."""
    given = options.of_signal(signal, subject.spec)
    models = len(model.models) if isinstance(model, Teach) else 1
    asks = signal.queries if isinstance(signal.queries, int) else int(given[signal.queries])
    address = digest(
        f"inquire {signal.name} {signal.version} {sorted(given.items())} "
        f"{arithmetic(subject.where)}",
        *_decisive(model, every),
        examples.digests.tobytes(),
        examples.labels.tobytes(),
    )
    return Inquire(
        address,
        label,
        signal,
        model,
        examples,
        every,
        given,
        subject.where,
        models * len(examples) * asks,
        ANSWER * models * len(examples) * asks,
    )


def _decisive(model: ClassifierSource | Teach, every: Examples) -> Iterator[Any]:
    """All about a model that decides its answers; of a file of them, whose they are."""
    yield model.address if isinstance(model, Teach) else model.digest
    if isinstance(model, ClassifierSource) and not model.asks:
        yield every.digests.tobytes()
