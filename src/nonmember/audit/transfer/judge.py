"""Scores against the truth: what a fine-tuned model tells of its ancestor's training data."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nonmember.audit import risks
from nonmember.audit.cases import Ground
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.judging import detectable, exposed, results
from nonmember.audit.placebo import BlindScores, redraws
from nonmember.audit.records import AttackResult, Redraws, TargetResult
from nonmember.audit.scoring import scores as all_scores
from nonmember.audit.transfer import describe, turns
from nonmember.audit.transfer.means import asks_parents, needed
from nonmember.audit.transfer.plan import TEST, WORTH
from nonmember.audit.transfer.subject import Subject, Target
from nonmember.audit.validity import Evidence, concluded
from nonmember.audit.verdict import points_at_members, strongest
from nonmember.audit.worth import DownstreamUtility
from nonmember.errors import RunError
from nonmember.evaluation import utility
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.types import Scores

WHOSE = "records that its ancestor was trained on"


def judged(
    target: Target, subject: Subject, todo: Plan, store: Store, blind: BlindScores
) -> tuple[TargetResult, dict[str, Scores]]:
    """Everything one target's attacks found, and their scores of all candidates.

    Beside the scores is how exposed each candidate is over all references in turn.

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
    told, findings = results(target, subject, scores, ground)
    attacks = _marked(told, target, subject)
    if not any(one.name in ground.carrying for one in attacks):
        raise RunError(f"targets.{target.name}: no attack gave a figure; give more examples")
    again = redraws(target, known.whole, scores, subject, ground, blind)
    found = _concluded(target, subject, attacks, ground, again)
    best = next(one for one in attacks if one.name == found.strongest)
    listed = found.leaks and points_at_members(best)
    turned = turns.in_turn(known)
    return replace(
        found,
        exposed=exposed(scores[best.name], subject) if listed else (),
        findings=(*found.findings, *findings, *turns.findings(turned.found, found.leaks)),
        training=describe.training(target, todo, store),
        downstream=_worth(target, subject, todo, store),
        in_turn=turned.found,
        risk=risks.of(best, scores[best.name], subject, ground, _cuts(subject)),
    ), {**scores, **turned.exposure}


def _cuts(subject: Subject) -> dict[str, np.ndarray]:
    """Ways to cut the candidates: by the class that their ancestor learnt."""
    return {"class": subject.candidates.examples.labels}


def _marked(told: Sequence[AttackResult], target: Target, subject: Subject) -> list[AttackResult]:
    """The same, with who is asked and how much of an answer is looked at."""
    attacks = {one.name: one for one in target.attacks}
    return [
        replace(
            one,
            of_parent=asks_parents(attacks[one.name]),
            access=needed(attacks[one.name], one.needs, subject.spec),
        )
        for one in told
    ]


def _ground(target: Target, subject: Subject) -> Ground:
    """All candidates are judged, by every attack that asks the fine-tuned model."""
    split = subject.candidates.split
    carrying = (
        one.name for one in target.attacks if one.family != "blind" and not asks_parents(one)
    )
    return Ground(np.ones(len(split.member), dtype=bool), split, 0, frozenset(carrying))


def _concluded(
    target: Target,
    subject: Subject,
    attacks: Sequence[AttackResult],
    ground: Ground,
    again: Redraws,
) -> TargetResult:
    """The verdict, and what carries it."""
    least = detectable(subject, ground, len(target.attacks))
    able = [one for one in attacks if one.name in ground.carrying]
    used, level = [*able, *(one for one in attacks if one.blind)], subject.spec.evaluation.level
    known = Evidence(ground.split, subject.findings, least, again, level)
    leaks, sentence, findings = concluded(used, known, whose=WHOSE)
    return TargetResult(
        name=target.name,
        description=describe.description(target, subject),
        leaks=leaks,
        verdict=sentence,
        strongest=strongest(able).name,
        detectable_auc=least,
        fit=None,
        base_fit=None,
        attacks=tuple(attacks),
        as_a_set=None,
        persons=None,
        provenance=describe.origins(target),
        redraws=again,
        findings=findings,
    )


def _worth(target: Target, subject: Subject, todo: Plan, store: Store) -> DownstreamUtility:
    """What it is worth in its own task, on examples that no model was fine-tuned on."""
    task, spec = subject.task, subject.spec
    (address,) = todo.answers[target.name, "target", WORTH, TEST]
    told = (np.asarray(store.array(address, "logits")), task.test.labels, task.group)
    level = spec.evaluation.level
    return DownstreamUtility(
        describe.setting(target),
        len(task.test),
        utility.accuracy(*told, level=level),
        utility.loss(*told, level=level),
        utility.calibration_error(*told, level=level, seed=derive(spec.seed, "utility")),
    )
