"""What is kept of an audit of the study of SOFT: who is exposed, and what the model is worth."""

from collections.abc import Sequence
from math import exp
from pathlib import Path
from typing import Any

from nonmember.audit.records import AttackResult, DefenseResult, Results, RoleResult, TargetResult
from nonmember.audit.worth import Utility
from nonmember.evaluation.intervals import Interval
from nonmember.report import roles

ADAPTIVE = roles.ADAPTIVE
FOLLOWED = ("reference_difference", "wbc", "rewritten", "mixture")
"""Attacks whose figures are kept for every role, beside that of the role's surest."""


def told(found: Results) -> dict[str, Any]:
    """What is kept of an audit."""
    return {
        "data": data(found),
        "level": found.level,
        "targets": {target.name: figures(target) for target in found.targets},
        "seconds by job": {
            label: job["seconds"] for label, job in found.provenance["jobs"].items()
        },
    }


def data(found: Results) -> dict[str, Any]:
    """What an audit's data were; of a file, its name alone."""
    return {**found.data, "source": Path(str(found.data["source"])).name}


def figures(target: TargetResult) -> dict[str, Any]:
    """What is kept of one target."""
    direct = [one for one in target.attacks if not one.blind and one.name not in ADAPTIVE]
    blind = [one for one in target.attacks if one.blind]
    return {
        "leaks": target.leaks,
        "best attack": shown(_surest([one for one in target.attacks if not one.blind])),
        "best direct attack": shown(_surest(direct)),
        "best blind attack": shown(_surest(blind)),
        "adaptive attacks": {
            one.name: shown(one) for one in target.attacks if one.name in ADAPTIVE
        },
        "auc": {one.name: ends(one.auc) for one in target.attacks},
        "roles": by_role(target),
        "utility": worth(target.utility),
        "loss": losses(target),
        "defenses": [_defense(one) for one in target.defenses],
        "findings": sorted({finding.code for finding in target.findings}),
    }


def _surest(attacks: Sequence[AttackResult]) -> AttackResult:
    """By the lower end of the interval that holds for all attacks, as the audit chooses."""
    return max(attacks, key=lambda one: (one.simultaneous.low, one.auc.value))


def shown(one: AttackResult | RoleResult) -> dict[str, Any]:
    """An attack's figures: its own interval, and the one that holds for all of the target."""
    return {
        "attack": one.name if isinstance(one, AttackResult) else one.attack,
        "members": one.members,
        "auc": ends(one.auc),
        "simultaneous": ends(one.simultaneous),
        **{f"tpr at {rate.fpr:.0%} fpr": ends(rate.tpr) for rate in one.tpr},
    }


def by_role(target: TargetResult) -> dict[str, Any]:
    """Of the members of each role, the surest attack and those that are followed."""
    return {
        role: {
            "members": best.members,
            "best attack": shown(best),
            **{
                one.attack: shown(one)
                for one in target.roles
                if one.role == role and one.attack in FOLLOWED
            },
        }
        for role, best in roles.bests(target).items()
    }


def worth(found: Utility | None) -> dict[str, Any] | None:
    """Utility on held-out texts, and its change against the same training undefended."""
    if found is None:
        return None
    change, accuracy = found.loss_change, found.accuracy_change
    return {
        "records": found.records,
        "perplexity": [round(exp(end), 3) for end in ends(found.loss)],
        "loss": ends(found.loss),
        "accuracy": ends(found.accuracy),
        "against": found.against,
        "loss change": ends(change) if change else None,
        "accuracy change": ends(accuracy) if accuracy else None,
    }


def losses(target: TargetResult) -> dict[str, Any]:
    """Mean losses of both sides, nats per token, under the target and under its base."""
    sides = {"target": target.fit, "base": target.base_fit}
    return {
        whose: {"members": ends(fit.members), "non-members": ends(fit.non_members)}
        for whose, fit in sides.items()
        if fit is not None
    }


def _defense(one: DefenseResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "options": dict(one.options),
        "records by role": dict(one.roles),
        "attempts": one.attempts,
        "rejected by gate": dict(one.rejected),
        "seconds": round(one.seconds, 1),
        "spent": one.spent and dict(one.spent),
    }


def ends(one: Interval) -> list[float]:
    """Low end, estimate, high end."""
    return [round(end, 4) for end in (one.low, one.value, one.high)]
