"""Conditions on a finished audit, for CI."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit, say
from nonmember.cli.flags import Json, app


@app.command()
def gate(
    run: Annotated[Path, typer.Argument(help="The folder of a finished audit.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if",
            help="What must not hold, such as 'tpr@fpr=0.01 ci_low > 0.05'; repeat for more. A "
            "figure, then value, ci_low or ci_high, then 'of TARGET' and 'by ATTACK'; intervals "
            "of attacks are those that hold for all attacks at once.",
        ),
    ] = None,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", help="Write the outcomes as JUnit XML, outside the run."),
    ] = None,
    sarif: Annotated[
        Path | None,
        typer.Option(
            "--sarif", help="Write outcomes and findings as SARIF 2.1.0, outside the run."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Hold an audit against conditions; a line for each, and an exit status.

    0: none of them holds. 1: one does. 2: one cannot be judged, or is wrong. 3: the audit is not
    valid as evidence. Where no attack is named, the one with the largest such figure counts.
    """
    import nonmember as nm

    found, status = nm.gate(run, fail_if or (), junit=junit, sarif=sarif)
    if json:
        emit({"status": status, "outcomes": found})
    for one in () if json else found:
        say(one.line())
    raise typer.Exit(status)
