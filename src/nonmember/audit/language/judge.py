"""Scores against the truth: what one target's attacks found, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nonmember.audit import collective, people, risks
from nonmember.audit.canaries import bounds
from nonmember.audit.cases import Ground
from nonmember.audit.collective import Collective
from nonmember.audit.defended import roles
from nonmember.audit.defended.choosing import by_exposure
from nonmember.audit.jobs import Plan
from nonmember.audit.judging import detectable, exposed, results
from nonmember.audit.language import answers, describe, worth
from nonmember.audit.language.answers import Answers
from nonmember.audit.language.facts import Facts
from nonmember.audit.language.subject import Subject, Target
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.records import AttackResult, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.scoring import with_features
from nonmember.audit.validity import Evidence, base_auc, concluded
from nonmember.audit.verdict import points_at_members, strongest
from nonmember.audit.worth import RiskResult
from nonmember.errors import RunError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.slices import copies, quarters, sizes
from nonmember.signals.ragged import mean
from nonmember.signals.store import Store
from nonmember.types import Scores

BASE = "base_token_logprobs"


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
    attacks, findings = results(target, subject, scores, ground)
    kinds = roles.by_role(target, subject, every, became.role)
    findings += roles.findings(target, kinds, became.role, chosen=by_exposure(defended))
    if all(attack.blind for attack in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give longer or more texts")
    together = collective.found(known, attacks, scores, subject, ground)
    weighed = _weighed(known, subject, scores, ground, blind)
    found = _concluded(known, subject, attacks, together, ground, weighed)
    findings += [*together.findings, *_answered(known, subject), *describe.quantised(target)]
    best = next((one for one in attacks if one.name == found.strongest), None)
    shown, told = bounds.of(target, subject, every, defended)
    real = subject.candidates.canaries is None  # of canaries none is named: that tells coins
    listed = best is not None and real and found.leaks and points_at_members(best)
    return replace(
        found,
        exposed=exposed(scores[found.strongest], subject, target.met.scored) if listed else (),
        findings=(*found.findings, *target.findings, *told, *bounds.unnamed(findings, subject)),
        training=describe.training(target, subject, todo, store),
        defenses=defended,
        roles=kinds,
        utility=None if shown else worth.utility(known, subject),
        risk=_risk(target, subject, best, scores, ground),
        canaries=shown,
    ), every | (people.columns(scores[best.name], subject, ground) if best else {})


def _risk(
    target: Target,
    subject: Subject,
    best: AttackResult | None,
    scores: Mapping[str, Scores],
    ground: Ground,
) -> RiskResult | None:
    """What the strongest attack means for people; nothing of canaries, which are nobody's."""
    if best is None or subject.candidates.canaries is not None:
        return None
    cuts = {
        "quarter by length": quarters(target.met.scored.astype(float)),
        **copies(subject.candidates.records.digests),
    }
    if subject.grouped:
        cuts["records of a person"] = sizes(subject.candidates.split.group)
    return risks.of(best, scores[best.name], subject, ground, cuts)


def _concluded(
    known: Answers,
    subject: Subject,
    attacks: Sequence[AttackResult],
    together: Collective,
    ground: Ground,
    weighed: Evidence,
) -> TargetResult:
    """The verdict, and what carries it; no attack is strongest where none may carry one."""
    target, level = known.target, subject.spec.evaluation.level
    able = [one for one in attacks if one.name in ground.carrying]
    blind = [one for one in attacks if one.blind]
    leaks, sentence, findings = concluded([*able, *blind], weighed, lost=ground.lost)
    own, base = (
        answers.fit(name, known, subject.candidates.split, ground.there, level=level)
        for name in ("token_logprobs", BASE)
    )
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=strongest(able).name if able else "",
        detectable_auc=weighed.detectable,
        fit=own,
        base_fit=base,
        attacks=tuple(attacks),
        as_a_set=together.as_a_set,
        persons=together.persons,
        provenance=describe.origins(target),
        redraws=weighed.redraws,
        findings=findings,
    )


def _weighed(
    known: Answers,
    subject: Subject,
    scores: Mapping[str, Scores],
    ground: Ground,
    blind: BlindScores,
) -> Evidence:
    """What speaks against believing the figures: the control, and the base by itself."""
    target, ask, losses = known.target, subject.spec.evaluation, _losses_of_base(known, ground)
    whole = with_features(known, scores, subject.spec)
    unseeing = sum(one.family == "blind" for one in target.attacks)
    return Evidence(
        ground.split,
        subject.findings,
        detectable(subject, ground, len(target.attacks)),
        redraws(target, whole, scores, subject, ground, blind, losses),
        ask.level,
        None if losses is None else base_auc(losses, ground.split, ask, unseeing),
    )


def _losses_of_base(known: Answers, ground: Ground) -> Scores | None:
    """Mean loss of those who are judged, in nats per token, by what the target was tuned from.

    None where that did not answer, and where members were dropped by their exposure: those left
    differ in it by that choice, and only attacks that look past it are judged.
    """
    if ground.lost or not known.has(BASE):
        return None
    return -known.each(BASE, mean)[ground.there]


def _answered(known: Answers, subject: Subject) -> list[Finding]:
    """What the target's answers themselves tell a reader to beware of."""
    silent = subject.candidates.ids(np.array(answers.unanswered(known), dtype=np.int64))
    found = (checks.unanswered(silent), checks.impossible(answers.impossible(known)))
    return [finding for finding in found if finding is not None]
