"""Putting canaries into training data, for an audit in one run."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit, say
from nonmember.cli.flags import Field, Json, Person, app


class Kind(StrEnum):
    """What the data trains."""

    LANGUAGE = "language"
    CLASSIFIER = "classifier"


@app.command()
def canaries(
    data: Annotated[
        Path, typer.Argument(help="Training data: .jsonl, .csv, .parquet, .npz, or a data set.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="A new folder: data with canaries, and who they are."),
    ],
    count: Annotated[
        int, typer.Option("--count", help="How many; a coin puts about half of them in.")
    ] = 1000,
    kind: Annotated[Kind, typer.Option("--kind", help="What the data trains.")] = Kind.LANGUAGE,
    form: Annotated[
        str | None,
        typer.Option(
            "--form",
            help="words, suffix or digits for language models; mislabelled or noise for "
            "classifiers. The first by default.",
        ),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option("--length", help="Words, or digits, drawn for each; as the data, by default."),
    ] = None,
    field: Field = None,
    label: Annotated[
        str | None, typer.Option("--label", help="Field of the class; label by default.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="Field of the text, where inputs are texts.")
    ] = None,
    group: Person = None,
    json: Json = False,
) -> None:
    """Put canaries into training data; an audit of what is trained on it then bounds epsilon."""
    import nonmember as nm

    told = {"field": field, "label": label, "text": text, "group": group}
    manifest = nm.canaries(
        data,
        output,
        count=count,
        kind=kind.value,
        form=form,
        length=length,
        reading={name: value for name, value in told.items() if value is not None},
    )
    if json:
        emit(
            {
                "data_set": output / manifest["output"]["name"],
                "manifest_file": output / "manifest.json",
                "private": output / "private",
                "manifest": manifest,
            }
        )
        return
    audit = "llm" if kind is Kind.LANGUAGE else "classifier"
    say(f"{count:,} canaries: {manifest['what']}.")
    say(f"Train on {output / manifest['output']['name']}; a coin each put about half in it.")
    say(f"{output / 'manifest.json'} may be shared, {output / 'private'} may not.")
    say(f"Then: nonmember audit {audit} --canaries {output} --model MODEL -o RUN")
