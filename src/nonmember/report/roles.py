"""What the attacks find of the records of each role: raw, rewritten, kept and dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nonmember.attacks.registry import ATTACKS
from nonmember.audit.defended.choosing import (
    Reason,
    by_exposure,
    looks_for_rewrites,
    reasons,
    referenced,
)
from nonmember.audit.records import ROLES, DefenseResult, Role, RoleResult, TargetResult
from nonmember.audit.verdict import surest, tells

WHAT: Mapping[Role, str] = {
    "raw": "trained on as they are",
    "rewritten": "only a rewrite was trained on",
    "kept": "trained on as they are, since no rewrite would do",
    "dropped": "not trained on",
}
CONCLUSION: Mapping[Role, str] = {
    "raw": "They stay exposed.",
    "rewritten": "They are told apart all the same.",
    "kept": "They stay exposed.",
}
WHY: Mapping[Reason, str] = {
    "exposed": "left out for being exposed",
    "rejected": "left out because no rewrite passed the gates",
    "copies": "left out as copies of others",
    "held back": "held back from the training",
    "other": "left out by a defense",
}
CHOICE = "This is the choice that shows, not what was learned."
SHOWS: Mapping[Reason, str] = {
    "exposed": CHOICE,
    "rejected": CHOICE,
    "copies": "What they are copies of was trained on, and that shows.",
    "held back": "They were not trained on, so this is not what was learned.",
    "other": "They were not trained on: it shows who was left out, or what is like them.",
}
ADAPTIVE = tuple(one.name for one in ATTACKS.values() if looks_for_rewrites(one.needs))
"""Attacks that look for a rewrite in the place of a record."""


@dataclass(frozen=True)
class Row:
    """One attack on the members of each role."""

    attack: str
    blind: bool
    adaptive: bool
    found: Mapping[Role, RoleResult]

    @property
    def surest(self) -> float:
        """The highest lower end of its intervals of AUC."""
        return max(one.simultaneous.low for one in self.found.values())


@dataclass(frozen=True)
class Table:
    """All attacks by role; ``members`` counts each role's, ``best`` is its surest attack.

    A role without ``best`` is judged by none: it was ``chosen``, given for how exposed records
    are, and no attack that ran compares with a reference.
    """

    members: Mapping[Role, int]
    best: Mapping[Role, RoleResult]
    rows: tuple[Row, ...]
    chosen: bool
    what: Mapping[Role, str]
    conclusion: Mapping[Role, str]

    @property
    def told_apart(self) -> tuple[Role, ...]:
        """The roles whose members any attack that counts tells from non-members."""
        return tuple(role for role, one in self.best.items() if tells(one))

    @property
    def adaptive(self) -> tuple[str, ...]:
        """The attacks that look for a rewrite too."""
        return tuple(row.attack for row in self.rows if row.adaptive)

    @property
    def blind(self) -> tuple[str, ...]:
        """The attacks that never see the model."""
        return tuple(row.attack for row in self.rows if row.blind)


def best(target: TargetResult, role: Role) -> RoleResult | None:
    """The attack on the model that is surest of the members of ``role``, as findings name it.

    Where the role was given for how exposed records are, of those that compare with a
    reference: the choice alone shows in the others.
    """
    chosen = by_exposure(target.defenses)
    able = {
        one.name
        for one in target.attacks
        if not one.blind and (referenced(one.needs) or not chosen)
    }
    return surest(one for one in target.roles if one.role == role and one.attack in able)


def bests(target: TargetResult) -> dict[Role, RoleResult]:
    """The surest attack on each role that has one, in the order of ``ROLES``."""
    found = {role: best(target, role) for role in ROLES}
    return {role: one for role, one in found.items() if one is not None}


def table(target: TargetResult) -> Table | None:
    """Every attack on every role, the one that is surest of any role first."""
    if not target.roles:
        return None
    blind = {attack.name for attack in target.attacks if attack.blind}
    adaptive = {one.name for one in target.attacks if looks_for_rewrites(one.needs)}
    grouped: dict[str, dict[Role, RoleResult]] = {}
    for one in target.roles:
        grouped.setdefault(one.attack, {})[one.role] = one
    rows = [Row(name, name in blind, name in adaptive, found) for name, found in grouped.items()]
    rows.sort(key=lambda row: (-row.surest, row.attack))
    counts = {
        role: max((one.members for one in target.roles if one.role == role), default=0)
        for role in ROLES
    }
    members = {role: count for role, count in counts.items() if count}
    chosen, (what, conclusion) = by_exposure(target.defenses), _worded(target.defenses)
    return Table(members, bests(target), tuple(rows), chosen, what, conclusion)


def _worded(defenses: Sequence[DefenseResult]) -> tuple[dict[Role, str], dict[Role, str]]:
    """What each role means, and what follows if it is told apart; of the dropped by the reasons."""
    why = reasons(defenses) or ("other",)
    what = ", or ".join(WHY[one] for one in why)
    shows = dict.fromkeys(SHOWS[one] for one in why)
    said = " Or: ".join(shows)
    return {**WHAT, "dropped": f"not trained on: {what}"}, {**CONCLUSION, "dropped": said}
