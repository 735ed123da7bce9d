"""A study on one line per target: how it was defended, what attacks find, what it is worth."""

from collections.abc import Sequence
from dataclasses import dataclass

from nonmember.audit.records import AttackResult, Results, RoleResult, TargetResult
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import TprAtFpr
from nonmember.report import conclusions, defended, roles, words


@dataclass(frozen=True)
class Line:
    """One target beside the others; None where there is nothing to say."""

    target: TargetResult
    defended: str
    state: str
    strongest: AttackResult | None
    rate: TprAtFpr | None
    raw: RoleResult | None
    rewritten: RoleResult | None
    perplexity: Interval | None


@dataclass(frozen=True)
class Study:
    """The targets of a run side by side, and which columns have anything in them.

    ``guarded`` is what takes their place where classifiers are defended, ``follows`` what is
    concluded from it.
    """

    lines: tuple[Line, ...]
    fpr: float | None
    by_role: bool
    useful: bool
    changes: bool
    correct: bool
    downstream: bool
    guarded: defended.Table | None = None
    follows: tuple[str, ...] = ()


def tpr_at(attack: AttackResult | RoleResult, fpr: float | None) -> TprAtFpr | None:
    """The true-positive rate of ``attack`` at ``fpr``; None if the sample cannot carry one."""
    return next((point for point in attack.tpr if point.fpr == fpr), None)


def line(target: TargetResult, fpr: float | None) -> Line:
    """What is said of ``target`` beside the others."""
    strongest = next((one for one in target.attacks if one.name == target.strongest), None)
    return Line(
        target=target,
        defended=target.downstream.setting
        if target.downstream
        else words.defended(target.defenses),
        state=words.STATES[target.leaks],
        strongest=strongest,
        rate=tpr_at(strongest, fpr) if strongest else None,
        raw=roles.best(target, "raw"),
        rewritten=roles.best(target, "rewritten"),
        perplexity=words.perplexity(target.utility.loss) if target.utility else None,
    )


def study(results: Results) -> Study | None:
    """The targets side by side; None if there is nothing to compare.

    A defended classifier is compared with itself: what scores tell, and what labels alone tell.
    """
    guarded = defended.table(results)
    if len(results.targets) < 2 and guarded is None:
        return None
    fpr = _first_fpr(results.targets)
    lines = tuple(line(target, fpr) for target in results.targets)
    utilities = [target.utility for target in results.targets if target.utility]
    return Study(
        lines=lines,
        fpr=fpr,
        by_role=any(one.raw or one.rewritten for one in lines),
        useful=bool(utilities),
        changes=any(utility.loss_change for utility in utilities),
        correct=any(target.classifier for target in results.targets),
        downstream=any(target.downstream for target in results.targets),
        guarded=guarded,
        follows=tuple(conclusions.sentences(guarded, results)) if guarded else (),
    )


def _first_fpr(targets: Sequence[TargetResult]) -> float | None:
    """The rate that was asked for first, as far as the sample carries it."""
    attacks = (attack for target in targets for attack in target.attacks)
    return next((point.fpr for attack in attacks for point in attack.tpr), None)
