"""The audit of a classifier."""

from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli.flags import (
    Address,
    Attacks,
    Canaries,
    ClaimedDelta,
    ClaimedEpsilon,
    ClassifierAccess,
    Device,
    DryRun,
    Engine,
    EngineName,
    Fpr,
    GuessBy,
    Json,
    Label,
    Output,
    Person,
    Seed,
    StoreAt,
    Weights,
    Workers,
    audits,
)
from nonmember.cli.running import audit


@audits.command()
def classifier(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="The classifier: a folder of a Hugging Face sequence classifier, "
            "package.module:factory (with --weights), a .pt2 or .skops file, or a file of its "
            "probabilities, members' rows first (.npz, .npy, .csv, .parquet).",
        ),
    ],
    output: Output,
    members: Annotated[
        str | None,
        typer.Option(
            "--members", help="Labelled examples it was trained on: .npz, .csv, .parquet, .jsonl."
        ),
    ] = None,
    non_members: Annotated[
        str | None,
        typer.Option("--non-members", help="Examples like them that it was not trained on."),
    ] = None,
    canaries: Canaries = None,
    guess_by: GuessBy = None,
    claimed_epsilon: ClaimedEpsilon = None,
    claimed_delta: ClaimedDelta = None,
    weights: Weights = None,
    label: Label = "label",
    text: Annotated[
        str | None, typer.Option("--text", help="Field of the text, where inputs are texts.")
    ] = None,
    group: Person = None,
    population: Annotated[
        float,
        typer.Option(
            "--population",
            help="Share of the non-members that the attacker knows; they are not evaluated.",
        ),
    ] = 0.2,
    calibrated_on: Annotated[
        str | None,
        typer.Option(
            "--calibrated-on",
            help="Examples by which the model's temperature, threshold or defense was set; "
            "candidates among them take the verdict away.",
        ),
    ] = None,
    references: Annotated[
        int,
        typer.Option(
            "--references",
            help="Reference models to train, an even number; 0 for none. They are of the "
            "--architecture, or of a factory's own.",
        ),
    ] = 16,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            help="What references are made of: package.module:factory, or mlp, cnn, resnet.",
        ),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option", help="An option of the architecture, NAME=VALUE, such as width=32; repeat."
        ),
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe", help="How references are trained: NAME=VALUE, such as epochs=50; repeat."
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            help="Add references until an attack's AUC moves no more than this with their choice.",
        ),
    ] = None,
    attacks: Attacks = None,
    access: ClassifierAccess = "weights",
    queries: Annotated[
        int,
        typer.Option(
            "--queries",
            help="Most inputs that an attack may put to the model per example, where --attack "
            "names none.",
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
    """Audit a classifier on examples it was and was not trained on."""
    from nonmember.audit.engine import chosen
    from nonmember.verbs.classifiers import classifier_spec
    from nonmember.verbs.specs import claimed_values, option_values

    sides = {"members": members, "non_members": non_members, "calibrated_on": calibrated_on}
    read = {"canaries": canaries, "guess_by": guess_by, "label": label, "text": text}
    spec = classifier_spec(
        model,
        target={
            "weights": weights,
            "claimed": claimed_values(claimed_epsilon, claimed_delta),
        },
        data={**sides, **read, "group": group, "population": population},
        references={
            "count": references,
            "architecture": architecture,
            "options": option_values("--option", options or ()),
            "recipe": option_values("--recipe", recipe or ()),
            "precision": precision,
        },
        settings={
            "attacks": {"run": attacks or None, "access": access, "queries": queries},
            "evaluation": {"fpr": tuple(fpr)} if fpr else {},
            "seed": seed,
            "compute": {"device": device},
        },
    )
    where = chosen(engine.value, workers, address)
    audit(spec, Path(output), store, dry_run=dry_run, json=json, engine=where)
