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

NOT_PLANNED = (
    "Not among them: the copies by which the fence is set once more when it is written, under a "
    "secret that is drawn only then."
)


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
    population: Annotated[
        float,
        typer.Option(
            "--population",
            help="Share of the non-members that attackers know as such; they are not evaluated.",
        ),
    ] = 0.2,
    calibration: Annotated[
        float,
        typer.Option(
            "--calibration",
            help="Share of either side that the defenses are set by; they are not evaluated.",
        ),
    ] = 0.3,
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
    json: Json = False,
) -> None:
    """Put Diffence around a classifier, attack it before and after, and write the fenced model."""
    from nonmember.audit.engine import chosen
    from nonmember.verbs.fence import fence_by_spec, fence_spec, regeneration

    sides = {"members": members, "non_members": non_members, "public": public}
    aside = {"population": population, "calibration": calibration}
    spec = fence_spec(
        model,
        data={**sides, "label": label, "group": group, **aside},
        options={"selector": selector},
        target={"weights": weights},
        references={"count": references, "architecture": architecture},
        settings={
            "diffusion": regeneration(diffusion, setting or (), recipe or ()),
            "attacks": {"run": attacks or None, "access": access, "queries": queries},
            "evaluation": {"fpr": tuple(fpr)} if fpr else {},
            "seed": seed,
            "compute": {"device": device},
        },
    )
    where = chosen(engine.value, workers, address)
    more, also = fence_by_spec, {"fenced_model": output / "fenced"}
    audit(spec, output, store, dry_run=dry_run, json=json, engine=where, more=more, also=also)
    if dry_run:
        typer.echo(NOT_PLANNED, err=json)
