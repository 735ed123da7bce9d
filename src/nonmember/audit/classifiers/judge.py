"""Scores against the truth: what one classifier's attacks found, and what that means."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nonmember.attacks.classifier.reference import skewed_share
from nonmember.audit import collective, people, risks
from nonmember.audit.canaries import bounds
from nonmember.audit.cases import Ground
from nonmember.audit.classifiers import defense_findings, defense_results, describe, widening
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.classifiers.undefended import beside_undefended
from nonmember.audit.collective import Collective
from nonmember.audit.counterparts import of_diffusion
from nonmember.audit.judging import detectable, exposed, results
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.records import AttackResult, Fit, Redraws, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.validity import Evidence, concluded
from nonmember.audit.verdict import points_at_members, strongest
from nonmember.audit.worth import ClassifierUtility, RiskResult
from nonmember.errors import RunError, UnresolvableError
from nonmember.evaluation import checks, utility
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.slices import copies, quarters, sizes
from nonmember.seeds import derive, generator
from nonmember.signals.store import Store
from nonmember.types import Groups, Labels, Logits, Scores

Known = Answers[Target, Subject]


ROUNDING = 1e-9
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
    if not any(one.name in ground.carrying for one in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give more examples")
    together = collective.found(known, attacks, scores, subject, ground)
    findings = [*bounds.unnamed(findings, subject), *together.findings]
    again = redraws(target, known.whole, scores, subject, ground, blind)
    found = _concluded(known, attacks, together, ground, again)
    best = next(one for one in attacks if one.name == found.strongest)
    # Of canaries none is named: the page would tell their coins.
    real = subject.candidates.canaries is None
    listed = real and found.leaks and points_at_members(best)
    defenses = tuple(defense_results.each(target, subject, todo, store))
    shown, told = bounds.of(target, subject, scores, defenses)
    return replace(
        found,
        exposed=exposed(scores[best.name], subject) if listed else (),
        findings=(*told, *found.findings, *findings, *_noted(known, todo, store)),
        training=describe.training(target, todo, store),
        defenses=defenses,
        guard=defense_results.guard(target, subject, todo, store),
        risk=_risk(best, scores[best.name], subject, ground),
        canaries=shown,
    ), scores | people.columns(scores[best.name], subject, ground)


def _noted(known: Known, todo: Plan, store: Store) -> Iterator[Finding]:
    """What references and defenses tell a reader to beware of."""
    how = (known.target, known.subject, todo, store)
    yield from widening.findings(*how)
    yield from defense_findings.findings(*how)
    yield from _skewed(known)


def _risk(
    best: AttackResult, scores: Scores, subject: Subject, ground: Ground
) -> RiskResult | None:
    """What the strongest attack means for people; nothing of canaries, which are nobody's."""
    if subject.candidates.canaries is not None:
        return None
    return risks.of(best, scores, subject, ground, _cuts(subject))


def _cuts(subject: Subject) -> dict[str, np.ndarray]:
    """Ways to cut the candidates: by class, persons' records, copies, and length of texts."""
    examples, group = subject.candidates.examples, subject.candidates.split.group
    persons = {"records of a person": sizes(group)} if subject.grouped else {}
    cuts = {"class": examples.labels, **persons, **copies(examples.digests)}
    if not isinstance(examples.inputs, np.ndarray):
        lengths = np.array([len(text) for text in examples.inputs], dtype=float)
        cuts["quarter by length"] = quarters(lengths)
    return cuts


def _ground(target: Target, subject: Subject) -> Ground:
    """All candidates are judged, by every attack that asks the classifier itself."""
    split = subject.candidates.split
    carrying = (
        one.name for one in target.attacks if one.family != "blind" and not of_diffusion(one)
    )
    return Ground(np.ones(len(split.member), dtype=bool), split, 0, frozenset(carrying))


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
    known: Known,
    attacks: Sequence[AttackResult],
    together: Collective,
    ground: Ground,
    again: Redraws,
) -> TargetResult:
    """The verdict, and what carries it."""
    target, subject = known.target, known.subject
    least = detectable(subject, ground, len(target.attacks) * target.looks)
    level = subject.spec.evaluation.level
    # Wrong classes and noise do not say what a model is worth.
    logits = None if subject.candidates.canaries else known.whole("logits")
    able = [one for one in attacks if one.name in ground.carrying]
    weighed = Evidence(ground.split, subject.findings, least, again, level, alike=_alike(known))
    leaks, sentence, findings = concluded([*able, *(a for a in attacks if a.blind)], weighed)
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=strongest(able).name,
        detectable_auc=least,
        fit=None if logits is None else _fit(logits, subject),
        base_fit=None,
        attacks=tuple(attacks),
        as_a_set=together.as_a_set,
        persons=together.persons,
        provenance=describe.origins(target),
        redraws=again,
        findings=findings,
        classifier=None if logits is None else _worth(known, logits),
    )


def _alike(known: Known) -> bool:
    """Whether the target gives one answer to all, to the precision in which scores are ranked."""
    logits = known.whole("logits")
    return bool((np.ptp(logits, axis=0) <= ROUNDING * np.abs(logits).max()).all())


def _fit(logits: Logits, subject: Subject) -> Fit:
    """Mean cross-entropy of both sides, in nats."""
    candidates, level = subject.candidates, subject.spec.evaluation.level
    labels, split = candidates.examples.labels, candidates.split
    sides = (split.member, ~split.member)
    members, others = (
        utility.loss(logits[side], labels[side], split.group[side], level=level) for side in sides
    )
    return Fit(members, others, (int(sides[0].sum()), int(sides[1].sum())))


def _worth(known: Known, logits: Logits) -> ClassifierUtility:
    """The same beside what it would be worth without its defenses."""
    return beside_undefended(_utility(logits, known.subject), known)


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
