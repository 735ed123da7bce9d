"""From signals to scores. Only here do attacks and signals meet."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold

from nonmember.attacks.registry import Attack
from nonmember.data.split import Split
from nonmember.errors import RunError
from nonmember.evaluation.intervals import cross_fitting_spread
from nonmember.seeds import derive
from nonmember.types import Scores

FOLDS = 5
Fetch = Callable[[str], Any]
"""The signal of that name for all candidates, in their order."""


def score(
    attack: Attack, fetch: Fetch, split: Split, options: Mapping[str, Any], *, seed: int
) -> Scores:
    """One score per candidate. Learned attacks never score a record they were told about."""
    if attack.learned:
        return _cross_fitted(attack, fetch, split, options, seed)
    return _checked(attack, attack.score(*map(fetch, attack.needs), **options), len(split.member))


def _checked(attack: Attack, scores: np.ndarray, candidates: int) -> Scores:
    """The contract of an attack, held against one that may be a user's."""
    found = np.asarray(scores, dtype=float)
    if found.shape != (candidates,) or np.isinf(found).any():
        raise RunError(
            f"attack {attack.key}: gave scores of shape {found.shape}, or infinite ones, for "
            f"{candidates} candidates; return one finite score each, NaN where there is none"
        )
    return found


def widening(attack: Attack, split: Split) -> float:
    """How much wider the attack's intervals are for having been cross-fitted; else 1."""
    return cross_fitting_spread(_folds(split)) if attack.learned else 1.0


def _folds(split: Split) -> int:
    """Five, or fewer where a side has fewer groups (``subject`` sees to two at least)."""
    sides = (split.group[split.member], split.group[~split.member])
    return min(FOLDS, *(len(np.unique(side)) for side in sides))


def _cross_fitted(
    attack: Attack, fetch: Fetch, split: Split, options: Mapping[str, Any], seed: int
) -> Scores:
    """Each fold scored by the attack told of the others; ranks within folds, 0 to 1.

    Ranks, because the scores of separately fitted attacks have no common scale.
    """
    splitter = StratifiedGroupKFold(
        _folds(split), shuffle=True, random_state=derive(seed, "folds") % 2**32
    )
    out = np.full(len(split.member), np.nan)
    for known, held in splitter.split(split.member, split.member, split.group):
        given = [_given(need, fetch, split, known, held) for need in attack.needs]
        found = _checked(attack, attack.score(*given, **options), len(held))
        ranks = rankdata(found, nan_policy="omit") / ((~np.isnan(found)).sum() + 1)
        out[held] = np.where(np.isnan(found), np.nan, ranks)
    return out


def _given(need: str, fetch: Fetch, split: Split, known: np.ndarray, held: np.ndarray) -> Any:
    """One argument of a learned attack: of the known records, or of those it is to score."""
    if need == "known_member":
        return split.member[known]
    values = fetch(need.removeprefix("known_"))
    rows = known if need.startswith("known_") else held
    return values[rows] if isinstance(values, np.ndarray) else [values[i] for i in rows]
