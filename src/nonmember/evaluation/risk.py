"""What an attack means for people: how many flags are right, and who could be named.

A rate of true and of false positives says nothing before it is known how rare members are among
those an attacker asks about; this room says it for several such priors, and for records as they
are in the audit, without any.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from jaxtyping import Float

from nonmember.data.split import Split
from nonmember.errors import SpecError, UnresolvableError
from nonmember.evaluation.intervals import Interval, clopper_pearson
from nonmember.evaluation.roc import TprAtFpr, tied
from nonmember.types import Groups, Member, Scores

PRIORS = (0.5, 0.1, 0.01)
CONFIDENCES = (0.99, 0.9)
POPULATION = 1_000
ROUNDING = 1e-9  # relative: a p-value of 2 in 200 is one of 1 in 100

PValues = Float[np.ndarray, "n"]


@dataclass(frozen=True)
class Risk:
    """What the flags of an attack are worth where a share ``prior`` are members.

    ``ppv`` is the share of flagged records that are members; its lower end takes the lower end
    of the true-positive rate and the upper one of the false-positive rate. None where nobody
    was flagged. ``found`` and ``false`` are the members and the others that are flagged, on
    average, among ``population`` records.
    """

    prior: float
    ppv: Interval | None
    population: int
    found: Interval
    false: Interval

    def words(self) -> str:
        """One sentence with the conservative figure."""
        among = f"{self.prior:.3g} of {self.population:,} records being members"
        if self.ppv is None:
            return f"With {among}, nobody was flagged"
        return (
            f"With {among}, {self.found.value:.3g} members and {self.false.value:.3g} others are "
            f"flagged: {self.ppv.value:.1%} of the flags are right, and at least "
            f"{self.ppv.low:.1%} ({100 * self.ppv.level:.4g}% confidence)"
        )


@dataclass(frozen=True)
class Named:
    """How many records could be named as members so that ``confidence`` of the names are right.

    ``records`` are named of ``candidates``, ``members`` of them rightly.
    """

    confidence: float
    records: int
    members: int
    candidates: int


def ppv(prior: float, tpr: float, fpr: float) -> float | None:
    """The share of flagged records that are members; None where nobody is flagged.

    Raises:
        SpecError: the prior is not between 0 and 1.
    """
    _refuse_prior(prior)
    right, wrong = prior * tpr, (1 - prior) * fpr
    return right / (right + wrong) if right + wrong else None


def risks(
    rate: TprAtFpr, *, own: Sequence[float] = (), population: int = POPULATION
) -> tuple[Risk, ...]:
    """What one threshold's flags are worth, at each prior, the largest first.

    Args:
        rate: of the attack, at the threshold.
        own: priors beside 0.5, 0.1 and 0.01: the share of members where the attacker looks.
        population: records that the attacker asks about, members and others.

    Raises:
        SpecError: a prior is not between 0 and 1, or there is no population.
    """
    for prior in own:
        _refuse_prior(prior)
    if population < 1:
        raise SpecError(f"risk: population={population}; give the number of records, at least 1")
    return tuple(
        _at(prior, rate.tpr, rate.measured_fpr, population)
        for prior in sorted({*PRIORS, *own}, reverse=True)
    )


def p_values(scores: Scores, member: Member, group: Groups) -> PValues:
    """How unusual each record's score is among non-members of other groups: at most 1.

    Conformal p-values (Bates et al. 2023, arXiv:2104.08279): one more than the non-members that
    score at least as high, over one more than there are. A non-member is never compared with
    its own group; where groups hold several records, each counts by its share of records that
    score as high, so that 50 records of one person are no 50 non-members.

    Args:
        scores: larger = likelier member, none NaN.
        member: the truth; only non-members calibrate.
        group: whose the records are.

    Raises:
        DataError: only one side is present, or a group is on both.
        UnresolvableError: a score is NaN.
    """
    Split(member, group)  # refuses what cannot be one
    if np.isnan(scores).any():
        raise UnresolvableError(f"risk: {np.isnan(scores).sum()} scores are NaN; leave them out")
    place, others = tied(scores), np.flatnonzero(~member)
    _, unit = np.unique(group[others], return_inverse=True)
    share = 1 / np.bincount(unit)[unit]
    above = np.cumsum(np.bincount(place[others], weights=share, minlength=place.max() + 1))[place]
    above[others] -= share * _as_high(unit, place[others])
    rivals = unit.max() + 1 - ~member
    return (1 + np.maximum(above, 0)) / (rivals + 1)


def q_values(p: PValues) -> PValues:
    """The false discovery rate at which each would be named (Benjamini and Hochberg 1995)."""
    order = np.argsort(-p, kind="stable")
    steps = p[order] * len(p) / np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[order] = np.minimum(1.0, np.minimum.accumulate(steps))
    return found


def named(
    scores: Scores, member: Member, group: Groups, *, confidence: float = CONFIDENCES[0]
) -> Named:
    """How many of these candidates an attacker could name, so many of the names being right.

    Those whose q-value is at most 1 - ``confidence``, of all candidates: of the names at most
    that share are wrong on average, at the audit's mix of members and others. Where members are
    rarer fewer can be named.

    Args:
        scores: larger = likelier member, none NaN.
        member: the truth.
        group: whose the records are.
        confidence: share of right names, such as 0.99.

    Raises:
        DataError: only one side is present, or a group is on both.
        SpecError: the confidence is not between 0 and 1.
        UnresolvableError: a score is NaN, or no scores whatever could name anybody, as p-values
            of so few non-members are never small enough; the message says how many are.
    """
    if not 0 < confidence < 1:
        raise SpecError(f"risk: confidence={confidence}; give a share between 0 and 1, such as .99")
    wrong = (1 - confidence) * (1 + ROUNDING)
    found = q_values(p_values(scores, member, group)) <= wrong
    _refuse_too_few(member, group, confidence, wrong)
    return Named(confidence, int(found.sum()), int((found & member).sum()), len(scores))


def names(scores: Scores, member: Member, group: Groups) -> tuple[tuple[Named, ...], str | None]:
    """How many could be named with each of ``CONFIDENCES``, and why not with another."""
    found, why = list[Named](), None
    for confidence in CONFIDENCES:
        try:
            found.append(named(scores, member, group, confidence=confidence))
        except UnresolvableError as error:
            why = why or str(error)
    return tuple(found), why


def at_once(rate: TprAtFpr, worth: int) -> TprAtFpr:
    """The rates of one threshold with the intervals that hold for all claims of an audit.

    Args:
        rate: with its own, and the simultaneous one of its true-positive rate.
        worth: how many independent non-members there are.
    """
    alarms, level = round(rate.measured_fpr.value * rate.non_members), rate.simultaneous.level
    measured = clopper_pearson(alarms, rate.non_members, worth=worth, level=level)
    return replace(rate, tpr=rate.simultaneous, measured_fpr=measured)


def _at(prior: float, tpr: Interval, fpr: Interval, population: int) -> Risk:
    value = ppv(prior, tpr.value, fpr.value)
    low, high = ppv(prior, tpr.low, fpr.high), ppv(prior, tpr.high, fpr.low)
    right = None
    if value is not None and low is not None and high is not None:
        right = Interval(low, value, high, tpr.level)
    return Risk(
        prior,
        right,
        population,
        _times(tpr, prior * population),
        _times(fpr, (1 - prior) * population),
    )


def _times(share: Interval, size: float) -> Interval:
    return Interval(share.low * size, share.value * size, share.high * size, share.level)


def _refuse_prior(prior: float) -> None:
    if not 0 < prior < 1:
        raise SpecError(
            f"risk: prior={prior} is no share of members; give one between 0 and 1, such as 0.1"
        )


def _as_high(unit: Groups, place: Groups) -> Groups:
    """How many records of its own group score at least as high as each, itself included."""
    width = int(place.max()) + 1
    keys = unit * width + place
    ranked = np.sort(keys)
    return np.searchsorted(ranked, keys, "right") - np.searchsorted(ranked, unit * width)


def _refuse_too_few(member: Member, group: Groups, confidence: float, wrong: float) -> None:
    """By the p-values of scores that tell every member."""
    ideal = np.where(member, len(member), np.arange(len(member))).astype(float)
    if q_values(p_values(ideal, member, group)).min() <= wrong:
        return
    members, others = int(member.sum()), len(np.unique(group[~member]))
    either = ceil(2 / wrong - 1 - ROUNDING)
    needed = f"{either} members and {either} non-members"
    if members >= either:
        needed = f"{ceil(members * (1 - wrong) / (members * wrong - 1))} independent non-members"
    raise UnresolvableError(
        f"risk: {others} independent non-members and {members} members cannot name anybody with "
        f"{confidence:.4g} confidence, however well an attack tells them apart; use at least "
        f"{needed}"
    )
