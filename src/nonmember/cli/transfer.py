"""The audit of fine-tuned classifiers about their ancestors' training data."""

from typing import Annotated

import typer

from nonmember.cli.flags import (
    Address,
    Attacks,
    ClassifierAccess,
    Device,
    DryRun,
    Engine,
    EngineName,
    Fpr,
    Json,
    Label,
    Output,
    Person,
    Seed,
    StoreAt,
    Weights,
    Workers,
    app,
)
from nonmember.cli.running import audit


@app.command()
def transfer(
    output: Output,
    members: Annotated[
        str | None,
        typer.Option("--members", help="Labelled examples to pre-train on: .npz, .csv, .parquet."),
    ] = None,
    non_members: Annotated[
        str | None, typer.Option("--non-members", help="Examples like them to leave out.")
    ] = None,
    downstream: Annotated[
        str | None,
        typer.Option("--downstream", help="Labelled examples of the task to fine-tune for."),
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            help="What is pre-trained: package.module:factory, or mlp, cnn, resnet.",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--setting",
            help="A way of fine-tuning: head, last_k:k=2, full, lora:rank=4, or under differential "
            "privacy dp_head:epsilon=6.7; its recipe may follow, as head:epochs=5. Repeat to "
            "compare.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="A fine-tuned classifier that is there, made in the one --setting; without it "
            "models are pre-trained on the members and fine-tuned here.",
        ),
    ] = None,
    weights: Weights = None,
    study: Annotated[
        str | None,
        typer.Option("--study", help="A whole study on embedded data, instead of files: digits."),
    ] = None,
    references: Annotated[
        int,
        typer.Option(
            "--references", help="Reference models to pre-train and fine-tune; an even number."
        ),
    ] = 64,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe", help="How parents are pre-trained: NAME=VALUE, as epochs=50; repeat."
        ),
    ] = None,
    label: Label = "label",
    group: Person = None,
    attacks: Attacks = None,
    access: ClassifierAccess = "weights",
    top_k: Annotated[
        int | None,
        typer.Option("--top-k", help="How many probabilities --access topk sees of an answer."),
    ] = None,
    fpr: Fpr = None,
    seed: Seed = 0,
    device: Device = "auto",
    workers: Workers = None,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    store: StoreAt = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Find out what fine-tuned classifiers tell of the data their ancestor was trained on."""
    from nonmember.audit.engine import chosen
    from nonmember.verbs.specs import option_values
    from nonmember.verbs.transfer import transfer_spec, transfer_study

    where = chosen(engine.value, workers, address)
    if study is not None:
        files = (members, non_members, downstream, architecture, model, weights, group)
        beside = (*files, setting, recipe, attacks, fpr)
        spec = transfer_study(
            study, beside, references=references, access=access, k=top_k, seed=seed, device=device
        )
    else:
        spec = transfer_spec(
            setting or (),
            data={"members": members, "non_members": non_members, "label": label, "group": group},
            downstream={"pool": downstream, "label": label},
            parents={
                "architecture": architecture,
                "count": references,
                "recipe": option_values("--recipe", recipe or ()),
            },
            model={"model": model, "weights": weights} if model or weights else None,
            settings={
                "attacks": {"run": attacks or None, "access": access, "k": top_k},
                "evaluation": {"fpr": tuple(fpr)} if fpr else {},
                "seed": seed,
                "compute": {"device": device},
            },
        )
    audit(spec, output, store, dry_run=dry_run, json=json, engine=where)
