"""From a subject to jobs. Pure: the same subject gives the same jobs and addresses.

A job's address is computed from everything that can change its output: weights, records,
tokenizer, options, number format and the versions of the code that makes it.
"""

from collections.abc import Sequence
from itertools import chain

from nonmember.audit.jobs import Job, Model, Plan, Train
from nonmember.audit.language import references
from nonmember.audit.language.asking import Setting, queries, shards
from nonmember.audit.language.making import Making, handed_on
from nonmember.audit.language.making import chain as chain_of
from nonmember.audit.language.spec import Spec
from nonmember.audit.language.subject import Subject, Target
from nonmember.audit.threat import needs_of
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, Whose, passes

ORDER: tuple[Whose, ...] = ("target", "base", "self")  # in which models are asked


def plan(subject: Subject) -> Plan:
    """The jobs of an audit: train what is to be trained, then ask every model once."""
    jobs: dict[str, Job] = {}
    answers: dict[tuple[str, Whose, str], tuple[str, ...]] = {}
    trained: dict[str, Train] = {}
    parts: dict[str, tuple[slice, ...]] = {}
    compared: dict[str, tuple[tuple[str, ...], ...]] = {}
    setting = setting_of(subject)
    for target in subject.targets:
        making = Making(target, setting)
        model = target.source or making.model()
        parts[target.name] = shards(target, model)
        if isinstance(model, Train):
            trained[target.name] = model
        compared[target.name] = _compared(target, setting, parts[target.name], jobs)
        for whose, name in _asked(target, subject.spec):
            of = _whose(whose, model, making, subject.spec)
            asked = tuple(queries(whose, SIGNALS[name], target, of, setting, parts[target.name]))
            for job in (*chain_of(of), *asked):
                jobs.setdefault(job.address, job)
            answers[target.name, whose, name] = tuple(job.address for job in asked)
    return Plan(handed_on(tuple(jobs.values())), parts, answers, trained, compared)


def _compared(
    target: Target, setting: Setting, parts: Sequence[slice], jobs: dict[str, Job]
) -> tuple[tuple[str, ...], ...]:
    """Where the references' answers will be, shard by shard; their jobs are added to ``jobs``."""
    if target.references is None:
        return ()
    tuned = references.tunings(target, setting)
    asked = [*references.comparisons(target, tuned, setting, parts)]
    made: tuple[Job, ...] = (*tuned, *chain.from_iterable(asked))
    for job in made:
        jobs.setdefault(job.address, job)
    return tuple(tuple(job.address for job in blocks) for blocks in asked)


def setting_of(subject: Subject) -> Setting:
    """The circumstances of an audit's jobs."""
    spec = subject.spec
    return Setting(spec.seed, spec.signals, subject.where, secret_of(spec.seed))


def secret_of(seed: int) -> str:
    """What an audit draws the rewrites of its own defenses by, so that it can be repeated."""
    return f"{derive(seed, 'rewrites'):016x}"


def _asked(target: Target, spec: Spec) -> list[tuple[Whose, str]]:
    """Whom the target's attacks ask, and for what."""
    needs = (need for one in target.attacks for need in needs_of(one, target.attacks, spec))
    asked = (one for one in passes(needs) if one[0] != "reference")
    return sorted(asked, key=lambda one: (ORDER.index(one[0]), one))


def _whose(whose: Whose, model: Model, making: Making, spec: Spec) -> Model:
    if whose == "target":
        return model
    if whose == "base":
        return making.base
    how = spec.signals.self_prompted
    return making.self_prompted(model, how.recipe, how.texts, how.prompt_tokens)
