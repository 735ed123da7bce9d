"""Scores against the truth: what one target's attacks found, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import answers, collective, describe, options, roles, threat, worth
from nonmember.audit.answers import Answers
from nonmember.audit.choosing import Ground, by_exposure
from nonmember.audit.collective import Collective
from nonmember.audit.facts import Facts
from nonmember.audit.figures import figures, joint_level, scored
from nonmember.audit.jobs import Plan
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.records import AttackResult, Exposed, Histogram, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.scoring import with_features
from nonmember.audit.subject import Subject, Target
from nonmember.audit.verdict import points_at_members, strongest, verdict
from nonmember.data.split import Split
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
    known = Answers(target, Facts(target, subject.corpus), todo, store)
    became = roles.fates(target, subject, todo, store)
    defended = roles.defenses(target, subject, todo, store)
    ground = roles.ground_of(target, subject, defended, became)
    every = all_scores(known, subject.candidates.split, ground.there, subject.spec)
    scores = {name: np.where(ground.there, own, np.nan) for name, own in every.items()}
    attacks, findings = _results(target, subject, scores, ground)
    kinds = roles.by_role(target, subject, every, became.role)
    findings += roles.findings(target, kinds, became.role, chosen=by_exposure(defended))
    if all(attack.blind for attack in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give longer or more texts")
    together = collective.found(known, attacks, scores, subject, ground)
    found = _concluded(known, subject, attacks, together, ground)
    findings += [*together.findings, *_answered(known, subject), *describe.quantised(target)]
    whole = with_features(known, scores, subject.spec)
    best = next((one for one in attacks if one.name == found.strongest), None)
    listed = best is not None and found.leaks and points_at_members(best)
    return replace(
        found,
        redraws=redraws(target, whole, scores, subject, ground, blind),
        exposed=exposed(scores[found.strongest], target, subject) if listed else (),
        findings=(*target.findings, *findings),
        training=describe.training(target, todo, store),
        defenses=defended,
        roles=kinds,
        utility=worth.utility(known, subject),
    ), every


def _concluded(
    known: Answers,
    subject: Subject,
    attacks: Sequence[AttackResult],
    together: Collective,
    ground: Ground,
) -> TargetResult:
    """The verdict, and what carries it; no attack is strongest where none may carry one."""
    target, level = known.target, subject.spec.evaluation.level
    able = [one for one in attacks if one.name in ground.carrying]
    detectable = _detectable(subject, ground, len(target.attacks))
    blind = [one for one in attacks if one.blind]
    leaks, sentence = verdict([*able, *blind], detectable, lost=ground.lost)
    own, base = (
        answers.fit(name, known, subject.candidates.split, ground.there, level=level)
        for name in ("token_logprobs", "base_token_logprobs")
    )
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=strongest(able).name if able else "",
        detectable_auc=detectable,
        fit=own,
        base_fit=base,
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


def _detectable(subject: Subject, ground: Ground, attacks: int) -> float:
    """The smallest AUC that the audit would have seen; groups count for what they are worth."""
    split, level = ground.split, joint_level(subject.spec.evaluation, attacks)
    members, non_members = (
        independent(split.group[side]) for side in (split.member, ~split.member)
    )
    return detectable_auc(members, non_members, level=level)


def _results(
    target: Target, subject: Subject, scores: Mapping[str, Scores], ground: Ground
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
        ids = [record.id for record in subject.candidates.records.take(lost)]
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
    attack: Attack, scores: Scores, split: Split, subject: Subject, target: Target
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
    spec, among = subject.spec, target.attacks
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
