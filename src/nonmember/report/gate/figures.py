"""The figures that a condition may name, and how each is read off a target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isclose, isfinite, nan
from typing import Literal

from nonmember.audit import validity
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import UnresolvableError
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.intervals import Interval
from nonmember.report import classifiers

Part = Literal["value", "ci_low", "ci_high"]
ALL: tuple[Part, ...] = ("value", "ci_low", "ci_high")
LOW: tuple[Part, ...] = ("ci_low",)
VALUE: tuple[Part, ...] = ("value",)


@dataclass(frozen=True)
class Reading:
    """A figure as the audit has it; NaN where it has no such part.

    ``about`` says whose it is and of what kind its interval is.
    """

    low: float
    value: float
    high: float
    about: str = ""

    def part(self, name: Part) -> float:
        """That end of it, or the estimate."""
        return {"value": self.value, "ci_low": self.low, "ci_high": self.high}[name]


OfTarget = Callable[[TargetResult, Results], Reading]
OfAttack = Callable[[AttackResult, float], Reading]


@dataclass(frozen=True)
class Figure:
    """One figure: from ``least`` to ``most``, and which parts it has, the usual one first."""

    least: float
    most: float
    parts: tuple[Part, ...]
    read: OfTarget | OfAttack
    of_attack: bool = False


def errors(target: TargetResult, results: Results) -> tuple[Finding, ...]:
    """The findings for which nothing of this target is evidence."""
    return tuple(validity.invalidating(target, results))


def lost(target: TargetResult, results: Results) -> list[str]:
    """What was to attack and gave no figure: it might have been the largest."""
    every = (*results.findings, *target.findings)
    return [one.message for one in every if one.code == validity.INCOMPLETE]


def bound_of(target: TargetResult) -> Bound | None:
    """The lower bound of epsilon that counts: that of canaries, fixed beforehand, if there are any.

    If not, an exploratory one of the records themselves.
    """
    if target.canaries is not None:
        return target.canaries.bounds[0]
    return target.risk.bound if target.risk else None


def _interval(found: Interval, kind: str, whose: str = "") -> Reading:
    about = f"{whose}{100 * found.level:.4g} % interval, {kind}"
    return Reading(found.low, found.value, found.high, about)


def _auc(attack: AttackResult, _fpr: float) -> Reading:
    return _interval(attack.simultaneous, "all attacks at once", f"{attack.name}, ")


def _tpr(attack: AttackResult, fpr: float) -> Reading:
    found = next((one for one in attack.tpr if isclose(one.fpr, fpr)), None)
    if found is None:
        has = ", ".join(f"{one.fpr:g}" for one in attack.tpr) or "none"
        raise UnresolvableError(
            f"{attack.name} has no rate at fpr={fpr:g} (it has: {has}); audit with --fpr {fpr:g} "
            "and enough non-members"
        )
    return _interval(found.simultaneous, "all attacks at once", f"{attack.name}, ")


def _attack_accuracy(attack: AttackResult, _fpr: float) -> Reading:
    if attack.accuracy is None:
        raise UnresolvableError(f"{attack.name} has no accuracy in this audit")
    return _interval(attack.accuracy, "of this attack alone", f"{attack.name}, ")


def _gap(target: TargetResult, _results: Results) -> Reading:
    found = classifiers.gap(target)
    if found is None:
        raise UnresolvableError("no accuracy gap in this audit: only classifiers have one")
    return _interval(found, "members' accuracy less others'")


def _epsilon(target: TargetResult, _results: Results) -> Reading:
    bound = bound_of(target)
    if bound is None:
        raise UnresolvableError("no lower bound of epsilon in this audit")
    return Reading(bound.epsilon, nan, nan, str(bound))


def _claim_refuted(target: TargetResult, _results: Results) -> Reading:
    shown = target.canaries
    if shown is None or shown.claimed is None:
        raise UnresolvableError("no claim of privacy is held against canaries in this audit")
    claim = f"epsilon {shown.claimed.epsilon:g} is claimed by {shown.claimed.by}"
    return Reading(nan, float(shown.refuted), nan, f"{claim}; {shown.bounds[0]}")


def _worth(name: str) -> OfTarget:
    """What the model is worth in its own task, on records that it never saw."""

    def read(target: TargetResult, _results: Results) -> Reading:
        known = target.downstream or target.classifier or target.utility
        found = getattr(known, name, None)
        if not isinstance(found, Interval):
            raise UnresolvableError(f"no {name.replace('_', ' ')} of the model in this audit")
        return _interval(found, "on records never seen")

    return read


def _detectable(target: TargetResult, _results: Results) -> Reading:
    return Reading(nan, target.detectable_auc, nan, "seen with 80 % probability")


def _leaks(target: TargetResult, _results: Results) -> Reading:
    if target.leaks is None:
        raise UnresolvableError("the audit has no verdict")
    return Reading(nan, float(target.leaks), nan, "1 if the verdict is that it leaks")


def _validity(target: TargetResult, results: Results) -> Reading:
    codes = ", ".join(finding.code for finding in errors(target, results)) or "no error"
    return Reading(nan, float(not errors(target, results)), nan, codes)


FIGURES: Mapping[str, Figure] = {
    "auc": Figure(0.0, 1.0, ALL, _auc, of_attack=True),
    "tpr": Figure(0.0, 1.0, ALL, _tpr, of_attack=True),
    "attack_accuracy": Figure(0.0, 1.0, ALL, _attack_accuracy, of_attack=True),
    "gap": Figure(-1.0, 1.0, ALL, _gap),
    "epsilon": Figure(0.0, inf, LOW, _epsilon),
    "claim_refuted": Figure(0.0, 1.0, VALUE, _claim_refuted),
    "model_accuracy": Figure(0.0, 1.0, ALL, _worth("accuracy")),
    "model_loss": Figure(0.0, inf, ALL, _worth("loss")),
    "model_calibration_error": Figure(0.0, 1.0, ALL, _worth("calibration_error")),
    "detectable_auc": Figure(0.0, 1.0, VALUE, _detectable),
    "leaks": Figure(0.0, 1.0, VALUE, _leaks),
    "validity": Figure(0.0, 1.0, VALUE, _validity),
}
NAMES = tuple("tpr@fpr=RATE" if name == "tpr" else name for name in FIGURES)


def known(reading: Reading, part: Part) -> bool:
    """Whether that part is a number: an interval of one person's records has no ends."""
    return isfinite(reading.part(part))
