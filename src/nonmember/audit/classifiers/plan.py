"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

from nonmember.audit import options
from nonmember.audit.classifiers import defense_plan
from nonmember.audit.classifiers.candidates import Candidates
from nonmember.audit.classifiers.jobs import CLASSIFIER, Asked, Guarded, Inquire, Plan, Teach, Work
from nonmember.audit.classifiers.made import Made, Trained
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.parts import Common
from nonmember.audit.provenance import arithmetic
from nonmember.audit.threat import needs_of
from nonmember.data.examples import Examples
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.models.source import digest
from nonmember.signals.catalogue import Of, Signal, Whose, extractor, queried
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
    jobs: dict[str, Work] = {one.address: one for one in defense_plan.prepared(subject)}
    answers: dict[tuple[str, str, str, str], tuple[str, ...]] = {}
    taught: dict[str, Teach] = {}
    gauged: dict[str, str] = {}
    for target in subject.targets:
        models = _models(target, subject)
        (own,) = models["target"]
        if isinstance(own, Teach):
            taught[target.name] = own
        for (whose, of, name), needed in _asked(target, subject).items():
            for model in models[whose]:
                made = list(_work(target, subject, model, (whose, of), needed))
                jobs |= {job.address: job for job in made if job.address not in jobs}
                key = target.name, whose, name, of
                answers[key] = (*answers.get(key, ()), made[-1].address)
        behind = defense_plan.guarded(target, own, subject)
        if isinstance(behind, Guarded):
            seen = defense_plan.gauge(target, behind, subject)
            jobs[seen.address], gauged[target.name] = seen, seen.address
    return Plan(tuple(jobs.values()), answers, taught, gauged)


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
    others = kind.reserve if isinstance(kind, Trained) else None
    updates = reference.steps(kind.architecture, kind.recipe, models, others)
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


def _asked(target: Target, subject: Subject) -> dict[tuple[Whose, Of, str], set[str]]:
    """Whom the target's attacks ask, about what, and for which signals: what of each is needed."""
    spec, found = subject.spec, dict[tuple[Whose, Of, str], set[str]]()
    needs = [need for one in target.attacks for need in needs_of(one, target.attacks, spec)]
    needs.append("logits")  # what the target is worth, too
    for one in queried(needs):
        key = one.whose, _of(one.of), extractor(one.name).name
        found.setdefault(key, set()).add(one.name)
    order = sorted(found, key=lambda one: (ORDER.index(one[0]), one))
    return {key: found[key] for key in order}


def _work(
    target: Target,
    subject: Subject,
    model: ClassifierSource | Teach,
    of: tuple[Whose, Of],
    needed: Collection[str],
) -> Iterator[Work]:
    """Whatever has to be done until a model has answered, the answer last."""
    signal, (whose, whom) = extractor(next(iter(needed))), of
    examples = examples_of(whom, subject.candidates)
    by, copies = defense_plan.beside(signal, examples, OF[whom], subject)
    labels = all(signal.provides[name] == "label" for name in needed)
    behind: Asked = defense_plan.guarded(target, model, subject)
    plain = signal.queries == 1 and not labels
    before = defense_plan.copied(behind, examples, OF[whom], subject) if plain else ()
    if isinstance(model, Teach):
        yield model
    yield from (*before, *copies)
    label = f"ask {WHOM[whose]}{target.name} for {signal.name} of {OF[whom]}"
    known = defense_plan.range_of(subject.regenerator)
    every = subject.candidates.every
    asked = inquiry(label, behind, signal, examples, every, subject, known)
    after = tuple(job.address for job in (*before, *copies))
    yield defense_plan.with_copies(asked, by, after, labels=labels)


def _of(of: Of) -> Of:
    """Known records are candidates, told apart when they are scored."""
    return "population" if of == "population" else "candidates"


def examples_of(of: Of, candidates: Candidates) -> Examples:
    """The candidates, or the population."""
    return candidates.population if of == "population" else candidates.examples


def inquiry(
    label: str,
    model: Asked,
    signal: Signal,
    examples: Examples,
    every: Examples,
    subject: Placed,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Inquire:
    """The job that asks a model, or several, for a signal of examples, some of ``every``.

    ``known`` are defaults of options of these names.
    """
    given = options.of_signal(signal, subject.spec, known)
    inner = model.inner if isinstance(model, Guarded) else model
    models = len(inner.models) if isinstance(inner, Teach) else 1
    asks = signal.queries if isinstance(signal.queries, int) else int(given[signal.queries])
    address = digest(
        f"inquire {signal.name} {signal.version} {sorted(given.items())} "
        f"{arithmetic(subject.where)}",
        *(_decisive(model, every) if CLASSIFIER in signal.inputs else ()),
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
        models * len(examples) * max(1, asks),
        ANSWER * models * len(examples) * max(1, asks),
    )


def _decisive(model: Asked, every: Examples) -> Iterator[Any]:
    """All about a model that decides its answers; of a file of them, whose they are."""
    yield model.digest if isinstance(model, ClassifierSource) else model.address
    if isinstance(model, ClassifierSource) and not model.asks:
        yield every.digests.tobytes()
