"""What every command that audits does with its spec."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import typer


def audit(
    spec: Any,
    output: Path,
    store: Path | None,
    *,
    dry_run: bool,
    engine: Any = None,
    more: Callable[..., Any] | None = None,
) -> None:
    """Audit, show what was found, and say with the exit status whether all of it ran.

    ``more`` is what does it, where it does more than to audit.
    """
    if not _audited(spec, output, store, dry_run=dry_run, engine=engine, more=more):
        raise typer.Exit(1)


def one_by_one(
    studies: Mapping[str, Any], output: Path, store: Path | None, *, dry_run: bool
) -> None:
    """Audit after audit, each in a folder of its own by its name, and an index of all pages.

    The index is written anew after each of them, so that an interruption leaves one.
    """
    from nonmember.verbs import studies as several

    several.check(output, studies)
    complete = []
    for number, (name, spec) in enumerate(studies.items(), start=1):
        typer.echo(f"\nStudy {number} of {len(studies)}, {name}: {spec.title}")
        complete.append(_audited(spec, output / name, store, dry_run=dry_run))
        if not dry_run:
            several.write_index(output, studies)
    if not dry_run:
        typer.echo(f"All studies: {output / several.INDEX}")
    if not all(complete):
        raise typer.Exit(1)


def _audited(
    spec: Any,
    output: Path,
    store: Path | None,
    *,
    dry_run: bool,
    engine: Any = None,
    more: Callable[..., Any] | None = None,
) -> bool:
    """Whether all that was to run did."""
    from nonmember import console, verbs

    crew = engine.crew() if engine else None
    if dry_run:
        console.plan(*verbs.dry_run(spec, store=store), crew=crew)
        return True
    observe = partial(console.progress, crew=crew)
    do = more or verbs.audit_spec
    found = do(spec, output, store=store, observe=observe, engine=engine)
    console.results(found)
    typer.echo(f"\nThe page: {output / 'report.html'}")
    return not verbs.incomplete(found)
