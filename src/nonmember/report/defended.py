"""Defended classifiers side by side: what scores tell, what labels alone tell, and the cost."""

from dataclasses import dataclass

from nonmember.audit.counterparts import LABEL, by_scores, on_model, surest
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.report import words

GAP = "gap"


@dataclass(frozen=True)
class Row:
    """One target; None where there is nothing to say.

    ``scores`` is the strongest attack that reads more than labels, ``labels`` the strongest of
    those that read nothing else, ``gap`` the least of these: right or wrong, asked once.
    ``guesser`` is the attack that tells most records right.
    """

    target: TargetResult
    defended: str
    state: str
    gap: AttackResult | None
    scores: AttackResult | None
    labels: AttackResult | None
    guesser: AttackResult | None


@dataclass(frozen=True)
class Table:
    """The targets of a run in their order, and which columns have anything in them."""

    rows: tuple[Row, ...]
    guarded: bool
    copies: bool
    brier: bool
    confidence: bool


def table(results: Results) -> Table | None:
    """The targets side by side; None where no classifier is defended."""
    guards = [target.guard for target in results.targets if target.guard]
    defended = guards or any(target.defenses for target in results.targets)
    if results.kind != "classifier" or not defended:
        return None
    known = [target.classifier for target in results.targets if target.classifier]
    return Table(
        tuple(map(row, results.targets)),
        guarded=bool(guards),
        copies=any(guard.kept for guard in guards),
        brier=any(utility.brier for utility in known),
        confidence=any(utility.confidence_auc for utility in known),
    )


def row(target: TargetResult) -> Row:
    """What is said of ``target`` beside the others."""
    asked = on_model(target)
    return Row(
        target=target,
        defended=words.defended(target.defenses),
        state=words.STATES[target.leaks],
        gap=next((one for one in asked if one.name == GAP), None),
        scores=by_scores(target),
        labels=surest(one for one in asked if one.access == LABEL),
        guesser=max((one for one in asked if one.accuracy), key=_right, default=None),
    )


def _right(attack: AttackResult) -> tuple[float, float]:
    """How surely it tells records right, and how many."""
    assert attack.accuracy is not None
    return attack.accuracy.low, attack.accuracy.value
