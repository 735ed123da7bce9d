"""The sentence that sums up a target."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nonmember.audit.records import AttackResult, RoleResult
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import TprAtFpr

Claim = AttackResult | RoleResult
C = TypeVar("C", bound=Claim)


@dataclass(frozen=True)
class Bars:
    """What stands against a verdict: against any, or only against one of no leak."""

    claims: tuple[Finding, ...] = ()
    silence: tuple[Finding, ...] = ()


NONE = Bars()


def strongest(attacks: Sequence[AttackResult]) -> AttackResult:
    """The attack on the model whose claim is surest.

    By the lower end of its interval, not by the estimate: that a few records reach by luck.
    """
    on_model = (one for one in attacks if not one.blind)
    return max(on_model, key=lambda one: (_sureness(one), one.simultaneous.low))


def points_at_members(attack: AttackResult) -> bool:
    """Whether its highest scores are members': not so of an inverted attack, or a silent one."""
    return _sureness(attack) > 0


def surest(claims: Iterable[C]) -> C | None:
    """The claim that is surest; it tells if any does.

    If none tells other than the wrong way round, the surest of those that do that.
    """
    every = [*claims]
    best = max(every, key=lambda one: (_sureness(one), one.simultaneous.low), default=None)
    inverted = [one for one in every if one.simultaneous.high < 0.5]
    if best is None or _sureness(best) > 0 or not inverted:
        return best
    return min(inverted, key=lambda one: one.simultaneous.high)


def tells(claim: Claim) -> bool:
    """Whether its simultaneous intervals exclude that the attack knows nothing."""
    return telling(claim.simultaneous, claim.tpr)


def telling(auc: Interval, rates: Sequence[TprAtFpr]) -> bool:
    """Whether simultaneous intervals exclude that the attack knows nothing."""
    return auc.excludes(0.5) or any(rate.simultaneous.low > rate.fpr for rate in rates)


def verdict(
    attacks: Sequence[AttackResult],
    detectable: float,
    *,
    lost: int = 0,
    whose: str = "its training records",
    bars: Bars = NONE,
) -> tuple[bool | None, str]:
    """Whether the model leaks (None: cannot be said), and the sentence that says so.

    Args:
        attacks: those that may carry a verdict, and those that never see the model.
        detectable: the smallest AUC that would have been seen.
        lost: members that a defense dropped for being exposed.
        whose: records, in words.
        bars: what stands against a verdict, beside attacks that never see the model.
    """
    blind = [one for one in attacks if one.blind and one.auc.excludes(0.5)]
    if blind:
        return None, _withheld(blind[0], lost)
    if bars.claims:
        return None, f"No verdict: {bars.claims[0].message}."
    if all(one.blind for one in attacks):
        return None, (
            f"No verdict: {_lost(lost)}, and no attack that compares with a reference, which "
            "could tell that choice from membership, gave a figure; run one, such as "
            "reference_difference, with --base."
        )
    best = strongest(attacks)
    found = [one for one in attacks if not one.blind and tells(one)]
    asked = sum(not one.blind for one in attacks)
    tried = f"{asked} attack{'s' if asked != 1 else ''}"
    if not found and bars.silence:
        return None, f"No verdict. No leak was found, but {bars.silence[0].message}."
    if not found:
        return False, (
            f"No leak found by {tried} on {best.members} members and {best.non_members} "
            f"non-members; the strongest, {best.name}, has AUC {_spread(best.simultaneous)}. "
            f"A leak of AUC {detectable:.2f} or more would have been seen with 80 % probability; "
            "a smaller one might not."
        )
    return True, f"This model reveals {whose}: {_claim(best, found[0], tried)}."


def _withheld(blind: AttackResult, lost: int) -> str:
    told = (
        f"No verdict: {blind.name}, which never sees the model, already tells members from "
        f"non-members (AUC {_spread(blind.auc)})"
    )
    if lost:
        return f"{told}, be it by how they were drawn or because {_lost(lost)}."
    return f"{told}; draw both sides from one pool and audit again."


def _lost(lost: int) -> str:
    return (
        f"{lost} members were dropped for being exposed and those left differ from the "
        "non-members by that choice"
    )


def _claim(best: AttackResult, first: AttackResult, tried: str) -> str:
    rates = [rate for rate in best.tpr if rate.simultaneous.low > rate.fpr]
    if best.simultaneous.low > 0.5:
        caught = f", and {_rate(rates[0])}" if rates else ""
        return (
            f"{best.name}, the strongest of {tried}, ranks a member above a non-member with AUC "
            f"{_spread(best.simultaneous)}{caught}"
        )
    if rates:
        return (
            f"{best.name}, the strongest of {tried}, {_rate(rates[0])}, though its AUC is only "
            f"{_spread(best.simultaneous)}"
        )
    return (
        f"{first.name}, one of {tried}, ranks members below non-members with AUC "
        f"{_spread(first.simultaneous)}, which chance does not explain; an inverted leak is a "
        "leak, or an assumption behind the attack is wrong here"
    )


def _sureness(claim: Claim) -> float:
    tail = max((rate.simultaneous.low - rate.fpr for rate in claim.tpr), default=-1.0)
    return max(claim.simultaneous.low - 0.5, tail)


def _spread(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _rate(rate: TprAtFpr) -> str:
    found = rate.simultaneous
    return (
        f"finds {found.value:.0%} [{found.low:.0%}, {found.high:.0%}] of members at a "
        f"false-positive rate of {rate.fpr:.2g}"
    )
