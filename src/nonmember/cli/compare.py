"""Finished runs side by side: compared, or looked at."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit, say
from nonmember.cli.flags import Json, app


@app.command()
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of finished audits; each is held against the first."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder of the page, compare.html; no run.")
    ] = Path(),
    json: Json = False,
) -> None:
    """Say how much more attacks find of one run than of another, record by record."""
    import nonmember as nm
    from nonmember.console import beside
    from nonmember.verbs.compare import PAGE

    found = nm.compare(*runs, output=output)
    if json:
        emit({"level": found.level, "compared": found.beside, "page": output / PAGE})
        return
    beside.comparison(found)
    say("")
    say(f"The page: {output / PAGE}")


@app.command()
def view(
    folder: Annotated[Path, typer.Argument(help="A folder with finished audits in or below it.")],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of this machine; any free one for 0.")
    ] = 0,
    json: Json = False,
) -> None:
    """Serve the pages of all runs below a folder to this machine alone, until Ctrl-C."""
    from nonmember.verbs import view as views

    try:
        with views.serving(folder, port) as server:
            if json:
                emit({"folder": folder, "address": server.address})
            else:
                say(f"All runs below {folder}: {server.address} (Ctrl-C ends it)")
            server.wait()
    except KeyboardInterrupt:
        say("ended", err=True)
