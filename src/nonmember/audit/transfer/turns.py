"""Every reference in turn as the target: what an attack finds on average, and by chance."""

from collections.abc import Sequence

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
from nonmember.evaluation.intervals import Interval
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


def in_turn(known: Known) -> InTurn | None:
    """Means over the references of what is found of each; None where neither attack ran."""
    target, spec = known.target, known.subject.spec
    attack = told_of(target.attacks)
    if attack is None:
        return None
    member: RefMember = known.whole("ref_member")
    groups = np.arange(len(member)) // 2
    given = options.of_attack(attack, spec)
    answers = known.whole(ANSWERS)

    def scored(saw: RefMember) -> AllScores:
        known_too = (saw, groups) if "ref_member" in attack.needs else ()
        return ALL[attack.name](answers, *known_too, **given)

    drawn = placebo(member, groups, seed=derive(spec.seed, "placebo"))
    own, chance = _mean(known, scored(member), member), _mean(known, scored(drawn), drawn)
    above = None
    if any(one.name == "parent_lira" for one in target.attacks):
        told = lira_all(known.whole("ref_base_logits"), known.whole("labels"), member, groups)
        above = _mean(known, told, member).mean
    return InTurn(attack.name, len(member), own.mean, own.spread, chance.mean, above)


def _mean(known: Known, scores: AllScores, member: RefMember) -> MeanAuc:
    """Pairs of models are one draw, and records of one group."""
    subject = known.subject
    pairs, level = np.arange(len(member)) // 2, subject.spec.evaluation.level
    return mean_auc(scores, member, pairs, subject.candidates.split.group, level=level)


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
