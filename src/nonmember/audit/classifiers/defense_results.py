"""What the defenses of a classifier did: to its training, and to its answers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from nonmember.audit.classifiers import defenses
from nonmember.audit.classifiers.defenses import Step
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.left_apart import left_apart
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.records import DefenseResult
from nonmember.audit.worth import Divergence, GuardResult
from nonmember.evaluation.intervals import Interval, clopper_pearson, independent, mean_interval
from nonmember.models.fence import interval
from nonmember.models.fence.interval import Objective
from nonmember.seeds import derive
from nonmember.signals.store import Store

Pair = tuple[Interval, Interval]


def each(target: Target, subject: Subject, todo: Plan, store: Store) -> Iterator[DefenseResult]:
    """Each defense of a target, in the order in which it steps in."""
    taught = todo.taught.get(target.name)
    about = {} if taught is None else store.provenance(taught.models[0].address)
    for step in defenses.steps(subject.spec, target.name, "training"):
        yield _result(step, spent=about.get("privacy"))
    for step in target.guard.steps if target.guard else ():
        yield _result(step)


def _result(step: Step, spent: dict[str, object] | None = None) -> DefenseResult:
    defense = step.defense
    told = {name: value for name, value in step.options.items() if name != "seed"}
    return DefenseResult(defense.name, defense.stage, told, {}, spent=spent)


def guard(target: Target, subject: Subject, todo: Plan, store: Store) -> GuardResult | None:
    """What stands before a target does to its answers about the candidates; None: nothing does."""
    address = todo.gauged.get(target.name)
    if address is None:
        return None
    split, about = subject.candidates.split, store.provenance(address)
    there = {name: store.array(address, name) for name in about["arrays"]}
    return GuardResult(
        counts=(int(split.member.sum()), int((~split.member).sum())),
        changed=_shares(there["changed"], subject),
        kept=_means(there["kept"], subject) if "kept" in there else None,
        fell_back=_shares(there["fell_back"], subject) if "fell_back" in there else None,
        inside=_shares(there["inside"], subject) if "inside" in there else None,
        milliseconds=about["milliseconds"],
        apart=_apart(target, there["odds"], about["interval"], subject)
        if "odds" in there
        else None,
    )


def _apart(
    target: Target, odds: np.ndarray, ends: Mapping[str, float], subject: Subject
) -> Divergence:
    """What the interval of s1 leaves, of the candidates and of those that chose it."""
    assert target.guard is not None
    (step,) = (one for one in target.guard.steps if one.defense.name == "diffence")
    split, known = subject.candidates.split, subject.candidates.calibration
    objective: Objective = step.options["objective"]
    sides = odds[split.member], odds[~split.member]
    answers = interval.answered(ends["low"], ends["high"], *sides, objective)
    groups = split.group[split.member], split.group[~split.member]
    level, seed = subject.spec.evaluation.level, derive(subject.spec.seed, "apart")
    found = left_apart(answers, groups, objective, level=level, seed=seed)
    counts = len(known.members), len(known.non_members)
    return Divergence(interval.MEASURES[objective], found, ends["apart"], counts)


def _shares(marks: np.ndarray, subject: Subject) -> Pair:
    """How often something holds, of members and of others."""
    split, level = subject.candidates.split, subject.spec.evaluation.level
    inside, outside = (
        clopper_pearson(
            int(marks[side].sum()),
            int(side.sum()),
            worth=independent(split.group[side]),
            level=level,
        )
        for side in (split.member, ~split.member)
    )
    return inside, outside


def _means(values: np.ndarray, subject: Subject) -> Pair:
    split, level = subject.candidates.split, subject.spec.evaluation.level
    inside, outside = (
        _within(mean_interval(values[side], split.group[side], level=level))
        for side in (split.member, ~split.member)
    )
    return inside, outside


def _within(share: Interval) -> Interval:
    return replace(share, low=max(0.0, share.low), high=min(1.0, share.high))
