"""What a target is worth: how well it tells texts of the same kind that it never saw."""

from dataclasses import replace

import numpy as np

from nonmember.audit.cases import undefended
from nonmember.audit.language.answers import Answers
from nonmember.audit.language.subject import Subject
from nonmember.audit.worth import Utility
from nonmember.evaluation.intervals import mean_interval
from nonmember.signals.ragged import mean

LOGPROBS, HITS = "token_logprobs", "token_hit"


def utility(known: Answers, subject: Subject) -> Utility | None:
    """Loss and next-token accuracy on the non-members; None where the target does not answer.

    Where a target of the audit was trained alike without a defense, the changes against it
    are given too, record by record.
    """
    own = _values(known)
    split, level = subject.candidates.split, subject.spec.evaluation.level
    if own is None:
        return None
    outside = ~split.member & ~np.isnan(own).any(axis=0)
    if len(np.unique(split.group[outside])) < 2:
        return None  # no mean has an interval there
    group = split.group[outside]
    loss, accuracy = (mean_interval(values[outside], group, level=level) for values in own)
    found = Utility(int(outside.sum()), loss, accuracy)
    other = undefended(known.target, subject.targets, subject.spec.targets)
    theirs = other and _values(replace(known, target=other, held={}))
    if other is None or theirs is None:
        return found
    changes = (own - theirs)[:, outside]
    if np.isnan(changes).any():
        return found
    loss_change, accuracy_change = (mean_interval(change, group, level=level) for change in changes)
    return replace(
        found, against=other.name, loss_change=loss_change, accuracy_change=accuracy_change
    )


def _values(known: Answers) -> np.ndarray | None:
    """Mean loss and share of hits of each candidate, (2 n)."""
    if not (known.has(LOGPROBS) and known.has(HITS)):
        return None
    return np.stack([-known.each(LOGPROBS, mean), known.each(HITS, mean)])
