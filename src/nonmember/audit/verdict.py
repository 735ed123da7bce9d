"""The sentence that sums up a target."""

from collections.abc import Sequence

from nonmember.audit.figures import telling
from nonmember.audit.records import AttackResult
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import TprAtFpr


def strongest(attacks: Sequence[AttackResult]) -> AttackResult:
    """The attack on the model whose claim is surest.

    By the lower end of its interval, not by the estimate: that a few records reach by luck.
    """
    on_model = (one for one in attacks if not one.blind)
    return max(on_model, key=lambda one: (_sureness(one), one.simultaneous.low))


def points_at_members(attack: AttackResult) -> bool:
    """Whether its highest scores are members': not so of an inverted attack, or a silent one."""
    return _sureness(attack) > 0


def verdict(
    attacks: Sequence[AttackResult], best: AttackResult, detectable: float
) -> tuple[bool | None, str]:
    """Whether the model leaks (None: cannot be said), and the sentence that says so."""
    blind = [one for one in attacks if one.blind and one.auc.excludes(0.5)]
    if blind:
        return None, (
            f"No verdict: {blind[0].name}, which never sees the model, already tells members from "
            f"non-members (AUC {_spread(blind[0].auc)}); draw both sides from one pool and audit "
            "again."
        )
    found = [one for one in attacks if not one.blind and telling(one.simultaneous, one.tpr)]
    tried = f"{len(attacks)} attacks"
    if not found:
        return False, (
            f"No leak found by {tried} on {best.members} members and {best.non_members} "
            f"non-members; the strongest, {best.name}, has AUC {_spread(best.simultaneous)}. "
            f"A leak of AUC {detectable:.2f} or more would have been seen with 80 % probability; "
            "a smaller one might not."
        )
    return True, f"This model reveals its training records: {_claim(best, found[0], tried)}."


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


def _sureness(attack: AttackResult) -> float:
    tail = max((rate.simultaneous.low - rate.fpr for rate in attack.tpr), default=-1.0)
    return max(attack.simultaneous.low - 0.5, tail)


def _spread(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _rate(rate: TprAtFpr) -> str:
    found = rate.simultaneous
    return (
        f"finds {found.value:.0%} [{found.low:.0%}, {found.high:.0%}] of members at a "
        f"false-positive rate of {rate.fpr:.2g}"
    )
