"""Scores against the truth: what one classifier's attacks found, and what that means."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nonmember.attacks.classifier.reference import skewed_share
from nonmember.audit import collective, risks
from nonmember.audit.classifiers import defended, describe, widening
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.collective import Collective
from nonmember.audit.defended.choosing import Ground
from nonmember.audit.judging import detectable, exposed, results
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.records import AttackResult, Fit, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.verdict import points_at_members, strongest, verdict
from nonmember.audit.worth import ClassifierUtility
from nonmember.errors import RunError, UnresolvableError
from nonmember.evaluation import checks, utility
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.slices import sizes
from nonmember.seeds import derive, generator
from nonmember.signals.store import Store
from nonmember.types import Groups, Labels, Logits, Scores

Known = Answers[Target, Subject]


NORMAL = 2000  # candidates of normal margins that say how many seem skewed by chance


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
    known = Answers(target, subject, todo, store)
    ground, split = _ground(target, subject), subject.candidates.split
    scores = all_scores(known, split, ground.there, subject.spec)
    attacks, findings = results(target, subject, scores, ground)
    if all(attack.blind for attack in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give more examples")
    together = collective.found(known, attacks, scores, subject, ground)
    found = _concluded(known, attacks, together, ground)
    best = next(one for one in attacks if one.name == found.strongest)
    listed = found.leaks and points_at_members(best)
    return replace(
        found,
        redraws=redraws(target, known.whole, scores, subject, ground, blind),
        exposed=exposed(scores[best.name], subject) if listed else (),
        findings=(
            *findings,
            *together.findings,
            *widening.findings(target, subject, todo, store),
            *_skewed(known),
        ),
        training=describe.training(target, todo, store),
        defenses=tuple(defended.defenses(target, subject, todo, store)),
        guard=defended.guard(target, subject, todo, store),
        risk=risks.of(best, scores[best.name], subject, ground, _cuts(subject)),
    ), scores


def _cuts(subject: Subject) -> dict[str, np.ndarray]:
    """Ways to cut the candidates: by class, and by how many records there are of a person."""
    candidates = subject.candidates
    persons = {"records of a person": sizes(candidates.split.group)} if subject.grouped else {}
    return {"class": candidates.examples.labels, **persons}


def _ground(target: Target, subject: Subject) -> Ground:
    """All candidates are judged, and by every attack on the model."""
    split = subject.candidates.split
    on_model = (one.name for one in target.attacks if one.family != "blind")
    return Ground(np.ones(len(split.member), dtype=bool), split, 0, frozenset(on_model))


def _skewed(known: Known) -> list[Finding]:
    """Whether LiRA's assumption holds of the reference models, where it ran."""
    others = known.target.references
    ran = {one.name for one in known.target.attacks}
    if others is None or ran.isdisjoint({"lira", "lira_offline"}):
        return []
    member = known.whole("ref_member")
    share = skewed_share(known.whole("ref_logits"), known.whole("labels"), member)
    if np.isnan(share):  # too few on a side to have a skewness
        return []
    # What chance gives: logits of which the first alone varies, and normally.
    rng, size = generator(known.subject.spec.seed, "normal margins"), (len(member), NORMAL)
    logits = np.stack([rng.normal(size=size), np.zeros(size)], axis=2)
    columns = rng.integers(0, member.shape[1], NORMAL)
    chance = skewed_share(logits, np.zeros(NORMAL, dtype=np.int64), member[:, columns])
    return [checks.skewed(share, chance, len(others.models))]


def _concluded(
    known: Known, attacks: Sequence[AttackResult], together: Collective, ground: Ground
) -> TargetResult:
    """The verdict, and what carries it."""
    target, subject = known.target, known.subject
    least = detectable(subject, ground, len(target.attacks) * target.looks)
    leaks, sentence = verdict(attacks, least)
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=strongest(attacks).name,
        detectable_auc=least,
        fit=_fit(known.whole("logits"), subject),
        base_fit=None,
        attacks=tuple(attacks),
        as_a_set=together.as_a_set,
        persons=together.persons,
        provenance=describe.origins(target),
        classifier=_utility(known.whole("logits"), subject),
    )


def _fit(logits: Logits, subject: Subject) -> Fit:
    """Mean cross-entropy of both sides, in nats."""
    candidates, level = subject.candidates, subject.spec.evaluation.level
    labels, split = candidates.examples.labels, candidates.split
    sides = (split.member, ~split.member)
    members, others = (
        utility.loss(logits[side], labels[side], split.group[side], level=level) for side in sides
    )
    return Fit(members, others, (int(sides[0].sum()), int(sides[1].sum())))


def _utility(logits: Logits, subject: Subject) -> ClassifierUtility:
    """What it is worth on the non-members, and how much better it does on the members."""
    candidates, level = subject.candidates, subject.spec.evaluation.level
    split, labels = candidates.split, candidates.examples.labels
    outside = ~split.member
    mine, theirs = (
        (logits[side], labels[side], split.group[side]) for side in (split.member, outside)
    )
    seed = derive(subject.spec.seed, "utility")
    return ClassifierUtility(
        int(outside.sum()),
        utility.accuracy(*theirs, level=level),
        utility.loss(*theirs, level=level),
        utility.calibration_error(*theirs, level=level, seed=seed),
        utility.accuracy(*mine, level=level),
        _told_apart(*theirs, level=level, seed=seed),
        utility.brier(*theirs, level=level),
    )


def _told_apart(
    logits: Logits, labels: Labels, group: Groups, *, level: float, seed: int
) -> Interval | None:
    """How well its confidence tells right answers from wrong; None where all are of one kind."""
    try:
        return utility.confidence_auc(logits, labels, group, level=level, seed=seed)
    except UnresolvableError:
        return None
