"""Whether a run is what it was, and what the form of its results is."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit
from nonmember.cli.flags import Json, app


@app.command()
def verify(
    run: Annotated[Path, typer.Argument(help="The folder of a finished audit.")],
    json: Json = False,
) -> None:
    """Hold a run's files against its manifest; exit status 1 if one changed, is lost, or is new.

    What only its owner can check is named and not checked where the private folder is not there.
    The manifest is no signature: keep its own SHA-256, which is printed, where nobody writes.
    """
    import nonmember as nm

    found = nm.verify(run)
    if json:
        emit({"whole": found.whole, **vars(found)})
    else:
        typer.echo(found.told())
    raise typer.Exit(not found.whole)


@app.command()
def schema() -> None:
    """Print the JSON schema of results.json; its properties.schema.const is the version."""
    import nonmember as nm

    emit(nm.schema())
