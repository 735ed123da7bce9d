"""From signals to scores. Only here do attacks and signals meet."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedGroupKFold

from nonmember.attacks.registry import Attack
from nonmember.audit import options
from nonmember.audit.cases import Signals, within
from nonmember.audit.folds import folds_of
from nonmember.audit.parts import Common
from nonmember.audit.threat import featured
from nonmember.data.split import Split
from nonmember.errors import RunError
from nonmember.seeds import derive
from nonmember.signals.catalogue import REFERENCES
from nonmember.types import Scores

Rows: TypeAlias = Int[np.ndarray, "_"]
Whole = Callable[[str], Any]
"""The signal of that name for all candidates, in their order."""


def scores(answers: Signals, split: Split, there: np.ndarray, spec: Common) -> dict[str, Scores]:
    """One score per candidate and attack, by the attack's name.

    Attacks that look at a record at a time do so a shard at a time; then those that compare
    records, of which none scores a record that it was told about. They are told of those
    ``there`` (n,), and score only these: much of a copy that was dropped may have been trained
    on in another record, so it is known of neither side.
    """
    attacks = answers.target.attacks
    found = _streamed([one for one in attacks if one.rowwise], answers, spec, len(there))
    whole, some = of_some(with_features(answers, found, spec), there), within(split, there)
    for attack in (one for one in attacks if not one.rowwise):
        given = options.of_attack(attack, spec)
        if attack.learned:
            own = cross_fitted(attack, whole, some, given, seed=spec.seed)
        else:
            score = attack.score(*map(whole, attack.needs), **given)
            own = _checked(attack, score, len(some.group))
        found[attack.name] = np.full(len(there), np.nan)
        found[attack.name][there] = own
    return {attack.name: found[attack.name] for attack in attacks}


def _streamed(
    attacks: Sequence[Attack], answers: Signals, spec: Common, candidates: int
) -> dict[str, Scores]:
    found = {one.name: np.full(candidates, np.nan) for one in attacks}
    given = {one.name: options.of_attack(one, spec) for one in attacks}
    for rows, fetch in answers.shards():
        for attack in attacks:
            own = attack.score(*map(fetch, attack.needs), **given[attack.name])
            found[attack.name][rows] = _checked(attack, own, rows.stop - rows.start)
    return found


def with_features(answers: Signals, found: Mapping[str, Scores], spec: Common) -> Whole:
    """Signals of all candidates; ``features`` are the scores of the attacks that are combined."""
    columns = [found[one.name] for one in featured(answers.target.attacks, spec)]

    def whole(name: str) -> Any:
        return np.stack(columns, axis=1) if name == "features" else answers.whole(name)

    return whole


def of_some(whole: Whole, there: np.ndarray) -> Whole:
    """The same signals, of those ``there`` alone; each is put together once."""
    places = np.flatnonzero(there)
    return whole if there.all() else cache(lambda name: _taken(name, whole(name), places))


def _taken(name: str, values: Any, places: np.ndarray) -> Any:
    """Candidates of an array, in which reference models come first, or of texts."""
    if name.startswith(REFERENCES):
        return values[:, places]
    return values[places] if isinstance(values, np.ndarray) else values.take(places)


def _checked(attack: Attack, own: np.ndarray, candidates: int) -> Scores:
    """The contract of an attack, held against one that may be a user's."""
    found = np.asarray(own, dtype=float)
    if found.shape != (candidates,) or np.isinf(found).any():
        raise RunError(
            f"attack {attack.key}: gave scores of shape {found.shape}, or infinite ones, for "
            f"{candidates} candidates; return one finite score each, NaN where there is none"
        )
    return found


def cross_fitted(
    attack: Attack, whole: Whole, split: Split, given: Mapping[str, Any], *, seed: int
) -> Scores:
    """Each fold scored by the attack told of the others; ranks within folds, 0 to 1.

    Ranks, because the scores of separately fitted attacks have no common scale. None has a
    score where a side has fewer than two groups, as a defense that drops records may leave it.
    """
    out, folds = np.full(len(split.member), np.nan), folds_of(split)
    if folds < 2:
        return out
    dealt = _dealt(split.member.tobytes(), split.group.tobytes(), folds, seed)
    for known, held in dealt:
        parts = [
            whole(need) if _aside(attack, need) else _part(need, whole, split, known, held)
            for need in attack.needs
        ]
        found = _checked(attack, attack.score(*parts, **given), len(held))
        ranks = rankdata(found, nan_policy="omit") / ((~np.isnan(found)).sum() + 1)
        out[held] = np.where(np.isnan(found), np.nan, ranks)
    return out


@lru_cache(maxsize=2)
def _dealt(member: bytes, group: bytes, folds: int, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    """The known and the held-out records of each fold: one deal serves all attacks on a split."""
    sides, groups = np.frombuffer(member, dtype=bool), np.frombuffer(group, dtype=np.int64)
    drawn = derive(seed, "folds") % 2**32
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=drawn)
    return tuple(splitter.split(sides, sides, groups))


def _aside(attack: Attack, need: str) -> bool:
    """Whether a signal is of a population that is no part of the candidates."""
    return attack.family == "classifier" and "pop_" in need


def _part(need: str, whole: Whole, split: Split, known: np.ndarray, held: np.ndarray) -> Any:
    """One argument of a learned attack: of the known records, or of those it is to score."""
    if need == "known_member":
        return split.member[known]
    rows = held
    if need.startswith("known_"):
        rows = known
    if need.startswith("pop_"):
        rows = known[~split.member[known]]
    return _taken(need, whole(need.removeprefix("known_").removeprefix("pop_")), rows)
