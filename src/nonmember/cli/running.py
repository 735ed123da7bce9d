"""What every command that audits does with its spec."""

from functools import partial
from pathlib import Path
from typing import Any

import typer


def audit(
    spec: Any, output: Path, store: Path | None, *, dry_run: bool, engine: Any = None
) -> None:
    """Audit, show what was found, and say with the exit status whether all of it ran."""
    from nonmember import console, verbs

    crew = engine.crew() if engine else None
    if dry_run:
        console.plan(*verbs.dry_run(spec, store=store), crew=crew)
        return
    observe = partial(console.progress, crew=crew)
    found = verbs.audit_spec(spec, output, store=store, observe=observe, engine=engine)
    console.results(found)
    typer.echo(f"\nThe page: {output / 'report.html'}")
    if verbs.incomplete(found):
        raise typer.Exit(1)
