"""Empirical lower bounds of epsilon: what a membership test says about differential privacy.

A model that is (epsilon, delta)-private holds any test for a member to TPR <= e^epsilon FPR +
delta, and to TNR <= e^epsilon FNR + delta. Exact ends of both rates turn that round. A threshold
that was chosen for its figures on the same records would lift the bound of a model that leaks
nothing above 0 far too often, so none is: it is chosen on other records, or paid for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import floor
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import betaincinv

from nonmember.errors import DataError, SpecError, UnresolvableError
from nonmember.evaluation.intervals import independent
from nonmember.evaluation.roc import tied
from nonmember.seeds import generator
from nonmember.types import Groups, Member, Scores

Direction = Literal["tpr", "tnr", "both"]
Counts = Int[np.ndarray, "*k"]
SHARES = (
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    0.8,
    0.9,
    0.95,
    0.98,
    0.99,
)  # of all records, flagged by rank


@dataclass(frozen=True)
class Bound:
    """At ``level`` confidence, no model that is (``epsilon``, ``delta``)-private or better did it.

    ``counts`` are what it rests on. ``valid`` is "dp" only where chance decided membership as
    the bound assumes: by a coin of ours for each canary, or by independent training runs. On
    observed records, or a split of a fixed size, the same figure is "descriptive".
    """

    epsilon: float
    level: float
    method: str
    delta: float
    counts: Mapping[str, int]
    valid: Literal["dp", "descriptive"]

    @property
    def at_least(self) -> str:
        """The epsilon, rounded down to a thousandth."""
        return f"{floor(self.epsilon * 1000) / 1000:g}"

    def __str__(self) -> str:
        """A lower bound, and never an estimate."""
        told = f"epsilon >= {self.at_least} at {100 * self.level:g} %"
        note = "" if self.valid == "dp" else "; exploratory, not a DP bound"
        return f"{told} (delta {self.delta:g}; {self.method}{note})"


@dataclass(frozen=True)
class Side:
    """So many records of one side, ``worth`` as many independent ones."""

    trials: int
    worth: int

    def low(self, hits: Counts, tail: float) -> Float[np.ndarray, "*k"]:
        """Clopper-Pearson lower end, at ``tail`` on its one side, of each count."""
        return _lower_ends(self.worth, tail)[hits * self.worth // self.trials]


@lru_cache(maxsize=64)
def _lower_ends(trials: int, tail: float) -> Float[np.ndarray, "t"]:
    """The lower end of every count from 0 to ``trials``: a threshold is one of thousands."""
    hits = np.arange(1, trials + 1)
    ends = np.concatenate([[0.0], betaincinv(hits, trials - hits + 1, tail)])
    ends.flags.writeable = False
    return ends


def refuse_options(where: str, delta: float, level: float) -> None:
    """Refuse a delta or level that no bound can have.

    Raises:
        SpecError: delta is not in [0, 1), or level not between 0 and 1.
    """
    if not 0 <= delta < 1:
        raise SpecError(f"{where}: delta {delta:g} is no probability below 1; give one, like 1e-5")
    if not 0 < level < 1:
        raise SpecError(f"{where}: level {level:g} is not between 0 and 1; give one, like 0.95")


def places(where: str, scores: Scores, member: Member) -> Int[np.ndarray, "n"]:
    """The place of each score among the distinct ones, 0 for the largest.

    Raises:
        UnresolvableError: a score is NaN, one side is missing, or all scores are equal: nothing
            could be bounded, whatever the model leaks.
    """
    if missing := int(np.isnan(scores).sum()):
        raise UnresolvableError(f"{where}: {missing} scores are NaN; leave these records out")
    if member.all() or not member.any():
        raise UnresolvableError(f"{where}: all records are on one side; give both")
    place = tied(scores)
    if not place.any():
        raise UnresolvableError(
            f"{where}: all {len(scores)} scores are equal, so nothing was tested; "
            "use an attack that ranks"
        )
    return place


def from_counts(
    found: int,
    members: int,
    alarms: int,
    non_members: int,
    *,
    direction: Direction = "both",
    delta: float = 1e-5,
    level: float = 0.95,
    independent_runs: bool = False,
) -> Bound:
    """Lower bound of epsilon from one test, by Clopper-Pearson ends of its two error rates.

    ``found`` of ``members`` and ``alarms`` of ``non_members`` are flagged. ``direction`` is the
    ratio that is bounded: TPR to FPR, TNR to FNR, or the larger of both, for which each end has
    half the error. With ``independent_runs``, every trial is a training run of its own.

    Raises:
        DataError: a count is negative or exceeds its trials, or a side has none.
        SpecError: delta or level is impossible.
    """
    refuse_options("epsilon", delta, level)
    for hits, trials in ((found, members), (alarms, non_members)):
        if not 0 <= hits <= trials or not trials:
            raise DataError(f"epsilon: {hits} of {trials} is no count; give 0 to {trials or 1}")
    sides = Side(members, members), Side(non_members, non_members)
    ratios = {"tpr": [0], "tnr": [1], "both": [0, 1]}[direction]
    tail = (1 - level) / (2 * len(ratios))
    bounds = _epsilons(np.array([found]), np.array([alarms]), sides, tail, delta)[ratios]
    counts = _named(found, members, alarms, non_members)
    valid: Literal["dp", "descriptive"] = "dp" if independent_runs else "descriptive"
    return Bound(float(bounds.max()), level, "two-sided, counts", delta, counts, valid)


def _named(found: int, members: int, alarms: int, non_members: int) -> dict[str, int]:
    return {
        "true positives": found,
        "members": members,
        "false positives": alarms,
        "non-members": non_members,
    }


def _epsilons(
    found: Counts, alarms: Counts, sides: tuple[Side, Side], tail: float, delta: float
) -> Float[np.ndarray, "2 *k"]:
    """Bounds from TPR over FPR, and from TNR over FNR, of each threshold; 0 or more."""
    members, non_members = sides
    tpr, tnr = members.low(found, tail), non_members.low(non_members.trials - alarms, tail)
    ratios = np.stack([(tpr - delta) / (1 - tnr), (tnr - delta) / (1 - tpr)])
    return np.log(np.maximum(ratios, 1.0))


def two_sided(
    scores: Scores,
    member: Member,
    group: Groups | None = None,
    *,
    threshold: Literal["split", "bonferroni", "fixed"] = "split",
    at: Sequence[float] = (),
    delta: float = 1e-5,
    level: float = 0.95,
    seed: int = 0,
) -> Bound:
    """Lower bound of epsilon from the scores of many records of one model.

    Descriptive: pooled records of one model are not independent training runs.

    Args:
        scores: larger is likelier member, (n,).
        member: the truth, (n,).
        group: whose records belong together, (n,); none if each is its own.
        threshold: "split": half of the records of either side, by groups, choose the threshold
            and the ratio, the others bound it; "bonferroni": the best of several, each at its
            share of the error; "fixed": the one of ``at``.
        at: thresholds fixed before the scores were seen, above which a record is flagged; none
            for "split"; with "bonferroni", none stands for eleven set by rank, label unseen.
        delta: of (epsilon, delta)-privacy.
        level: confidence that epsilon is not below the bound.
        seed: of the halves.

    Raises:
        UnresolvableError: a score is NaN, one side is missing or too small, all scores tie.
        DataError: a group has records of both sides.
        SpecError: ``at`` does not fit ``threshold``, or delta or level is impossible.
    """
    refuse_options("epsilon", delta, level)
    _refuse_thresholds(threshold, at)
    place = places("epsilon", scores, member)
    units = np.arange(len(scores)) if group is None else group
    _refuse_straddling(member, units)
    error, kept, ratios = 1 - level, np.ones(len(scores), dtype=bool), [0, 1]
    if threshold == "split":
        kept = ~_choosing(member, units, generator(seed, "epsilon"))
        above, *ratios = _best(place, member, units, ~kept, delta, error / 2)
    else:
        above = scores > np.array(at)[:, None] if len(at) else _by_rank(place)
    tail = error / (2 * len(ratios) * len(above))
    found, alarms, sides = _counted(above[:, kept], member[kept], units[kept])
    bounds = _epsilons(found, alarms, sides, tail, delta)[ratios]
    best = int(bounds.max(axis=0).argmax())
    counts = _named(int(found[best]), sides[0].trials, int(alarms[best]), sides[1].trials)
    method = f"two-sided, {threshold}, pooled records"
    return Bound(float(bounds.max()), level, method, delta, counts, "descriptive")


def _refuse_thresholds(threshold: str, at: Sequence[float]) -> None:
    if np.isnan(np.asarray(at, dtype=float)).any():
        raise SpecError("epsilon: a threshold of `at` is NaN; give numbers")
    if threshold == "split" and len(at):
        raise SpecError("epsilon: `split` chooses its threshold; leave `at` out, or use `fixed`")
    if threshold == "fixed" and len(at) != 1:
        raise SpecError(f"epsilon: `fixed` takes one threshold, not {len(at)}; give one in `at`")


def _refuse_straddling(member: Member, group: Groups) -> None:
    both = np.intersect1d(group[member], group[~member])
    if len(both):
        raise DataError(f"epsilon: group {both[0]} has records of both sides; keep it on one")


def _choosing(member: Member, group: Groups, rng: np.random.Generator) -> Member:
    """Half of the groups of either side, at random."""
    chosen = np.zeros(len(member), dtype=bool)
    for side in (member, ~member):
        units = rng.permutation(np.unique(group[side]))
        if len(units) < 2:
            raise UnresolvableError("epsilon: one side has one group only; a split needs two")
        chosen |= np.isin(group, units[: len(units) // 2])
    return chosen


def _best(
    place: Int[np.ndarray, "n"],
    member: Member,
    group: Groups,
    half: Member,
    delta: float,
    tail: float,
) -> tuple[Bool[np.ndarray, "1 n"], int]:
    """Whom the threshold flags that bounds best on ``half``, and by which ratio: 0 TPR, 1 TNR."""
    last = int(place.max())
    found, alarms = (
        np.cumsum(np.bincount(place[half & own], minlength=last + 1))[:last]
        for own in (member, ~member)
    )
    sides = _sides(member[half], group[half])
    bounds = _epsilons(found, alarms, sides, tail, delta)
    # Where no threshold bounds anything, the one whose rates lie furthest apart is tried.
    apart = np.abs(found / sides[0].trials - alarms / sides[1].trials)
    direction, best = np.unravel_index(np.argmax(bounds + 1e-9 * apart), bounds.shape)
    return (place <= best)[None], int(direction)


def _by_rank(place: Int[np.ndarray, "n"]) -> Bool[np.ndarray, "k n"]:
    """Whom thresholds flag that let through a share of all records; equal scores go together."""
    least = np.sort(place)[[floor(share * (len(place) - 1)) for share in SHARES]]
    return place <= least[:, None]


def _counted(
    above: Bool[np.ndarray, "k m"], member: Bool[np.ndarray, "m"], group: Int[np.ndarray, "m"]
) -> tuple[Counts, Counts, tuple[Side, Side]]:
    return above[:, member].sum(axis=1), above[:, ~member].sum(axis=1), _sides(member, group)


def _sides(member: Bool[np.ndarray, "m"], group: Int[np.ndarray, "m"]) -> tuple[Side, Side]:
    members, others = (Side(int(own.sum()), independent(group[own])) for own in (member, ~member))
    return members, others
