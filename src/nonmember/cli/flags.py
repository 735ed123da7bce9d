"""Flags that several commands have, and the applications that they are registered with."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="nonmember",
    help="Find out what a trained model reveals about the records it was trained on.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
audits = typer.Typer(
    help="Attack a model and write a page of what it reveals.", no_args_is_help=True
)
lists = typer.Typer(help="Show what there is.", no_args_is_help=True)
app.add_typer(audits, name="audit")
app.add_typer(lists, name="list")


class EngineName(StrEnum):
    """Where jobs are done."""

    LOCAL = "local"
    RAY = "ray"


Output = Annotated[Path, typer.Option("--output", "-o", help="The run folder.")]
StoreAt = Annotated[
    Path | None,
    typer.Option(
        "--store", help="Where finished work is kept; the user's cache folder by default."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Check everything, print the jobs and an estimate, do nothing."),
]
Field = Annotated[
    str | None,
    typer.Option("--field", help="Field of the text or chat; messages or text by default."),
]
MaxTokens = Annotated[
    int,
    typer.Option(
        "--max-tokens", min=2, help="Length that is trained on; the rest of a text is not used."
    ),
]
Packed = Annotated[bool, typer.Option("--packed", help="Training packs records end to end.")]
Device = Annotated[
    str, typer.Option("--device", help="cpu, cuda, cuda:1; auto takes CUDA where there is one.")
]
Precision = Annotated[str, typer.Option("--precision", help="auto, float32 or bfloat16.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Jobs at once: processes on this machine, or at most so many on a Ray cluster.",
    ),
]
Engine = Annotated[
    EngineName, typer.Option("--engine", help="Where jobs are done: local, or a Ray cluster.")
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", help="The Ray cluster's, such as 10.0.0.1:6379; found here by default."
    ),
]
Attacks = Annotated[
    list[str] | None,
    typer.Option("--attack", help="An attack to run; repeat for more. All by default."),
]
ClassifierAccess = Annotated[
    str, typer.Option("--access", help="What the attacker sees: label, topk, scores or weights.")
]
Fpr = Annotated[
    list[float] | None,
    typer.Option("--fpr", help="False-positive rate to report; repeat for more."),
]
Seed = Annotated[int, typer.Option("--seed", help="Root of all randomness.")]
Weights = Annotated[
    str | None, typer.Option("--weights", help="A factory's weights, as safetensors.")
]
Label = Annotated[str, typer.Option("--label", help="Field of the class.")]
Person = Annotated[
    str | None, typer.Option("--group", help="Field of the person an example belongs to.")
]
