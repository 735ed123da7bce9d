"""What became of conditions: passed, failed, not judged, or without evidence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from nonmember.audit.counterparts import on_model
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import RunError, SpecError, UnresolvableError, unknown
from nonmember.report import words
from nonmember.report.gate.conditions import SHOWN, Condition
from nonmember.report.gate.figures import (
    FIGURES,
    LOW,
    VALUE,
    OfAttack,
    OfTarget,
    Reading,
    errors,
    known,
    lost,
)

State = Literal["passed", "failed", "invalid", "unjudged"]
STATUS: dict[State, int] = {"failed": 1, "invalid": 3, "unjudged": 2, "passed": 0}
# what XML 1.0 has no way of writing, not even as a reference
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
NAME, TEXT = 80, 500  # characters of a foreign name, and of a sentence, in a line


@dataclass(frozen=True)
class Outcome:
    """One condition on one target, and the one sentence that says why it came out so.

    ``reading`` is the figure that it was judged by, None where there was none to judge.
    """

    condition: Condition
    target: str
    state: State
    why: str
    reading: Reading | None = None

    def line(self) -> str:
        """State, target, condition, reason: what a log keeps of it, on one line."""
        told = (self.target, NAME), (self.condition.text, TEXT), (self.why, TEXT)
        return ": ".join((self.state, *(one_line(text, limit) for text, limit in told)))


def one_line(text: str, limit: int) -> str:
    """Foreign text on one line, cut where it is long, with nothing in it that is not seen."""
    return UNWRITABLE.sub("", words.excerpt(" ".join(text.split()), limit))


def judge(conditions: Sequence[Condition], results: Results) -> tuple[Outcome, ...]:
    """Every condition on every target that it is about.

    Raises:
        SpecError: a condition names a target or an attack that the run does not have.
        RunError: the run has no target.
    """
    if not results.targets:
        raise RunError("gate: the run has no target, so nothing can pass; audit a model")
    return tuple(
        _outcome(condition, target, results)
        for condition in conditions
        for target in _chosen(condition, results)
    )


def status(outcomes: Sequence[Outcome]) -> int:
    """The exit status: 1 something failed, else 3 no evidence, else 2 not judged, else 0."""
    found = {one.state for one in outcomes}
    return next(code for state, code in STATUS.items() if state in found or state == "passed")


def _chosen(condition: Condition, results: Results) -> list[TargetResult]:
    """The targets that a condition is about; the attack that it names is known to one of them."""
    names = [target.name for target in results.targets]
    if condition.target is not None and condition.target not in names:
        near = unknown("target", condition.target[:SHOWN], names)
        raise SpecError(f"gate: {condition.text[:SHOWN]!r}: {near}")
    chosen = [one for one in results.targets if condition.target in (None, one.name)]
    attacks = {attack.name for target in chosen for attack in target.attacks}
    if condition.attack is not None and condition.attack not in attacks:
        near = unknown("attack in this run", condition.attack[:SHOWN], attacks)
        raise SpecError(f"gate: {condition.text[:SHOWN]!r}: {near}")
    return chosen


def _outcome(condition: Condition, target: TargetResult, results: Results) -> Outcome:
    serious = errors(target, results)
    if serious and condition.figure != "validity":
        why = f"not valid as evidence ({serious[0].code}: {serious[0].message})"
        return Outcome(condition, target.name, "invalid", why)
    try:
        reading = _decisive(condition, target, results)
    except UnresolvableError as missing:
        return Outcome(condition, target.name, "unjudged", str(missing))
    state: State = "failed" if condition.holds(reading.part(condition.part)) else "passed"
    return Outcome(condition, target.name, state, _told(condition, reading), reading)


def _decisive(condition: Condition, target: TargetResult, results: Results) -> Reading:
    """The figure, or that of the attack for which it is largest.

    Raises:
        UnresolvableError: it does not hold of what the audit has, but the audit lacks something.
    """
    missing, found = list[str](), list[Reading]()
    for one in _readings(condition, target, results):
        if isinstance(one, Reading) and known(one, condition.part):
            found.append(one)
        else:
            missing.append(one if isinstance(one, str) else f"{condition.part} is not known")
    largest = max(found, key=lambda one: one.part(condition.part), default=None)
    failed = largest is not None and condition.holds(largest.part(condition.part))
    if largest is None or (missing and not failed):
        raise UnresolvableError(missing[0] if missing else "no attack on the model gave a figure")
    return largest


def _readings(
    condition: Condition, target: TargetResult, results: Results
) -> Iterator[Reading | str]:
    """The figure of the target, or of each attack asked about; or why there is none."""
    figure = FIGURES[condition.figure]
    if not figure.of_attack:
        yield cast(OfTarget, figure.read)(target, results)
        return
    for attack in _attacks(condition, target):
        try:
            yield cast(OfAttack, figure.read)(attack, condition.fpr)
        except UnresolvableError as why:
            yield str(why)
    if condition.attack is None:
        yield from lost(target, results)


def _attacks(condition: Condition, target: TargetResult) -> list[AttackResult]:
    """The attack that is named, or all that may carry a verdict."""
    if condition.attack is None:
        return on_model(target)
    named = [one for one in target.attacks if one.name == condition.attack]
    if not named:
        raise UnresolvableError(f"{condition.attack} gave no figure of this target")
    return named


def _told(condition: Condition, reading: Reading) -> str:
    """The figure with its ends, as far as it has them."""
    value, low, high = (f"{one:.4g}" for one in (reading.value, reading.low, reading.high))
    parts = FIGURES[condition.figure].parts
    if parts == LOW:
        return reading.about  # which rounds a bound down
    return f"{value if parts == VALUE else f'{value} [{low}, {high}]'} ({reading.about})"
