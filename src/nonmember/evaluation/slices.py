"""Where a model leaks most: the same figures per slice of the records."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from nonmember.data.split import Split
from nonmember.errors import UnresolvableError
from nonmember.evaluation.intervals import Interval, independent, resolvable, simultaneous
from nonmember.evaluation.paired import holm, inverted
from nonmember.evaluation.roc import Replicates, TprAtFpr, auc, bootstrap, tpr_at_fpr
from nonmember.types import Groups, Member, Scores

LEAST = 50  # independent members, and as many non-members, that a slice needs

Labels = Mapping[str, Shaped[np.ndarray, "n"]]
"""What records are cut by, such as "class", to the slice of each."""


@dataclass(frozen=True)
class Slice:
    """One slice of the records: how exposed it is, or None throughout where it was not tested.

    ``auc`` has the level asked for and ``simultaneous`` the one that holds for all slices at
    once; ``p_value``, of an AUC of 0.5, is adjusted for all slices (Holm 1979).
    """

    by: str
    name: str
    members: int
    non_members: int
    auc: Interval | None = None
    simultaneous: Interval | None = None
    tpr: TprAtFpr | None = None
    p_value: float | None = None


@dataclass(frozen=True)
class Slices:
    """All slices; those too small are ``untested``, which is not to say safe.

    ``worst`` is the one that surely leaks most: of the highest lower end of the simultaneous
    interval; None where no slice was tested.
    """

    tested: tuple[Slice, ...]
    untested: tuple[Slice, ...]
    worst: Slice | None


def slices(
    scores: Scores,
    member: Member,
    group: Groups,
    labels: Labels,
    *,
    fpr: float | None = None,
    level: float = 0.95,
    times: int = 2000,
    seed: int = 0,
) -> Slices:
    """AUC and true-positive rate of every slice with 50 independent records on either side.

    The threshold of a rate is that of the slice's own non-members.

    Args:
        scores: larger = likelier member, none NaN.
        member: the truth.
        group: whose the records are; those of one group count and are drawn together.
        labels: ways to cut the records, each an array (n,) of the slice that a record is in.
        fpr: the false-positive rate; slices that cannot resolve it have none. None: no rates.
        level: of the intervals.
        times: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        DataError: only one side is present, or a group is on both.
        UnresolvableError: a score is NaN, or fpr is outside (0, 1).
    """
    Split(member, group)  # refuses what cannot be one
    _refuse(scores, fpr)
    places = [(by, str(name), of == name) for by, of in labels.items() for name in np.unique(of)]
    large = [_large(chosen, member, group) for _, _, chosen in places]
    level_of_all = simultaneous(level, sum(large) * (1 if fpr is None else 2))
    tested, untested = [], []
    for (by, name, chosen), enough in zip(places, large, strict=True):
        own = scores[chosen], member[chosen], group[chosen]
        empty = Slice(by, name, int(own[1].sum()), int((~own[1]).sum()))
        if not enough:
            untested.append(empty)
            continue
        fprs = [] if fpr is None or not resolvable(fpr, empty.non_members) else [fpr]
        samples = bootstrap(*own, fprs=fprs, times=times, seed=seed)
        tested.append(_judged(empty, own[0], own[1], samples, (level, level_of_all)))
    adjusted = _adjusted(tested)
    return Slices(adjusted, tuple(untested), max(adjusted, key=_surely, default=None))


def quarters(values: Float[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The quarter of the records that each value is in, 1 to 4, equal values together; 0 if NaN."""
    there = ~np.isnan(values)
    if not there.any():
        return np.zeros(len(values), dtype=np.int64)
    edges = np.quantile(values[there], [0.25, 0.5, 0.75])
    return np.where(there, 1 + np.searchsorted(edges, values), 0)


def copies(digests: UInt8[np.ndarray, "n bytes"]) -> dict[str, Int[np.ndarray, "n"]]:
    """A way to cut records by how often each is there, to a power of two; none if all once."""
    _, unit = np.unique(digests, axis=0, return_inverse=True)
    often = sizes(unit.ravel())
    return {"copies of a record": often} if often.max(initial=1) > 1 else {}


def sizes(group: Groups) -> Int[np.ndarray, "n"]:
    """How many records each record's group has, rounded down to a power of two."""
    _, unit, counts = np.unique(group, return_inverse=True, return_counts=True)
    return (2 ** np.floor(np.log2(counts)).astype(np.int64))[unit]


def _refuse(scores: Scores, fpr: float | None) -> None:
    if np.isnan(scores).any():
        raise UnresolvableError(f"slices: {np.isnan(scores).sum()} scores are NaN; leave them out")
    if fpr is not None and not 0 < fpr < 1:
        raise UnresolvableError(f"slices: fpr={fpr} is no rate; use a number between 0 and 1")


def _large(chosen: Bool[np.ndarray, "n"], member: Member, group: Groups) -> bool:
    sides = (group[chosen & member], group[chosen & ~member])
    return all(len(side) and independent(side) >= LEAST for side in sides)


def _judged(
    empty: Slice,
    scores: Scores,
    member: Member,
    samples: Replicates,
    levels: tuple[float, float],
) -> Slice:
    def area(level: float) -> Interval:
        return auc(scores, member, samples, level=level)

    def ends(level: float) -> tuple[float, float]:
        found = area(level)
        return found.low, found.high

    level, together = levels
    rates = (
        tpr_at_fpr(scores, member, samples, fpr=fpr, level=level, together=together)
        for fpr in samples.tpr
    )
    return Slice(
        empty.by,
        empty.name,
        empty.members,
        empty.non_members,
        area(level),
        area(together),
        next(rates, None),
        inverted(ends, 0.5),
    )


def _adjusted(tested: list[Slice]) -> tuple[Slice, ...]:
    found = holm(np.array([one.p_value for one in tested], dtype=float))
    return tuple(replace(one, p_value=float(p)) for one, p in zip(tested, found, strict=True))


def _surely(one: Slice) -> float:
    return one.simultaneous.low if one.simultaneous else 0.0
