"""The gate before a verdict: data or models that make figures no evidence of membership."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nonmember.audit.parts import Evaluation
from nonmember.audit.records import AttackResult, Redraws, Results, TargetResult
from nonmember.audit.verdict import Bars, verdict
from nonmember.data.split import Split
from nonmember.errors import UnresolvableError
from nonmember.evaluation import gates, roc
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval, independent, simultaneous
from nonmember.types import Scores

OF_DATA = {"E132"}
"""Findings of the data that leave no verdict on any target."""
INCOMPLETE = "E110"
"""An attack that was to run gave no figure."""
ABOUT_NO_FIGURE = {INCOMPLETE, "E131"}
"""Errors that take no figure's validity away: of a missing one, and of a claim that is refuted."""

Concluded = tuple[bool | None, str, tuple[Finding, ...]]
"""Whether it leaks, the sentence that says so, and what stands against believing it."""


@dataclass(frozen=True)
class Evidence:
    """What speaks against believing figures, beside attacks that never see the model.

    ``split`` says who is judged, ``about_data`` what was found of them before any work,
    ``detectable`` is the smallest AUC that would have been seen, ``redraws`` the same judgement
    where nothing is to be found, ``level`` that of all claims. ``base`` is the AUC of the loss of
    the model that the target was tuned from; ``alike``: the target gives one answer to all.
    """

    split: Split
    about_data: Sequence[Finding]
    detectable: float
    redraws: Redraws
    level: float
    base: Interval | None = None
    alike: bool = False


def concluded(
    attacks: Sequence[AttackResult],
    known: Evidence,
    *,
    lost: int = 0,
    whose: str = "its training records",
) -> Concluded:
    """The verdict, where something may stand against any, or against one of no leak.

    Args:
        attacks: those that may carry a verdict, and those that never see the model.
        known: what speaks against it.
        lost: members that a defense dropped for being exposed.
        whose: records, in words.
    """
    redraws, base = known.redraws, known.base
    own = _there(
        gates.alarming(redraws.alarms, redraws.times, known.level),
        None if base is None else gates.base_has_seen(base),
    )
    of_data = [one for one in known.about_data if one.code in OF_DATA]
    silence, weak = _silencing(known)
    bars = Bars((*of_data, *own), silence)
    leaks, sentence = verdict(attacks, known.detectable, lost=lost, whose=whose, bars=bars)
    if leaks is None:
        return leaks, sentence, (*own, *silence)
    return leaks, sentence, own if leaks else (*own, *weak)


def _silencing(known: Evidence) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What leaves no verdict of no leak, and what makes it say little."""
    split, least = known.split, known.detectable
    sides = split.member, ~split.member
    worth = [independent(split.group[side]) for side in sides]
    near = sum(len(one.records) for one in known.about_data if one.code == "E127")
    smaller = int(min(side.sum() for side in sides))
    mute = gates.alike() if known.alike else None
    barring = _there(
        mute, gates.too_near(near, smaller), gates.powerless(least, worth[0], worth[1])
    )
    return barring, _there(gates.weak(least, worth[0], worth[1]))


def base_auc(losses: Scores, split: Split, ask: Evaluation, blind: int) -> Interval | None:
    """How well the loss of the model that a target was tuned from tells members by itself.

    At a level that holds for it and the blind attacks together. None where a side has no loss.

    Args:
        losses: of those who are judged, in nats; NaN is left out.
        split: the truth about them.
        ask: level and resamples.
        blind: attacks that never see the target.
    """
    kept, level = ~np.isnan(losses), simultaneous(ask.level, blind + 1)
    scores, member, group = -losses[kept], split.member[kept], split.group[kept]
    try:
        plain = roc.auc(scores, member, level=level)
        if not plain.excludes(0.5):
            return plain  # samples only ever widen it
        drawn = roc.bootstrap(scores, member, group, times=ask.resamples)
        return roc.auc(scores, member, drawn, level=level)
    except UnresolvableError:
        return None


def invalidating(target: TargetResult, results: Results) -> tuple[Finding, ...]:
    """The findings for which nothing that was found of a target is evidence."""
    every = (*results.findings, *target.findings)
    return tuple(
        one for one in every if one.severity == "error" and one.code not in ABOUT_NO_FIGURE
    )


def _there(*found: Finding | None) -> tuple[Finding, ...]:
    return tuple(one for one in found if one is not None)
