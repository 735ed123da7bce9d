"""Whose records were trained on: from scores of records to a verdict on persons."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import trim_mean

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import auc, bootstrap
from nonmember.types import Groups, Member, Scores

FEWEST_PERSONS = 10
TRIMMED = 0.2
PRIOR = 4.0  # records that the common variance counts for beside a person's own
STEEPEST = 0.5  # a mean's spread falls with the root of its records, a t statistic's rises so

Aggregate = Literal["mean", "trimmed", "max", "t"]
Parts = Sequence[Float[np.ndarray, "_"]]
Sizes = Int[np.ndarray, "p"]
PerPerson = Float[np.ndarray, "p"]


@dataclass(frozen=True)
class Persons:
    """How well persons who were trained on are told from others; no record counts by itself.

    ``scores`` are those of the persons ``ids``, by standing among non-members of their size,
    larger = likelier member. ``left_out`` records had no score, ``unscored`` persons none at all.
    """

    auc: Interval
    aggregate: Aggregate
    members: int
    non_members: int
    records: int
    left_out: int
    unscored: int
    ids: tuple[int, ...]
    scores: tuple[float, ...]


def persons(
    scores: Scores,
    member: Member,
    group: Groups,
    *,
    aggregate: Aggregate = "mean",
    level: float = 0.95,
    times: int = 2000,
    seed: int = 0,
) -> Persons:
    """Kandpal et al. 2024 (arXiv:2310.09266): the AUC over persons, one score each.

    A person's score is the mean, the mean without the outer fifths, the largest, or the
    moderated t statistic of its records' scores. It is standardised for how many they are by
    two lines through the non-members, of its level and its log spread against log size: the
    mean of few records strays further, and the largest of many is larger, member or not. The
    interval resamples persons and takes these lines as given.

    Args:
        scores: one per record, larger = likelier member; NaN is left out.
        member: whether the record's person was trained on; the same for all of a person's.
        group: the person of each record.
        aggregate: how records become a person.
        level: of the interval.
        times: bootstrap samples of persons.
        seed: of the bootstrap.

    Raises:
        DataError: a person has records on both sides.
        UnresolvableError: fewer than 10 persons on a side have a score.
    """
    kept = ~np.isnan(scores)
    ids, person = np.unique(group[kept], return_inverse=True)
    trained = _sides(person, member[kept], ids)
    _refuse_few(trained)
    parts = _parts(scores[kept].astype(float), person)
    sizes = np.bincount(person)
    score = _standardised(_aggregated(parts, trained, aggregate), sizes, trained)
    replicates = bootstrap(score, trained, np.arange(len(ids)), times=times, seed=seed)
    return Persons(
        auc=auc(score, trained, replicates, level=level),
        aggregate=aggregate,
        members=int(trained.sum()),
        non_members=int((~trained).sum()),
        records=int(kept.sum()),
        left_out=int((~kept).sum()),
        unscored=len(np.unique(group)) - len(ids),
        ids=tuple(ids.tolist()),
        scores=tuple(score.tolist()),
    )


def _sides(person: Groups, member: Member, ids: Int[np.ndarray, "p"]) -> Bool[np.ndarray, "p"]:
    """Whether each person is a member."""
    trained = np.bincount(person[member], minlength=len(ids))
    mixed = np.flatnonzero((trained > 0) & (trained < np.bincount(person, minlength=len(ids))))
    if len(mixed):
        raise DataError(
            f"persons: person {ids[mixed[0]]} has member and non-member records; a person must be "
            "on one side with all of them"
        )
    return trained > 0


def _refuse_few(trained: Bool[np.ndarray, "p"]) -> None:
    if min(trained.sum(), (~trained).sum()) < FEWEST_PERSONS:
        raise UnresolvableError(
            f"persons: {trained.sum()} members and {(~trained).sum()} non-members with a score "
            f"carry no figure; give at least {FEWEST_PERSONS} persons of each"
        )


def _parts(scores: Scores, person: Groups) -> Parts:
    """The scores of each person."""
    order = np.argsort(person, kind="stable")
    return np.split(scores[order], np.cumsum(np.bincount(person))[:-1])


def _aggregated(parts: Parts, trained: Bool[np.ndarray, "p"], aggregate: Aggregate) -> PerPerson:
    others = [part for part, own in zip(parts, trained, strict=True) if not own]
    if aggregate == "t":
        return _moderated(parts, others)
    reduce: dict[str, Callable[[np.ndarray], Any]] = {
        "mean": np.mean,
        "trimmed": lambda part: trim_mean(part, TRIMMED),
        "max": np.max,
    }
    return np.array([reduce[aggregate](part) for part in parts], dtype=float)


def _moderated(parts: Parts, others: Parts) -> PerPerson:
    """Each mean less the non-members', over its standard error, which borrows from theirs.

    A variance of one or two records is worth little, so the common one stands in as if it
    came from ``PRIOR`` more (Smyth 2004).
    """
    spare = sum(len(part) - 1 for part in others)
    pooled = np.concatenate(others)
    common = sum(_squares(part) for part in others) / spare if spare else pooled.var()
    found = []
    for part in parts:
        variance = (PRIOR * common + _squares(part)) / (PRIOR + len(part) - 1)
        error = np.sqrt(max(variance, np.finfo(float).tiny) / len(part))
        found.append((part.mean() - pooled.mean()) / error)
    return np.array(found)


def _squares(part: Float[np.ndarray, "_"]) -> float:
    return float(np.square(part - part.mean()).sum())


def _standardised(raw: PerPerson, sizes: Sizes, trained: Bool[np.ndarray, "p"]) -> PerPerson:
    """Where each person stands among non-members of its size; no unit."""
    log_size = np.log(sizes)
    seen = log_size[~trained]
    place = np.clip(log_size, seen.min(), seen.max()) - seen.mean()  # no line beyond its data
    away = raw - raw[~trained].mean()
    away = away - _slope(place[~trained], away[~trained]) * place
    strayed = np.abs(away[~trained])
    seen_to_stray = strayed > 0
    steep = _slope(place[~trained][seen_to_stray], np.log(strayed[seen_to_stray]))
    return away / np.exp(np.clip(steep, -STEEPEST, STEEPEST) * place)


def _slope(x: Float[np.ndarray, "o"], y: Float[np.ndarray, "o"]) -> float:
    """Least squares; 0 where x does not vary."""
    spread = float(np.square(x - x.mean()).sum()) if len(x) else 0.0
    return float(((x - x.mean()) * y).sum() / spread) if spread > 0 else 0.0
