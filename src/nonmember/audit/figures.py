"""The figures of one attack's scores, the same for a claim and for its placebo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit.folds import widening
from nonmember.audit.parts import Evaluation
from nonmember.data.split import Split
from nonmember.errors import UnresolvableError
from nonmember.evaluation import roc
from nonmember.evaluation.intervals import Interval, clopper_pearson, resolvable, simultaneous
from nonmember.evaluation.roc import TprAtFpr
from nonmember.types import Member, Scores


@dataclass(frozen=True)
class Figures:
    """AUC and rates with their own interval, and with the one that holds for all claims.

    The own interval of an attack that never sees the model holds for all such attacks at once:
    any of them can take a verdict away.
    """

    auc: Interval
    simultaneous: Interval
    tpr: tuple[TprAtFpr, ...]


def joint_level(ask: Evaluation, attacks: int) -> float:
    """The level at which all claims of an audit hold at once: each attack's AUC and rates."""
    return simultaneous(ask.level, attacks * (1 + len(ask.fpr)))


def own_level(attack: Attack, ask: Evaluation, among: Sequence[Attack]) -> float:
    """The level of an attack's own intervals."""
    blind = sum(one.family == "blind" for one in among)
    return simultaneous(ask.level, blind) if attack.family == "blind" else ask.level


def figures(
    attack: Attack,
    scores: Scores,
    split: Split,
    ask: Evaluation,
    *,
    among: Sequence[Attack],
    seed: int,
) -> Figures:
    """Everything that is estimated from one attack's scores; NaN scores are left out.

    Args:
        attack: whose scores they are.
        scores: of all candidates.
        split: the truth.
        ask: rates, level and resamples.
        among: all attacks that are judged together.
        seed: of the bootstrap.

    Raises:
        UnresolvableError: it could score no member, or no non-member.
    """
    values, inside, group = scored(scores, split)
    if inside.all() or not inside.any():
        raise UnresolvableError(
            f"it could score {inside.sum()} members and {(~inside).sum()} non-members, and a "
            "figure needs some of either; give it more records to go by, or leave it out"
        )
    fprs = _carried(ask.fpr, inside)
    replicates = roc.bootstrap(values, inside, group, fprs=fprs, times=ask.resamples, seed=seed)
    together, wider = joint_level(ask, len(among)), widening(attack, split)
    own = own_level(attack, ask, among)
    rates = (
        roc.tpr_at_fpr(values, inside, replicates, fpr=fpr, level=own, together=together)
        for fpr in fprs
    )
    return Figures(
        roc.auc(values, inside, replicates, level=own).widened(wider),
        roc.auc(values, inside, replicates, level=together).widened(wider),
        tuple(
            replace(
                rate, tpr=rate.tpr.widened(wider), simultaneous=rate.simultaneous.widened(wider)
            )
            for rate in rates
        ),
    )


def scored(scores: Scores, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, truth and groups of the candidates that were scored."""
    kept = ~np.isnan(scores)
    return scores[kept], split.member[kept], split.group[kept]


def _carried(fprs: Sequence[float], member: Member) -> list[float]:
    """The false-positive rates that so many non-members can carry."""
    return [fpr for fpr in fprs if resolvable(fpr, int((~member).sum()))]


def plainly_silent(
    attack: Attack, scores: Scores, split: Split, ask: Evaluation, *, among: Sequence[Attack]
) -> bool:
    """Whether even narrower intervals, which need no resampling, exclude nothing.

    ``figures`` only ever widens these, so what is silent here would be silent there.
    """
    values, inside, _ = scored(scores, split)
    blind = attack.family == "blind"
    level = own_level(attack, ask, among) if blind else joint_level(ask, len(among))
    wider = widening(attack, split)
    try:
        counts = roc.tally(values, inside)
    except UnresolvableError:
        return True
    if roc.auc(values, inside, level=level).widened(wider).excludes(0.5):
        return False
    if blind:
        return True  # its rates take no verdict away
    found = (
        (fpr, int(counts.members[counts.flagged(fpr)].sum())) for fpr in _carried(ask.fpr, inside)
    )
    members = int(inside.sum())
    return not any(clopper_pearson(n, members, level=level).low > fpr for fpr, n in found)
