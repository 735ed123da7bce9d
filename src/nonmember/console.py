"""What the terminal shows: progress while an audit works, and what it found."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table

from nonmember.attacks.registry import ATTACKS
from nonmember.audit import engine
from nonmember.audit.engine import Watch
from nonmember.audit.jobs import Job
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.threat import access_of
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.report import words
from nonmember.signals.catalogue import SIGNALS, access
from nonmember.signals.derive import DERIVED

PIPE_WIDTH = 120  # a pipe has no width of its own; the default of 80 would break the tables
out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out = Console(width=PIPE_WIDTH)


@contextmanager
def progress(pending: Sequence[Job]) -> Iterator[Watch]:
    """How much is to do, then a bar over it with the time that is left (none in a pipe)."""
    if pending:
        err.print(
            f"{len(pending)} jobs to do, about {duration(engine.seconds(pending))}.",
            highlight=False,
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=1.0)

        def watch(what: str, share: float) -> None:
            bar.update(task, description=escape(what), completed=share)

        yield watch


def plan(pending: Sequence[Job], done: Sequence[Job]) -> None:
    """The jobs of an audit, a line a job, and what those still to do will take."""
    table = Table("job", "tokens", "state", "address", box=box.SIMPLE)
    for state, jobs in (("in the store", done), ("to do", pending)):
        for job in jobs:
            table.add_row(escape(job.label), f"{job.tokens:,}", state, job.address)
    out.print(table)
    out.print(
        f"To do: about {duration(engine.seconds(pending))}, and some seconds to judge.",
        highlight=False,
    )


def duration(seconds: float) -> str:
    """A time in words."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def results(found: Results) -> None:
    """What every target's attacks found, and the sentence that sums it up."""
    for target in found.targets:
        out.print()
        out.print(f"[bold]{escape(target.name)}[/]: {escape(target.description)}", highlight=False)
        out.print(_table(target))
        out.print(f"[bold]{escape(target.verdict)}[/]", highlight=False)
        out.print(*_together(target), sep="\n", highlight=False)
        again = target.redraws
        out.print(
            f"Membership drawn anew {again.times} times: {again.alarms} false alarms, "
            f"{again.withheld} verdicts withheld.",
            highlight=False,
        )
        for line in _told((*found.findings, *target.findings)):
            out.print(escape(line), highlight=False)


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
        found = {tpr.fpr: share(tpr.tpr) for tpr in attack.tpr}
        table.add_row(
            attack.name,
            attack.access,
            str(attack.queries),
            _auc(attack),
            *(found.get(rate, "-") for rate in rates),
            f"{attack.members}+{attack.non_members}",
        )
    return table


def _auc(attack: AttackResult) -> str:
    interval = attack.simultaneous
    return escape(f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]")


def share(interval: Interval) -> str:
    """A proportion with its interval, in per cent."""
    return escape(f"{interval.value:.1%} [{interval.low:.1%}, {interval.high:.1%}]")


def attacks() -> None:
    """Every attack of the registry."""
    table = Table(Column("attack", no_wrap=True), "access", "needs", "paper", box=box.SIMPLE)
    for row in _attack_rows():
        table.add_row(*row)
    out.print(table)


def attacks_markdown() -> str:
    """Every attack of the registry, as the table that the README shows."""
    rows = [("attack", "access", "needs", "paper"), ("---",) * 4]
    rows += [(f"`{key}`", seen, f"`{needs}`", paper) for key, seen, needs, paper in _attack_rows()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _attack_rows() -> list[tuple[str, str, str, str]]:
    every = tuple(ATTACKS.values())
    return [
        (key, access_of(attack, every), ", ".join(attack.needs), attack.paper)
        for key, attack in sorted(ATTACKS.items())
    ]


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
