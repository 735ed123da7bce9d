"""The same judgement where nothing is to be found: how often would it raise an alarm?"""

from collections.abc import Mapping

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit.figures import figures, plainly_silent, telling
from nonmember.audit.records import Redraws
from nonmember.audit.scoring import Fetch, score
from nonmember.audit.subject import Subject, Target, options_of
from nonmember.data.split import Split
from nonmember.seeds import derive, generator
from nonmember.signals.catalogue import queried
from nonmember.types import Scores

BlindScores = dict[tuple[str, int, tuple[str, ...]], Scores]
"""Scores of attacks that see texts alone, by attack, draw and texts: no model changes them."""


def redraws(
    target: Target, fetch: Fetch, scores: Mapping[str, Scores], subject: Subject, blind: BlindScores
) -> Redraws:
    """Judge a model against membership drawn anew, a number of times, by the same figures.

    An alarm is a draw in which any attack's simultaneous intervals exclude that it knows
    nothing. Learned attacks are fitted again to each draw.
    """
    spec, alarms = subject.spec, 0
    for turn in range(spec.evaluation.redraws):
        split = redrawn(subject.candidates.split, generator(spec.seed, "redraw", turn))
        drawn = dict(scores)
        for attack in (one for one in target.attacks if one.learned):
            key = (attack.key, turn, tuple(one.text for one in target.candidates))
            if key not in blind:
                drawn[attack.name] = _learned(attack, fetch, split, subject)
            if not queried(attack.needs):
                drawn[attack.name] = blind.setdefault(key, drawn[attack.name])
        alarms += any(
            _alarm(one, drawn[one.name], split, subject, len(scores)) for one in target.attacks
        )
    return Redraws(spec.evaluation.redraws, alarms)


def _learned(attack: Attack, fetch: Fetch, split: Split, subject: Subject) -> Scores:
    options = options_of(attack, subject.spec)
    return score(attack, fetch, split, options, seed=subject.spec.seed)


def _alarm(attack: Attack, scores: Scores, split: Split, subject: Subject, attacks: int) -> bool:
    ask = subject.spec.evaluation
    if plainly_silent(attack, scores, split, ask, attacks=attacks):
        return False
    seed = derive(subject.spec.seed, attack.key)
    found = figures(attack, scores, split, ask, attacks=attacks, seed=seed)
    return telling(found.simultaneous, found.tpr)


def redrawn(split: Split, rng: np.random.Generator) -> Split:
    """The same groups dealt to the two sides anew, as many members as before or nearly so."""
    _, unit = np.unique(split.group, return_inverse=True)
    sizes = np.bincount(unit)
    order = rng.permutation(len(sizes))
    inside = np.cumsum(sizes[order]) <= split.member.sum()
    inside[:2], inside[-2:] = True, False  # two groups a side, however large
    chosen = np.zeros(len(sizes), dtype=bool)
    chosen[order[inside]] = True
    return Split(chosen[unit], split.group)
