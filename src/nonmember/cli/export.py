"""What a finished audit says, in the forms that others file."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.emitted import emit, say
from nonmember.cli.flags import Json, app


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The folder of a finished audit.")],
    model_card: Annotated[
        Path | None,
        typer.Option(
            "--model-card",
            help="A Hugging Face model card, such as README.md: its section on membership privacy "
            "is set, and all else stays.",
        ),
    ] = None,
    annex: Annotated[
        Path | None,
        typer.Option(
            "--annex",
            help="Write the annex as Markdown: evidence under headings of EDPB Opinion 28/2024, "
            "GDPR Article 35, NIST AI 100-2 and SP 800-226, OWASP AISVS.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", help="Which model the card is of, where the run has several."),
    ] = None,
    json: Json = False,
) -> None:
    """Write what an audit found into a model card, or as an annex."""
    import nonmember as nm

    done = nm.export(run, model_card=model_card, annex=annex, target=target)
    if json:
        emit(done)
        return
    for name, path in (("model card", done.model_card), ("annex", done.annex)):
        if path is not None:
            say(f"The {name}: {path}")
    if done.model_card is not None and not done.metadata:
        say(
            "Its front matter has no figures of this audit: they are no evidence, or it has a "
            "model-index of its own.",
            err=True,
        )
