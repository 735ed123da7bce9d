"""Defended classifiers side by side: what scores tell, what labels alone tell, and the cost."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.evaluation.intervals import Interval
from nonmember.report import words

LABEL = "label"  # the access of an attack that reads nothing but predicted classes
GAP = "gap"
ABOUT_DIFFUSION = {"diffusion_error"}
"""Signals of the diffusion model itself, which say nothing of what the classifier answers."""


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
    asked = [one for one in target.attacks if not one.blind and not of_diffusion(one)]
    of_labels = [one for one in asked if one.access == LABEL]
    return Row(
        target=target,
        defended=words.defended(target.defenses),
        state=words.STATES[target.leaks],
        gap=next((one for one in asked if one.name == GAP), None),
        scores=strongest(one for one in asked if one.access != LABEL),
        labels=strongest(of_labels),
        guesser=_largest((one for one in asked if one.accuracy), lambda one: one.accuracy),
    )


def strongest(attacks: Iterable[AttackResult]) -> AttackResult | None:
    """That whose AUC is surest to be large: by the lower end of its simultaneous interval."""
    return _largest(attacks, lambda one: one.simultaneous)


def of_diffusion(attack: AttackResult) -> bool:
    """Whether it asks the diffusion model alone, whatever the classifier answers."""
    return bool(attack.needs) and ABOUT_DIFFUSION.issuperset(attack.needs)


def _largest(
    attacks: Iterable[AttackResult], figure: Callable[[AttackResult], Interval | None]
) -> AttackResult | None:
    def ends(one: AttackResult) -> tuple[float, float]:
        found = figure(one)
        return (found.low, found.value) if found else (0.0, 0.0)

    return max(attacks, key=ends, default=None)
