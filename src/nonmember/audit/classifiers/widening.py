"""More reference models, as long as a figure moves too much with the choice of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int

from nonmember.attacks.references import auto_std
from nonmember.attacks.registry import Attack
from nonmember.audit import options
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.jobs import Plan
from nonmember.audit.classifiers.subject import Subject, Target, with_references
from nonmember.audit.figures import scored
from nonmember.evaluation import checks, precision, roc
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.precision import Decision
from nonmember.seeds import derive
from nonmember.signals.catalogue import REFERENCES
from nonmember.signals.store import Store
from nonmember.types import Scores

Known = Answers[Target, Subject]

FITTED = {"shadow", "trajectory"}
"""Attacks that are fitted to what the references say: each look would fit them twenty times."""


def wider(subject: Subject, todo: Plan, store: Store) -> Subject | None:
    """The subject with more reference models, where a figure asks for them; None to stop."""
    found = []
    for target in subject.targets:
        wanted = max(
            (
                decision.references
                for _, decision in decisions(target, subject, todo, store)
                if decision.next == "references"
            ),
            default=None,
        )
        found.append(target if wanted is None else with_references(target, subject, wanted))
    changed = any(one is not old for one, old in zip(found, subject.targets, strict=True))
    return replace(subject, targets=tuple(found)) if changed else None


def findings(target: Target, subject: Subject, todo: Plan, store: Store) -> list[Finding]:
    """How well the AUC of each attack that compares with references is known."""
    return [
        checks.known_within(attack.name, decision)
        for attack, decision in decisions(target, subject, todo, store)
    ]


def decisions(
    target: Target, subject: Subject, todo: Plan, store: Store
) -> Iterator[tuple[Attack, Decision]]:
    """A look at the AUC of each attack that compares with references, if a precision is asked."""
    how = subject.spec.references
    if how.precision is None or target.references is None:
        return
    known = Answers(target, subject, todo, store)
    for attack in target.attacks:
        if "ref_member" in attack.needs and attack.name not in FITTED:
            yield attack, _look(attack, known, how.precision)


def _look(attack: Attack, known: Known, asked: float) -> Decision:
    """What the AUC of one attack owes to its references, and what to its candidates."""
    subject, split = known.subject, known.subject.candidates.split
    assert known.target.references is not None
    models, how = len(known.target.references.models), subject.spec.references
    sizes = precision.rounds(how.most, first=how.count)
    given = _fixed(options.of_attack(attack, subject.spec), models)
    values, inside, group = scored(_scores(attack, known, given, np.arange(models)), split)
    seed, ask = derive(subject.spec.seed, attack.key), subject.spec.evaluation
    replicates = roc.bootstrap(values, inside, group, times=ask.resamples, seed=seed)
    level = precision.level_of_look(ask.level, sizes)
    return precision.decide(
        precision.spread_over(
            partial(_scores, attack, known, given),
            models,
            lambda own: roc.auc(*scored(own, split)[:2]).value,
            seed=seed,
        ),
        roc.auc(values, inside, replicates, level=level),
        asked=asked,
        candidates=len(values),
        sizes=sizes,
    )


def _scores(
    attack: Attack, known: Known, given: Mapping[str, Any], rows: Int[np.ndarray, "_"]
) -> Scores:
    """The attack's scores with these reference models alone."""
    return attack.score(*(_of(rows, need, known) for need in attack.needs), **given)


def _of(rows: Int[np.ndarray, "_"], need: str, known: Known) -> np.ndarray:
    """A signal, of these reference models alone where it is of them."""
    values: np.ndarray = known.whole(need)
    return values[rows] if need.startswith(REFERENCES) else values


def _fixed(given: Mapping[str, Any], models: int) -> dict[str, Any]:
    """The options, with what an attack would choose by the number of models chosen for these."""
    chosen = {"std": auto_std(models // 2)} if given.get("std") == "auto" else {}
    return {**given, **chosen}
