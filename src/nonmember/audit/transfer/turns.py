"""Every reference in turn as the target: what an attack finds on average, and by chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from nonmember.attacks.registry import Attack
from nonmember.attacks.transfer.all import ALL, lira_all
from nonmember.attacks.transfer.placebo import placebo
from nonmember.audit import options
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.records import InTurn
from nonmember.audit.transfer.subject import Subject, Target
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.crossed import MeanAuc, mean_auc
from nonmember.evaluation.exposure import auc_of_records
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.pooled import pooled_tpr
from nonmember.seeds import derive
from nonmember.types import RefMember

BY = ("tmi_lda", "max_confidence")
"""Whose means are told: the first that ran, chosen beforehand; both are quick."""

ANSWERS = "ref_aug_logits"
"""What the means are of, whether or not an attack needs it."""

FEW = 16  # references, below which attacks learn little

AllScores = Float[np.ndarray, "m n"]

Known = Answers[Target, Subject]


def told_of(attacks: Sequence[Attack]) -> Attack | None:
    """The attack whose means over the references are told, if one of them runs."""
    return next((one for name in BY for one in attacks if one.name == name), None)


@dataclass(frozen=True)
class Turned:
    """What all references in turn tell, and by the attack's name how exposed each candidate is.

    That is an AUC over the references, (n,).
    """

    found: InTurn | None
    exposure: Mapping[str, Float[np.ndarray, "n"]]


def in_turn(known: Known) -> Turned:
    """Means over the references of what is found of each; nothing where neither attack ran."""
    target, spec = known.target, known.subject.spec
    attack = told_of(target.attacks)
    if attack is None:
        return Turned(None, {})
    member: RefMember = known.whole("ref_member")
    groups = np.arange(len(member)) // 2
    given = options.of_attack(attack, spec)
    answers = known.whole(ANSWERS)

    def scored(saw: RefMember) -> AllScores:
        known_too = (saw, groups) if "ref_member" in attack.needs else ()
        return ALL[attack.name](answers, *known_too, **given)

    drawn = placebo(member, groups, seed=derive(spec.seed, "placebo"))
    scores = scored(member)
    own, chance = _mean(known, scores, member), _mean(known, scored(drawn), drawn)
    above = None
    if any(one.name == "parent_lira" for one in target.attacks):
        upper = lira_all(known.whole("ref_base_logits"), known.whole("labels"), member, groups)
        above = _mean(known, upper, member).mean
    rates = _rates(known, scores, member)
    told = InTurn(attack.name, len(member), own.mean, own.spread, chance.mean, above, rates)
    return Turned(told, {f"{attack.name} in turn": auc_of_records(scores, member)})


def _mean(known: Known, scores: AllScores, member: RefMember) -> MeanAuc:
    """Pairs of models are one draw, and records of one group."""
    subject = known.subject
    pairs, level = np.arange(len(member)) // 2, subject.spec.evaluation.level
    return mean_auc(scores, member, pairs, subject.candidates.split.group, level=level)


def _rates(
    known: Known, scores: AllScores, member: RefMember
) -> tuple[tuple[float, Interval], ...]:
    """True-positive rates of all in one, at the rates asked for that the records can carry."""
    spec, group = known.subject.spec, known.subject.candidates.split.group
    level, seed = spec.evaluation.level, derive(spec.seed, "pooled")
    what = (scores, member, np.arange(len(member)) // 2, group)
    each = (
        (fpr, pooled_tpr(*what, fpr=fpr, level=level, seed=seed)) for fpr in spec.evaluation.fpr
    )
    return tuple((fpr, found) for fpr, found in each if found is not None)


def findings(found: InTurn | None, leaks: bool | None) -> list[Finding]:
    """What the references in turn tell a reader to know before believing a figure, or none."""
    if found is None:
        return []
    chance = (
        f"{found.attack} has a mean AUC of {_spread(found.placebo)} where the references' "
        "membership is dealt out anew, and nothing is to be found; give more references"
    )
    alike = (
        f"no leak was found of this one model, but of {found.models} models made alike "
        f"{found.attack} finds a mean AUC of {_spread(found.auc)}: it is the way of fine-tuning "
        "that leaks"
    )
    few = (
        f"{found.models} references are few: attacks that learn from them find less than they "
        f"could; give {FEW} or more"
    )
    told = (
        (found.placebo.excludes(0.5), Finding("E123", "warning", chance)),
        (leaks is False and found.auc.low > 0.5, Finding("E124", "warning", alike)),
        (found.models < FEW, Finding("E125", "note", few)),
    )
    return [finding for holds, finding in told if holds]


def _spread(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
