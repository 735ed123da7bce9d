"""Into how many parts records are dealt for attacks that learn, and what that costs."""

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.data.split import Split
from nonmember.evaluation.intervals import cross_fitting_spread

FOLDS = 5


def widening(attack: Attack, split: Split) -> float:
    """How much wider the attack's intervals are for having been cross-fitted; else 1."""
    return cross_fitting_spread(max(2, folds_of(split))) if attack.learned else 1.0


def folds_of(split: Split) -> int:
    """Five, or fewer where a side has fewer groups."""
    sides = (split.group[split.member], split.group[~split.member])
    return min(FOLDS, *(len(np.unique(side)) for side in sides))
