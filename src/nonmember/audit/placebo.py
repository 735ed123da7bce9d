"""The same judgement where nothing is to be found: how often would it raise an alarm?"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import options
from nonmember.audit.cases import Audit, Case, Ground
from nonmember.audit.figures import figures, plainly_silent
from nonmember.audit.parts import Common, Evaluation
from nonmember.audit.records import Redraws
from nonmember.audit.scoring import Whole, cross_fitted, of_some
from nonmember.audit.validity import base_auc
from nonmember.audit.verdict import telling
from nonmember.data.split import Split
from nonmember.seeds import derive, generator
from nonmember.types import Scores

BlindScores = dict[tuple[str, int, str], np.ndarray]
"""Scores of those there by attacks that see texts alone: by attack, draw, and whose texts."""


def redraws(
    target: Case,
    whole: Whole,
    scores: Mapping[str, Scores],
    subject: Audit,
    ground: Ground,
    blind: BlindScores,
    base: Scores | None = None,
) -> Redraws:
    """Judge a model against membership drawn anew, a number of times, by the same figures.

    An alarm is a draw in which the simultaneous intervals of an attack that may carry the
    verdict exclude that it knows nothing, unless one that never sees the model takes it away, or
    the ``base`` losses do, of the model that this one was tuned from; of those who are judged.
    Learned attacks are fitted again to each draw, as for the claim: among those ``there``.
    """
    spec, alarms, withheld = subject.spec, 0, 0
    own = {name: one[ground.there] for name, one in scores.items()}
    whole, there = of_some(whole, ground.there), blake2b(ground.there.tobytes()).hexdigest()
    texts = f"{target.meets} {there}"
    for turn in range(spec.evaluation.redraws):
        split = redrawn(ground.split, generator(spec.seed, "redraw", turn))
        drawn = dict(own)
        for attack in (one for one in target.attacks if one.learned):
            given = options.of_attack(attack, spec)
            key = (attack.key, turn, texts)
            found = blind.get(key)
            if found is None:
                found = cross_fitted(attack, whole, split, given, seed=spec.seed)
            if attack.family == "blind":
                blind[key] = found
            drawn[attack.name] = found
        told = [
            one.family
            for one in target.attacks
            if one.family == "blind" or one.name in ground.carrying
            if _telling(one, drawn[one.name], split, spec, target.attacks * target.looks)
        ]
        if base is not None and _apart(base, split, target, spec.evaluation):
            told.append("blind")
        withheld += "blind" in told
        alarms += bool(told) and "blind" not in told
    return Redraws(spec.evaluation.redraws, alarms, withheld)


def _telling(
    attack: Attack, scores: Scores, split: Split, spec: Common, among: Sequence[Attack]
) -> bool:
    ask = spec.evaluation
    if plainly_silent(attack, scores, split, ask, among=among):
        return False
    seed = derive(spec.seed, attack.key)
    found = figures(attack, scores, split, ask, among=among, seed=seed)
    if attack.family == "blind":
        return found.auc.excludes(0.5)
    return telling(found.simultaneous, found.tpr)


def _apart(losses: Scores, split: Split, target: Case, ask: Evaluation) -> bool:
    found = base_auc(losses, split, ask, sum(one.family == "blind" for one in target.attacks))
    return found is not None and found.excludes(0.5)


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
