"""Making a data set safer before it is trained on."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli import completion
from nonmember.cli.emitted import emit
from nonmember.cli.flags import (
    Device,
    Field,
    Json,
    MaxTokens,
    Packed,
    Precision,
    Rewriter,
    StoreAt,
    app,
)


class OnReject(StrEnum):
    """What becomes of a record without a good rewrite."""

    DROP = "drop"
    KEEP_RAW = "keep-raw"


@app.command()
def protect(
    data: Annotated[
        str,
        typer.Argument(help="Training records: .jsonl, .csv, .parquet, or a saved data set."),
    ],
    model: Annotated[str, typer.Option("--model", help="The base that will be fine-tuned.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The safer data set, in the same format.")
    ],
    ratio: Annotated[
        float,
        typer.Option("--ratio", min=0, max=1, help="Share of the records that are rewritten."),
    ] = 0.5,
    rewriter: Rewriter = "synonyms",
    rewriter_option: Annotated[
        list[str] | None,
        typer.Option("--rewriter-option", help="NAME=VALUE of the rewriter; repeat for more."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", help="NAME=VALUE that a rewrite must hold to, such as similarity=0.8."
        ),
    ] = None,
    on_reject: Annotated[
        OnReject,
        typer.Option(
            "--on-reject", help="A record without a good rewrite: drop, or keep-raw (unprotected)."
        ),
    ] = OnReject.DROP,
    attempts: Annotated[
        int, typer.Option("--attempts", min=1, help="Rewrites of a record that are tried.")
    ] = 4,
    deduplicate: Annotated[
        bool,
        typer.Option(
            "--deduplicate", help="Drop copies first: one left raw undoes a rewrite of the other."
        ),
    ] = False,
    selector: Annotated[
        str,
        typer.Option(
            "--selector",
            help="What says which records are exposed: lowest_loss, loss_drop, ...",
            autocompletion=completion.selectors,
        ),
    ] = "lowest_loss",
    warmup_epochs: Annotated[
        int,
        typer.Option(
            "--warmup-epochs", min=0, help="Fewer than --epochs; 0 selects by the base alone."
        ),
    ] = 1,
    method: Annotated[
        str, typer.Option("--method", help="How the model will be trained: full or lora.")
    ] = "full",
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", help="As the model will be trained.")
    ] = 5e-5,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="For how long the model will be trained.")
    ] = 3,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="As the model will be trained.")
    ] = 8,
    field: Field = None,
    max_tokens: MaxTokens = 512,
    packed: Packed = False,
    device: Device = "auto",
    precision: Precision = "auto",
    store: StoreAt = None,
    json: Json = False,
) -> None:
    """Rewrite the training records that would give themselves away; then train on the rest."""
    from nonmember.console import jobs, safer
    from nonmember.verbs import protection, specs

    how_long = {"epochs": epochs, "batch_size": batch_size}
    order = protection.protect_order(
        data,
        model,
        ratio=ratio,
        deduplicate=deduplicate,
        defense={"selector": selector, "warmup_epochs": warmup_epochs},
        rewriter={
            "name": rewriter,
            "options": specs.option_values("--rewriter-option", rewriter_option or ()),
            "limits": specs.option_values("--limit", limit or ()),
            "on_reject": on_reject.value.replace("-", "_"),
            "attempts": attempts,
        },
        settings={
            "field": field,
            "max_tokens": max_tokens,
            "packed": packed,
            "recipe": {"method": method, "learning_rate": learning_rate, **how_long},
            "compute": {"device": device, "precision": precision},
        },
    )
    manifest = protection.protect(order, output, store=store, observe=jobs.progress)
    if json:
        emit(safer.made_safer(manifest, output))
    else:
        safer.protected(manifest, output)
