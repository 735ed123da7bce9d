"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses."""

from collections.abc import Iterator

from nonmember.audit.classifiers.jobs import Inquire, Plan, Teach
from nonmember.audit.classifiers.made import Trained, Tuned
from nonmember.audit.classifiers.plan import inquiry, teaching
from nonmember.audit.threat import needs_of
from nonmember.audit.transfer.subject import Subject, Target
from nonmember.audit.transfer.turns import ANSWERS, told_of
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.signals.catalogue import SIGNALS, Whose, extractor, queried

BLOCK = 32  # models trained in one job: what an interruption can cost, and workers share
WORTH = "class_logits"
TEST = "the downstream test"
"""Of which examples the answers are by which a child is judged; the others are candidates'."""

ORDER: tuple[Whose, ...] = ("base", "target", "parents", "reference")
WHOM: dict[Whose, str] = {
    "base": "the pre-trained model",
    "target": "",
    "parents": "the pre-trained references",
    "reference": "the references of ",
}

Models = list[ClassifierSource | Teach]


def plan(subject: Subject) -> Plan:
    """The jobs of an audit: pre-train, fine-tune, then ask every model once.

    What two targets have in common, such as their parents, stands there once.
    """
    jobs: dict[str, Teach | Inquire] = {}
    answers: dict[tuple[str, str, str, str], tuple[str, ...]] = {}
    taught: dict[str, Teach] = {}
    for target in subject.targets:
        models = _models(target, subject.where)
        (own,) = models["target"]
        if isinstance(own, Teach):
            taught[target.name] = own
        for whose in ORDER:
            for job in models[whose]:
                if isinstance(job, Teach):
                    jobs.setdefault(job.address, job)
        for key, asked in _asked(target, subject, models):
            answers[key] = tuple(job.address for job in asked)
            for one in asked:
                jobs.setdefault(one.address, one)
    ordered = sorted(jobs.values(), key=lambda job: isinstance(job, Inquire))
    return Plan(tuple(ordered), answers, taught)


def _models(target: Target, where: Placement) -> dict[Whose, Models]:
    """Who can be asked, in blocks of whom one job trains."""
    parents = _blocks(target.references, "pre-train references", where)
    label = f"fine-tune references of {target.name}"
    base: Models = []
    own: Models = [target.source] if target.source is not None else []
    if target.parent is not None and target.child is not None:
        first = teaching(target.parent, slice(0, 1), "pre-train the ancestor", where)
        base, own = [first], [_child(target, first, where)]
    return {
        "base": base,
        "target": own,
        "parents": [*parents],
        "reference": [*_blocks(target.kin, label, where, [one.address for one in parents])],
    }


def _child(target: Target, parent: Teach, where: Placement) -> Teach:
    assert target.child is not None
    label = f"fine-tune {target.name}"
    return teaching(target.child, slice(0, 1), label, where, (parent.address,))


def _blocks(
    kind: Trained | Tuned, label: str, where: Placement, after: list[str] | None = None
) -> list[Teach]:
    """The jobs that train all models of a kind; each waits for its own parents only."""
    return [
        teaching(
            kind,
            slice(start, start + BLOCK),
            label,
            where,
            () if after is None else (after[number],),
        )
        for number, start in enumerate(range(0, len(kind.models), BLOCK))
    ]


def _asked(
    target: Target, subject: Subject, models: dict[Whose, Models]
) -> Iterator[tuple[tuple[str, str, str, str], list[Inquire]]]:
    """What each of the models is asked about the candidates, and the target about its task."""
    spec, pretrained = subject.spec, ("base", "parents")
    needs = [need for one in target.attacks for need in needs_of(one, target.attacks, spec)]
    if told_of(target.attacks) is not None:
        needs.append(ANSWERS)
    found = {(one.whose, extractor(one.name).name) for one in queried(needs)}
    for whose, name in sorted(found, key=lambda one: (ORDER.index(one[0]), one)):
        label = f"ask {_named(whose, target)} for {name} of candidates"
        examples = subject.candidates.examples if whose in pretrained else subject.unlabelled
        asked = [
            inquiry(label, model, SIGNALS[name], examples, examples, subject)
            for model in models[whose]
        ]
        yield (target.name, whose, name, "candidates"), asked
    label, test = f"ask {target.name} for {WORTH} of {TEST}", subject.task.test
    (own,) = models["target"]
    worth = inquiry(label, own, SIGNALS[WORTH], test, test, subject)
    yield (target.name, "target", WORTH, TEST), [worth]


def _named(whose: Whose, target: Target) -> str:
    return WHOM[whose] + (target.name if whose in ("target", "reference") else "")
