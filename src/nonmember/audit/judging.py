"""Figures of every attack on a target, and who is exposed: the same for every kind of model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from nonmember.attacks.registry import Attack
from nonmember.audit import options, threat
from nonmember.audit.cases import Audit, Case, Ground
from nonmember.audit.figures import figures, joint_level, scored
from nonmember.audit.parts import Common
from nonmember.audit.records import AttackResult, Exposed, Histogram
from nonmember.data.split import Split
from nonmember.errors import UnresolvableError
from nonmember.evaluation import checks, roc
from nonmember.evaluation.attack_accuracy import attack_accuracy
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval, detectable_auc, independent
from nonmember.seeds import derive
from nonmember.types import Groups, Member, Scores

BINS = 30
SHOWN = 10


def detectable(subject: Audit, ground: Ground, attacks: int) -> float:
    """The smallest AUC that the audit would have seen; groups count for what they are worth."""
    split, level = ground.split, joint_level(subject.spec.evaluation, attacks)
    members, non_members = (
        independent(split.group[side]) for side in (split.member, ~split.member)
    )
    return detectable_auc(members, non_members, level=level)


def results(
    target: Case, subject: Audit, scores: Mapping[str, Scores], ground: Ground
) -> tuple[list[AttackResult], list[Finding]]:
    """The figures of every attack that gave any, and what to know before believing them.

    Members that were dropped from the training count on neither side.
    """
    found: list[AttackResult] = []
    findings: list[Finding | None] = [
        checks.not_run(name, why) for name, why in target.left_out.items()
    ]
    for attack in target.attacks:
        own = scores[attack.name]
        lost = np.flatnonzero(np.isnan(own) & ground.there)
        ids = subject.candidates.ids(lost)
        members = int(subject.candidates.split.member[lost].sum())
        findings.append(checks.unscored(attack.name, ids, members))
        findings.append(None if attack.family == "blind" else checks.tied(attack.name, own))
        try:
            one = result(attack, own[ground.there], ground.split, subject, target)
        except UnresolvableError as error:
            findings.append(checks.failed(attack.name, str(error)))
            continue
        found.append(one)
        if one.blind:
            findings.append(checks.blind_separation(one.name, one.auc))
        elif one.name in ground.carrying:
            findings.append(checks.inverted(one.name, one.simultaneous))
    judged = any(one.name in ground.carrying for one in found)
    findings.append(checks.left_differ(ground.lost, judged=judged))
    return found, [finding for finding in findings if finding is not None]


def result(
    attack: Attack, scores: Scores, split: Split, subject: Audit, target: Case
) -> AttackResult:
    """One attack, judged together with the others on the target.

    Args:
        attack: whose scores they are.
        scores: of the candidates that are judged.
        split: the truth about these.
        subject: the audit.
        target: the model.

    Raises:
        UnresolvableError: it could score no member, or no non-member.
    """
    spec, among = subject.spec, target.attacks * target.looks  # any look can end the audit
    seed = derive(spec.seed, attack.key)
    found = figures(attack, scores, split, spec.evaluation, among=among, seed=seed)
    values, inside, group = scored(scores, split)
    return AttackResult(
        name=attack.name,
        paper=attack.paper,
        access=threat.access_of(attack, among, spec),
        queries=threat.query_count(attack, among, spec) * target.prompts_per_text,
        needs=attack.needs,
        options=_told(options.of_attack(attack, spec), subject),
        members=int(inside.sum()),
        non_members=int((~inside).sum()),
        unscored=len(scores) - len(values),
        auc=found.auc,
        simultaneous=found.simultaneous,
        tpr=found.tpr,
        curve=roc.curve(values, inside),
        histogram=_histogram(values, inside),
        blind=attack.family == "blind",
        accuracy=None if attack.family == "blind" else _accuracy(values, inside, group, spec, seed),
    )


def _accuracy(
    scores: Scores, member: Member, group: Groups, spec: Common, seed: int
) -> Interval | None:
    """How often the attack is right by thresholds that it learnt of others; None of too few."""
    how = spec.evaluation
    try:
        return attack_accuracy(
            scores, member, group, level=how.level, times=how.resamples, seed=seed
        ).balanced
    except UnresolvableError:
        return None


def _told(given: Mapping[str, Any], subject: Audit) -> dict[str, Any]:
    """The options that may be shown: a derived seed tells the root's, and that a private noise."""
    return {name: value for name, value in given.items() if name != "seed" or not subject.private}


def _histogram(scores: Scores, member: np.ndarray) -> Histogram:
    """Counts per bin between the extreme half per cents; what lies beyond is in the end bins."""
    low, high = np.quantile(scores, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    inside = np.clip(scores, edges[0], edges[-1])
    sides = (np.histogram(inside[side], edges)[0] for side in (member, ~member))
    members, outsiders = (tuple(int(count) for count in side) for side in sides)
    return Histogram(tuple(edges.tolist()), members, outsiders)


def exposed(
    strongest: Scores, subject: Audit, lengths: Int[np.ndarray, "n"] | None = None
) -> tuple[Exposed, ...]:
    """The members that the strongest attack is surest of; ``lengths`` are of texts, in tokens."""
    member = subject.candidates.split.member
    outsiders = strongest[~member]
    ranked = np.argsort(-strongest, kind="stable")
    ranked = ranked[member[ranked] & ~np.isnan(strongest[ranked])][:SHOWN]
    return tuple(
        Exposed(
            name,
            None if lengths is None else int(lengths[place]),
            int((outsiders >= strongest[place]).sum()),
        )
        for name, place in zip(subject.candidates.ids(ranked), ranked.tolist(), strict=True)
    )
