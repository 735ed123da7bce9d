"""What defenses cost a classifier: its accuracy against the same one without them."""

from dataclasses import replace

import numpy as np

from nonmember.audit.cases import undefended
from nonmember.audit.classifiers.answers import Answers
from nonmember.audit.classifiers.subject import Subject, Target
from nonmember.audit.worth import ClassifierUtility
from nonmember.evaluation.inferiority import accuracy_change
from nonmember.evaluation.intervals import Interval


def change_against(other: Target, known: Answers[Target, Subject]) -> Interval:
    """How much oftener a target is right about the non-members than another, record by record."""
    subject = known.subject
    split, labels = subject.candidates.split, subject.candidates.examples.labels
    outside, level = np.flatnonzero(~split.member), subject.spec.evaluation.level
    before, after = (
        one.whole("logits")[outside]
        for one in (Answers(other, subject, known.todo, known.store), known)
    )
    return accuracy_change(before, after, labels[outside], split.group[outside], level=level)


def beside_undefended(
    found: ClassifierUtility, known: Answers[Target, Subject]
) -> ClassifierUtility:
    """The same, with the change against the target without defenses, where it can be said."""
    other = undefended(known.target, known.subject.targets, known.subject.spec.targets)
    if other is None:
        return found
    change, margin = change_against(other, known), known.subject.spec.evaluation.margin
    return replace(found, against=other.name, accuracy_change=change, margin=margin)
