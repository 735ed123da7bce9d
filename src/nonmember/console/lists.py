"""What there is to choose from: attacks, signals, defenses and rewriters."""

from inspect import signature
from itertools import groupby

from rich import box
from rich.markup import escape
from rich.table import Column, Table

from nonmember.attacks.registry import ATTACKS, Attack
from nonmember.audit.threat import access_of
from nonmember.audit.transfer.means import asks_parents
from nonmember.console.figures import ABSENT
from nonmember.console.streams import out
from nonmember.defenses.registry import DEFENSES
from nonmember.errors import NonmemberError
from nonmember.report import words
from nonmember.rewriting import every as _every  # noqa: F401  (fills the registry)
from nonmember.rewriting.registry import REWRITERS, Make
from nonmember.signals.catalogue import SIGNALS, access
from nonmember.signals.derive import DERIVED


def attacks() -> None:
    """Every attack of the registry."""
    table = Table(Column("attack", no_wrap=True), "access", "needs", "paper", box=box.SIMPLE)
    for _, family in groupby(_attack_rows(), key=lambda row: row[0].partition(".")[0]):
        for row in family:
            table.add_row(*row)
        table.add_section()
    out.print(table)
    for kind, wording in words.WORDING.items():
        seen = ", ".join(f"{name} = {what}" for name, what in wording.access.items())
        out.print(f"What an attacker sees of a {kind} model: {seen}.", highlight=False)


def attacks_markdown() -> str:
    """Every attack of the registry, as the table that the README shows."""
    rows = [("attack", "access", "needs", "paper"), ("---",) * 4]
    rows += [(f"`{key}`", seen, f"`{needs}`", paper) for key, seen, needs, paper in _attack_rows()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _attack_rows() -> list[tuple[str, str, str, str]]:
    return [
        (key, _access(attack), ", ".join(attack.needs), attack.paper)
        for key, attack in sorted(ATTACKS.items())
    ]


def _access(attack: Attack) -> str:
    if asks_parents(attack):
        return words.PARENTS
    others = tuple(one for one in ATTACKS.values() if one.family == attack.family)
    return words.BLIND if attack.family == "blind" else access_of(attack, others)


def signals() -> None:
    """Every signal of the catalogue, and what is derived from others."""
    table = Table("signal", "access", "from", box=box.SIMPLE)
    for signal in SIGNALS.values():
        for name, needed in signal.provides.items():
            table.add_row(name, needed, f"extractor {signal.name}")
    for name, function in DERIVED.items():
        needs = tuple(signature(function).parameters)
        table.add_row(name, access(needs), f"derived: {', '.join(needs)}")
    out.print(table)


def defenses() -> None:
    """Every defense of the registry."""
    table = Table(
        Column("defense", no_wrap=True), "of", "stage", "options", "paper", box=box.SIMPLE
    )
    for _, defense in sorted(DEFENSES.items()):
        options = words.settings(defense.options) or ABSENT
        table.add_row(
            defense.name, defense.family, defense.stage, escape(options), escape(defense.paper)
        )
    out.print(table)


def rewriters() -> None:
    """Every rewriter of the registry, and what leaves the machine when it works."""
    table = Table(Column("rewriter", no_wrap=True), "options", "leaves", box=box.SIMPLE)
    for name, make in sorted(REWRITERS.items()):
        table.add_row(name, escape(words.settings(make.options) or ABSENT), escape(_leaves(make)))
    out.print(table)


def _leaves(make: Make) -> str:
    """What a rewriter sends away, by its options or, where these do not say, by itself."""
    if "allow_upload" in make.options:
        return "what it rewrites, if allow_upload is set and its url is another machine's"
    try:
        place = make.make().sends_to
    except NonmemberError:
        return "not known until it is set up"
    return "nothing" if place is None else f"what it rewrites, to {place}"
