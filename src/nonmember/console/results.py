"""What an audit found."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Column, Table

from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.console import beside, figures
from nonmember.console.streams import escape, out
from nonmember.evaluation.checks import Finding
from nonmember.report import roles, words
from nonmember.report.study import study

DRAWN = ("curve", "histogram")
"""What of an attack is there to be drawn; ``results.json`` has it."""


def shown(found: Results) -> None:
    """What every target's attacks found, the sentence that sums it up, and all side by side."""
    for target in found.targets:
        out.print()
        out.print(f"[bold]{escape(target.name)}[/]: {escape(target.description)}", highlight=False)
        out.print(_table(target))
        for line in _of_roles(target):
            out.print(escape(line), highlight=False)
        out.print(f"[bold]{escape(target.verdict)}[/]", highlight=False)
        worth = *_utility(target), *_correct(target), *_left_apart(target), *_transferred(target)
        for line in (*_together(target), *worth):
            out.print(escape(line), highlight=False)
        again = target.redraws
        out.print(
            f"Membership drawn anew {again.times} times: {again.alarms} false alarms, "
            f"{again.withheld} verdicts withheld.",
            highlight=False,
        )
        for line in _told((*found.findings, *target.findings)):
            out.print(escape(line), highlight=False)
    together = study(found)
    if together is not None:
        out.print("\n[bold]Side by side[/]")
        out.print(beside.table(together))
        for line in together.follows:
            out.print(escape(line.replace("\N{MINUS SIGN}", "-")), highlight=False)
    if found.differences:
        out.print("\n[bold]Differences[/]")
        out.print(beside.differences(found.differences))


def _utility(target: TargetResult) -> list[str]:
    """What the model is worth on texts that it never saw; one line, if it is known."""
    known = target.utility
    if known is None:
        return []
    loss, changed = figures.perplexity(words.perplexity(known.loss)), ""
    if known.loss_change:
        change = figures.change(known.loss_change)
        changed = f", loss {change} nats per token against {known.against}"
    return [
        f"On {known.records} texts never seen: perplexity {loss}, accuracy "
        f"{figures.share(known.accuracy)}{changed}."
    ]


def _correct(target: TargetResult) -> list[str]:
    """What a classifier is worth on inputs that it never saw; one line, if it is known."""
    known = target.classifier
    if known is None:
        return []
    return [
        f"On {known.records} inputs never seen: accuracy {figures.share(known.accuracy)}, on the "
        f"members {figures.share(known.accuracy_on_members)}; cross-entropy "
        f"{figures.digits(known.loss)} nats, calibration error "
        f"{figures.digits(known.calibration_error)}."
    ]


def _left_apart(target: TargetResult) -> list[str]:
    """What the interval of s1 leaves between members and others; one line, where there is one."""
    if target.guard is None or target.guard.apart is None:
        return []
    found, (inside, outside) = target.guard.apart, target.guard.counts
    return [
        f"The interval leaves the confidence of {inside} members and {outside} non-members "
        f"{figures.digits(found.untouched)} apart ({found.measure}); "
        f"{found.fitted:.3f} of the {found.fitted_by[0]} and {found.fitted_by[1]} that chose it."
    ]


def _transferred(target: TargetResult) -> list[str]:
    """What a fine-tuned model is worth in its task, and what its like give away on average."""
    lines, known, turned = [], target.downstream, target.in_turn
    if known is not None:
        lines.append(
            f"On {known.examples} downstream examples never seen: accuracy "
            f"{figures.share(known.accuracy)}, cross-entropy {figures.digits(known.loss)} nats, "
            f"calibration error {figures.digits(known.calibration_error)}."
        )
    if turned is not None:
        above = turned.parents
        lines.append(
            f"Each of {turned.models} references in turn: {turned.attack} mean AUC "
            f"{figures.digits(turned.auc)}, placebo {figures.digits(turned.placebo)}"
            + (f"; LiRA on their parents {figures.digits(above)}." if above else ".")
        )
    return lines


def _of_roles(target: TargetResult) -> list[str]:
    """For each role, its members and the attack that is surest of them; a line each."""
    return [
        f"{role} {one.members}: {one.attack} AUC {figures.digits(one.simultaneous)}"
        for role, one in roles.bests(target).items()
    ]


def _told(findings: Sequence[Finding]) -> list[str]:
    """The findings, a line each; attacks that did not run for one reason in one line."""
    lines, left_out = [], dict[str, list[str]]()
    for finding in findings:
        name, said, why = finding.message.partition(" did not run: ")
        if said:
            left_out.setdefault(why, []).append(name)
        else:
            lines.append(f"{finding.code} {finding.severity}: {finding.message}")
    return lines + [
        f"E108 note: {', '.join(names)} did not run: {why}" for why, names in left_out.items()
    ]


def _together(target: TargetResult) -> list[str]:
    """What the records show as a set, and persons with several; a line each."""
    lines = []
    if target.as_a_set is not None:
        found, concluded = target.as_a_set.found, target.as_a_set.trained_on
        said = {True: "trained on", False: "not shown to be trained on", None: "nothing follows"}
        lines.append(f"The members as a set: {words.p_value(found.p)}, {said[concluded]}.")
    if target.persons is not None:
        auc, counts = target.persons.auc, f"{target.persons.members}+{target.persons.non_members}"
        lines.append(f"Persons by {target.persons.attack}: AUC {words.auc(auc)}, n {counts}.")
    return lines


def _table(target: TargetResult) -> Table:
    rates = sorted({tpr.fpr for attack in target.attacks for tpr in attack.tpr})
    table = Table(
        Column("attack", no_wrap=True),
        "access",
        Column("queries", justify="right"),
        "AUC",
        *(f"TPR at FPR {rate:g}" for rate in rates),
        "n",
        box=box.SIMPLE,
    )
    for attack in sorted(target.attacks, key=lambda a: -a.auc.value):
        found = {tpr.fpr: escape(figures.share(tpr.tpr)) for tpr in attack.tpr}
        table.add_row(
            escape(attack.name),
            _seen(attack),
            str(attack.queries),
            escape(figures.digits(attack.simultaneous)),
            *(found.get(rate, "-") for rate in rates),
            f"{attack.members}+{attack.non_members}",
        )
    return table


def _seen(attack: AttackResult) -> str:
    """Whose answers an attack has, and how much of them."""
    if attack.of_parent:
        return words.PARENTS
    return words.BLIND if attack.blind else attack.access


def audited(found: Results, run: Path, *, complete: bool) -> dict[str, Any]:
    """Where a run and its page are, whether all of it ran, and its results without the curves."""
    targets = [
        {**_fields(one), "attacks": [_fields(attack) for attack in one.attacks]}
        for one in found.targets
    ]
    results = {**_fields(found), "targets": targets}
    return {"run": run, "page": run / "report.html", "complete": complete, "results": results}


def _fields(value: Any) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value) if one.name not in DRAWN}
