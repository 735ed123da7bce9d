"""What there is to choose from: attacks, signals, defenses and rewriters."""

from collections.abc import Callable, Mapping
from inspect import signature
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Column, Table

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit.threat import access_of
from nonmember.audit.transfer.means import asks_parents
from nonmember.console.figures import ABSENT
from nonmember.console.streams import escape, out
from nonmember.defenses import every as _every_defense  # noqa: F401  (these fill the registries)
from nonmember.defenses.registry import DEFENSES
from nonmember.errors import NonmemberError
from nonmember.report import words
from nonmember.rewriting import every as _every_rewriter  # noqa: F401
from nonmember.rewriting.registry import REWRITERS, Make
from nonmember.signals.catalogue import SIGNALS, access
from nonmember.signals.derive import DERIVED

Row = dict[str, Any]
"""What is told of one thing, by its column; a list is told item by item."""


def listed(what: str) -> None:
    """All of one kind, as a table with a line between families."""
    rows = LISTS[what]()
    heads = list(rows[0])
    table = Table(Column(heads[0], no_wrap=True), *heads[1:], box=box.SIMPLE)
    for _, family in groupby(rows, key=lambda row: _family(str(row[heads[0]]))):
        for row in family:
            table.add_row(*(escape(_cell(value)) for value in row.values()))
        table.add_section()
    out.print(table)
    if what == "attacks":
        _what_is_seen()


def _family(name: str) -> str:
    family, dot, _ = name.partition(".")
    return family if dot else ""


def _cell(value: str | tuple[str, ...] | Mapping[str, Any]) -> str:
    if isinstance(value, Mapping):
        return words.settings(value) or ABSENT
    return value if isinstance(value, str) else ", ".join(value)


def _what_is_seen() -> None:
    for kind, wording in words.WORDING.items():
        seen = ", ".join(f"{name} = {what}" for name, what in wording.access.items())
        out.print(f"What an attacker sees of a {kind} model: {seen}.", highlight=False)


def attacks_markdown() -> str:
    """Every attack of the registry, as the table that the README shows."""
    rows: list[tuple[str, ...]] = [("attack", "access", "needs", "paper"), ("---",) * 4]
    for row in _attacks():
        name, seen, needs, paper = (_cell(value) for value in row.values())
        rows.append((f"`{name}`", seen, f"`{needs}`", paper))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _attacks() -> list[Row]:
    """Every attack of the registry."""
    return [
        {
            "attack": key,
            "access": _access(attack),
            "needs": attack.needs,
            "paper": attack.paper,
        }
        for key, attack in sorted(ATTACKS.items())
    ]


def _access(attack: Attack) -> str:
    if asks_parents(attack):
        return words.PARENTS
    others = tuple(one for one in ATTACKS.values() if one.family == attack.family)
    return words.BLIND if attack.family == "blind" else access_of(attack, others)


def _signals() -> list[Row]:
    """Every signal of the catalogue, and what is derived from others."""
    rows = [
        {"signal": name, "access": needed, "from": f"extractor {signal.name}"}
        for signal in SIGNALS.values()
        for name, needed in signal.provides.items()
    ]
    for name, function in DERIVED.items():
        needs = tuple(signature(function).parameters)
        derived = f"derived: {', '.join(needs)}"
        rows.append({"signal": name, "access": access(needs), "from": derived})
    return rows


def _defenses() -> list[Row]:
    """Every defense of the registry."""
    return [
        {
            "defense": one.name,
            "of": one.family,
            "stage": one.stage,
            "options": one.options,
            "paper": one.paper,
        }
        for _, one in sorted(DEFENSES.items())
    ]


def _rewriters() -> list[Row]:
    """Every rewriter of the registry, and what leaves the machine when it works."""
    return [
        {"rewriter": name, "options": make.options, "leaves": _leaves(make)}
        for name, make in sorted(REWRITERS.items())
    ]


def _leaves(make: Make) -> str:
    """What a rewriter sends away, by its options or, where these do not say, by itself."""
    if "allow_upload" in make.options:
        return "what it rewrites, if allow_upload is set and its url is another machine's"
    try:
        place = make.make().sends_to
    except NonmemberError:
        return "not known until it is set up"
    return "nothing" if place is None else f"what it rewrites, to {place}"


LISTS: dict[str, Callable[[], list[Row]]] = {
    "attacks": _attacks,
    "signals": _signals,
    "defenses": _defenses,
    "rewriters": _rewriters,
}
