"""Scores against the truth: what one target's attacks found, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import answers, collective, describe, options, threat
from nonmember.audit.answers import Answers
from nonmember.audit.collective import Collective
from nonmember.audit.facts import Facts
from nonmember.audit.figures import figures, joint_level, scored
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.plan import Plan
from nonmember.audit.records import AttackResult, Exposed, Histogram, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.scoring import with_features
from nonmember.audit.subject import Subject, Target
from nonmember.audit.verdict import points_at_members, strongest, verdict
from nonmember.errors import RunError, UnresolvableError
from nonmember.evaluation import checks, roc
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import detectable_auc, independent
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.types import Scores

BINS = 30
SHOWN = 10


def judged(
    target: Target, subject: Subject, todo: Plan, store: Store, blind: BlindScores
) -> tuple[TargetResult, dict[str, Scores]]:
    """Everything one target's attacks found, and their scores of all candidates.

    Args:
        target: the model.
        subject: the audit it belongs to.
        todo: its plan, carried out.
        store: where the answers are.
        blind: what blind attacks scored for the targets before this one; added to.

    Raises:
        RunError: no attack on the model gave a figure.
    """
    known = Answers(target, Facts(target, subject), todo, store)
    scores = all_scores(known, subject.candidates.split, subject.spec)
    attacks, findings = _results(target, subject, scores)
    if all(attack.blind for attack in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give longer or more texts")
    together = collective.found(known, attacks, scores, subject)
    found = _concluded(known, subject, attacks, together)
    findings += [*together.findings, *_answered(known, subject), *describe.quantised(target)]
    listed = found.leaks and points_at_members(strongest(attacks))
    return replace(
        found,
        redraws=redraws(target, with_features(known, scores, subject.spec), scores, subject, blind),
        exposed=exposed(scores[found.strongest], target, subject) if listed else (),
        findings=(*target.findings, *findings),
        training=describe.training(target, todo, store),
    ), scores


def _concluded(
    known: Answers, subject: Subject, attacks: Sequence[AttackResult], together: Collective
) -> TargetResult:
    """The verdict, and what carries it."""
    target, split = known.target, subject.candidates.split
    best, detectable = strongest(attacks), _detectable(subject, len(target.attacks))
    leaks, sentence = verdict(attacks, best, detectable)
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=best.name,
        detectable_auc=detectable,
        fit=answers.fit("token_logprobs", known, split),
        base_fit=answers.fit("base_token_logprobs", known, split),
        attacks=tuple(attacks),
        as_a_set=together.as_a_set,
        persons=together.persons,
        provenance=describe.origins(target),
    )


def _answered(known: Answers, subject: Subject) -> list[Finding]:
    """What the target's answers themselves tell a reader to beware of."""
    silent = [record.id for record in subject.candidates.records.take(answers.unanswered(known))]
    found = (checks.unanswered(silent), checks.impossible(answers.impossible(known)))
    return [finding for finding in found if finding is not None]


def _detectable(subject: Subject, attacks: int) -> float:
    """The smallest AUC that the audit would have seen; groups count for what they are worth."""
    split, level = subject.candidates.split, joint_level(subject.spec.evaluation, attacks)
    members, non_members = (
        independent(split.group[side]) for side in (split.member, ~split.member)
    )
    return detectable_auc(members, non_members, level=level)


def _results(
    target: Target, subject: Subject, scores: Mapping[str, Scores]
) -> tuple[list[AttackResult], list[Finding]]:
    """The figures of every attack that gave any, and what to know before believing them."""
    found: list[AttackResult] = []
    findings: list[Finding | None] = [
        checks.not_run(name, why) for name, why in target.left_out.items()
    ]
    for attack in target.attacks:
        own = scores[attack.name]
        lost = np.flatnonzero(np.isnan(own))
        ids = [record.id for record in subject.candidates.records.take(lost)]
        members = int(subject.candidates.split.member[lost].sum())
        findings.append(checks.unscored(attack.name, ids, members))
        findings.append(None if attack.family == "blind" else checks.tied(attack.name, own))
        try:
            one = result(attack, own, subject, target)
        except UnresolvableError as error:
            findings.append(checks.failed(attack.name, str(error)))
            continue
        suspect = checks.blind_separation if one.blind else checks.inverted
        findings.append(suspect(one.name, one.auc if one.blind else one.simultaneous))
        found.append(one)
    return found, [finding for finding in findings if finding is not None]


def result(attack: Attack, scores: Scores, subject: Subject, target: Target) -> AttackResult:
    """One attack, judged together with the others on the target.

    Raises:
        UnresolvableError: it could score no member, or no non-member.
    """
    split, spec, among = subject.candidates.split, subject.spec, target.attacks
    seed = derive(spec.seed, attack.key)
    found = figures(attack, scores, split, spec.evaluation, among=among, seed=seed)
    values, inside, _ = scored(scores, split)
    return AttackResult(
        name=attack.name,
        paper=attack.paper,
        access=threat.access_of(attack, among, spec),
        queries=threat.query_count(attack, among, spec) * target.prompts_per_text,
        needs=attack.needs,
        options=options.of_attack(attack, spec),
        members=int(inside.sum()),
        non_members=int((~inside).sum()),
        unscored=len(scores) - len(values),
        auc=found.auc,
        simultaneous=found.simultaneous,
        tpr=found.tpr,
        curve=roc.curve(values, inside),
        histogram=_histogram(values, inside),
        blind=attack.family == "blind",
    )


def _histogram(scores: Scores, member: np.ndarray) -> Histogram:
    """Counts per bin between the extreme half per cents; what lies beyond is in the end bins."""
    low, high = np.quantile(scores, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    inside = np.clip(scores, edges[0], edges[-1])
    sides = (np.histogram(inside[side], edges)[0] for side in (member, ~member))
    members, outsiders = (tuple(int(count) for count in side) for side in sides)
    return Histogram(tuple(edges.tolist()), members, outsiders)


def exposed(strongest: Scores, target: Target, subject: Subject) -> tuple[Exposed, ...]:
    """The members that the strongest attack is surest of."""
    member = subject.candidates.split.member
    outsiders = strongest[~member]
    ranked = [
        i
        for i in np.argsort(-strongest, kind="stable").tolist()
        if member[i] and not np.isnan(strongest[i])
    ]
    return tuple(
        Exposed(
            subject.candidates.records[i].id,
            int(target.met.scored[i]),
            int((outsiders >= strongest[i]).sum()),
        )
        for i in ranked[:SHOWN]
    )
