"""What many records show together: of the whole set of them, and of persons with several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit.cases import Audit, Ground, Signals
from nonmember.audit.parts import Common
from nonmember.audit.records import AttackResult, PersonsResult, SetResult
from nonmember.audit.threat import featured
from nonmember.data.split import Split
from nonmember.errors import UnresolvableError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.persons import persons
from nonmember.evaluation.sets import dataset_inference
from nonmember.seeds import derive
from nonmember.types import Scores

PERSONS_BY = ("reference_difference", "loss")
"""Whose scores are put together to persons': the first that ran, chosen beforehand."""


@dataclass(frozen=True)
class Collective:
    """What was found of the set and of persons; a finding where one gave no figure."""

    as_a_set: SetResult | None
    persons: PersonsResult | None
    findings: tuple[Finding, ...]


def found(
    known: Signals,
    attacks: Sequence[AttackResult],
    scores: Mapping[str, Scores],
    subject: Audit,
    ground: Ground,
) -> Collective:
    """Dataset inference, and persons where some have more than one record.

    Args:
        known: about the target.
        attacks: their results, which tell whether the sides differ by themselves.
        scores: of all candidates, by attack.
        subject: the audit.
        ground: who is on the two sides, and whose scores count.
    """
    split, spec = ground.split, subject.spec
    biased = any(one.blind and one.auc.excludes(0.5) for one in attacks)
    used = [one for one in featured(known.target.attacks, spec) if one.name in ground.carrying]
    there = {one: own[ground.there] for one, own in scores.items() if one in ground.carrying}
    whole, unable = _of_set(used, there, split, spec, biased=biased)
    persons, few = _of_persons(there, split, spec) if subject.grouped else (None, None)
    findings = tuple(one for one in (unable, few) if one is not None)
    return Collective(whole, persons, findings)


def _of_set(
    attacks: Sequence[Attack],
    scores: Mapping[str, Scores],
    split: Split,
    spec: Common,
    *,
    biased: bool,
) -> tuple[SetResult | None, Finding | None]:
    """Dataset inference: the members as the suspect set, from the scores of the attacks."""
    if not attacks:
        return None, checks.set_left_out("no attack that scores a record by itself counts here")
    columns = [scores[one.name] for one in attacks]
    seed = derive(spec.seed, "dataset inference")
    try:
        tested = dataset_inference(
            np.stack(columns, axis=1),
            split.member,
            split.group,
            level=spec.evaluation.level,
            seed=seed,
        )
    except UnresolvableError as error:
        return None, checks.set_left_out(str(error))
    concluded = None if biased else tested.p <= tested.significance
    return SetResult(tested, concluded, tuple(one.name for one in attacks)), None


def _of_persons(
    scores: Mapping[str, Scores], split: Split, spec: Common
) -> tuple[PersonsResult | None, Finding | None]:
    """How well persons are told apart."""
    name = next((one for one in PERSONS_BY if one in scores), None)
    if name is None:
        return None, checks.persons_left_out(f"neither {' nor '.join(PERSONS_BY)} counts here")
    try:
        told = persons(
            scores[name],
            split.member,
            split.group,
            level=spec.evaluation.level,
            times=spec.evaluation.resamples,
            seed=derive(spec.seed, "persons"),
        )
    except UnresolvableError as error:
        return None, checks.persons_left_out(str(error))
    counts = (told.members, told.non_members)
    return PersonsResult(name, told.aggregate, told.auc, *counts, told.records), None
