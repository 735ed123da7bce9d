"""The sentence that sums up a target."""

from collections.abc import Sequence

from nonmember.audit.records import AttackResult


def verdict(
    attacks: Sequence[AttackResult], strongest: AttackResult, detectable: float
) -> tuple[bool | None, str]:
    """Whether the model leaks (None: cannot be said), and the sentence that says so."""
    tried = f"{len(attacks)} attacks"
    blind = [a for a in attacks if a.blind and a.simultaneous.low > 0.5]
    if blind:
        return None, (
            f"No verdict: {blind[0].name}, which never sees the model, already tells members from "
            f"non-members (AUC {_spread(blind[0])}); draw both sides from one pool and audit again."
        )
    if strongest.simultaneous.low > 0.5:
        return True, (
            f"This model reveals its training records: {strongest.name}, the strongest of {tried}, "
            f"ranks a member above a non-member with AUC {_spread(strongest)}{_found(strongest)}."
        )
    inverted = [a for a in attacks if not a.blind and a.simultaneous.high < 0.5]
    if inverted:
        return None, (
            f"No verdict: {inverted[0].name} ranks members below non-members "
            f"(AUC {_spread(inverted[0])}), which chance does not explain; see the findings."
        )
    return False, (
        f"No leak found by {tried} on {strongest.members} members and {strongest.non_members} "
        f"non-members; the strongest, {strongest.name}, has AUC {_spread(strongest)}. "
        f"A leak of AUC {detectable:.2f} or more would have been seen with 80 % probability; "
        "a smaller one might not."
    )


def _spread(attack: AttackResult) -> str:
    interval = attack.simultaneous
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _found(attack: AttackResult) -> str:
    telling = [found for found in attack.tpr if found.tpr.low > found.fpr]
    if not telling:
        return ""
    first = telling[0]
    return (
        f", and finds {first.tpr.value:.0%} [{first.tpr.low:.0%}, {first.tpr.high:.0%}] of members "
        f"at a false-positive rate of {first.fpr:.2g}"
    )
