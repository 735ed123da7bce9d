"""What every command that audits does with its spec."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer

from nonmember.cli.emitted import emit, say

NOTHING: Mapping[str, Path] = MappingProxyType({})
INCOMPLETE, INVALID = 1, 3
"""Exit statuses of audits: an attack gave no figure; no figure of some target is evidence."""


def audit(
    spec: Any,
    output: Path,
    store: Path | None,
    *,
    dry_run: bool,
    json: bool = False,
    engine: Any = None,
    more: Callable[..., Any] | None = None,
    also: Mapping[str, Path] = NOTHING,
) -> None:
    """Audit, show what was found, and say with the exit status whether it is evidence.

    ``more`` is what does it, where it does more than to audit; ``also`` what that leaves, and
    where.
    """
    status, found = _audited(
        spec, output, store, dry_run=dry_run, json=json, engine=engine, more=more
    )
    left = NOTHING if dry_run else also
    if json:
        emit({**found, **left})
    for name, path in {} if json else left.items():
        say(f"The {name.replace('_', ' ')}: {path}")
    if status:
        raise typer.Exit(status)


def one_by_one(
    studies: Mapping[str, Any],
    output: Path,
    store: Path | None,
    *,
    dry_run: bool,
    json: bool = False,
) -> None:
    """Audit after audit, each in a folder of its own by its name, and an index of all pages.

    The index is written anew after each of them, so that an interruption leaves one.
    """
    from nonmember.verbs import studies as several

    several.check(output, studies)
    statuses, found = [], {}
    for number, (name, spec) in enumerate(studies.items(), start=1):
        said = f"Study {number} of {len(studies)}, {name}: {spec.title}"
        say("", err=json)
        say(said, err=json)
        status, found[name] = _audited(spec, output / name, store, dry_run=dry_run, json=json)
        statuses.append(status)
        if not dry_run:
            several.write_index(output, studies)
    where = NOTHING if dry_run else {"index": output / several.INDEX}
    if json:
        emit({"studies": found, **where})
    for path in () if json else where.values():
        say(f"All studies: {path}")
    if any(statuses):
        raise typer.Exit(min(status for status in statuses if status))


def _audited(
    spec: Any,
    output: Path,
    store: Path | None,
    *,
    dry_run: bool,
    json: bool,
    engine: Any = None,
    more: Callable[..., Any] | None = None,
) -> tuple[int, dict[str, Any]]:
    """The exit status, and what was found; shown as tables, unless as ``json``."""
    import nonmember as nm
    from nonmember.console import jobs, results
    from nonmember.verbs.audits import incomplete, invalid

    crew = engine.crew() if engine else None
    if dry_run:
        pending, done = nm.dry_run(spec, store=store)
        if not json:
            jobs.plan(pending, done, crew)
        return 0, jobs.planned(pending, done, crew)
    observe = partial(jobs.progress, crew=crew)
    found = (more or nm.audit_spec)(spec, output, store=store, observe=observe, engine=engine)
    status = INCOMPLETE if incomplete(found) else INVALID if invalid(found) else 0
    if not json:
        results.shown(found)
        say("")
        say(f"The page: {output / 'report.html'}")
    return status, results.audited(found, output, complete=status != INCOMPLETE)
