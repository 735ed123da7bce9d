"""The jobs of an audit: which there are, and how far they are."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from nonmember.audit import engine
from nonmember.audit.classifiers.jobs import Inquire, Teach
from nonmember.audit.engine import Crew, Watch
from nonmember.audit.jobs import Job, Protect
from nonmember.console.streams import err, escape, moving, out
from nonmember.report import words


@contextmanager
def progress(pending: Sequence[Job], crew: Crew | None = None) -> Iterator[Watch]:
    """How much is to do and which texts leave this machine, then a bar (none in a pipe).

    ``crew`` is who does it: this process, if not given.
    """
    if pending:
        err.print(
            f"{len(pending)} jobs to do, about {words.duration(engine.seconds(pending, crew))}.",
            highlight=False,
        )
    for place, most in _sending(pending).items():
        err.print(
            f"Up to {most:,} texts (records times attempts) go to {escape(place)}.",
            highlight=False,
            soft_wrap=True,
        )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=err, transient=True, disable=not moving(err)) as bar:
        task = bar.add_task("", total=1.0)

        def watch(what: str, share: float) -> None:
            bar.update(task, description=escape(what), completed=share)

        yield watch


def _sending(pending: Sequence[Job]) -> dict[str, int]:
    """How many texts are sent at most to be rewritten, by where."""
    found = Counter[str]()
    for job in pending:
        by = job.protection.rewriting if isinstance(job, Protect) else None
        if isinstance(job, Protect) and by is not None and by.rewriter.sends_to is not None:
            found[by.rewriter.sends_to] += len(job.encoded) * by.attempts
    return dict(found)


def plan(pending: Sequence[Job], done: Sequence[Job], crew: Crew | None = None) -> None:
    """The jobs of an audit, a line a job, and what those still to do will take."""
    of_classifiers = any(isinstance(job, Teach | Inquire) for job in (*done, *pending))
    work = words.WORDING["classifier" if of_classifiers else "language"].work
    table = Table("job", work, "state", "address", box=box.SIMPLE)
    for state, jobs in (("in the store", done), ("to do", pending)):
        for job in jobs:
            table.add_row(escape(job.label), f"{job.tokens:,}", state, job.address)
    out.print(table)
    out.print(
        f"To do: about {words.duration(engine.seconds(pending, crew))}, and some seconds to judge.",
        highlight=False,
    )


def planned(
    pending: Sequence[Job], done: Sequence[Job], crew: Crew | None = None
) -> dict[str, Any]:
    """The jobs of an audit, and how many seconds those still to do will take, about."""
    return {
        "to_do": [_job(job) for job in pending],
        "in_the_store": [_job(job) for job in done],
        "seconds": engine.seconds(pending, crew),
    }


def _job(job: Job) -> dict[str, Any]:
    return {"job": job.label, "size": job.tokens, "address": job.address}
