"""Diffence around a classifier."""

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
def fence(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="The classifier: package.module:factory (with --weights), a .pt2 or .skops file.",
        ),
    ],
    members: Annotated[
        str,
        typer.Option(
            "--members", help="Labelled examples it was trained on: .npz, .csv, .parquet."
        ),
    ],
    non_members: Annotated[
        str, typer.Option("--non-members", help="Examples like them that it was not trained on.")
    ],
    public: Annotated[
        str, typer.Option("--public", help="Examples like them on neither side, for the fence.")
    ],
    output: Output,
    weights: Weights = None,
    selector: Annotated[
        str, typer.Option("--selector", help="Which copy answers: s3, s1, s2, mean or majority.")
    ] = "s3",
    diffusion: Annotated[
        str | None,
        typer.Option(
            "--diffusion",
            help="Folder of a diffusion model in the form of the diffusers library; without one "
            "a small one is trained on the public examples.",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--regenerate",
            help="A setting of the diffusion, NAME=VALUE, such as t=40, n=10 or low=-1; repeat.",
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            help="How the diffusion model is trained: NAME=VALUE, such as network=unet; repeat.",
        ),
    ] = None,
    label: Label = "label",
    group: Person = None,
    references: Annotated[
        int, typer.Option("--references", help="Reference models to train; an even number.")
    ] = 0,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            help="What references are made of: package.module:factory, or mlp, cnn, resnet.",
        ),
    ] = None,
    attacks: Attacks = None,
    access: ClassifierAccess = "weights",
    queries: Annotated[
        int,
        typer.Option(
            "--queries", help="Most inputs that an attack may put to the model per example."
        ),
    ] = 130,
    fpr: Fpr = None,
    seed: Seed = 0,
    device: Device = "auto",
    workers: Workers = None,
    engine: Engine = EngineName.LOCAL,
    address: Address = None,
    store: StoreAt = None,
    dry_run: DryRun = False,
) -> None:
    """Put Diffence around a classifier, attack it before and after, and write the fenced model."""
    from nonmember import verbs
    from nonmember.audit.engine import chosen

    sides = {"members": members, "non_members": non_members, "public": public}
    spec = verbs.fence_spec(
        model,
        data={**sides, "label": label, "group": group},
        options={"selector": selector},
        target={"weights": weights},
        references={"count": references, "architecture": architecture},
        settings={
            "diffusion": verbs.regeneration(diffusion, setting or (), recipe or ()),
            "attacks": {"run": attacks or None, "access": access, "queries": queries},
            "evaluation": {"fpr": tuple(fpr)} if fpr else {},
            "seed": seed,
            "compute": {"device": device},
        },
    )
    where = chosen(engine.value, workers, address)
    audit(spec, output, store, dry_run=dry_run, engine=where, more=verbs.fence_by_spec)
    if not dry_run:
        typer.echo(f"The fenced model: {output / 'fenced'}")
