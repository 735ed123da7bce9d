"""Flags that several commands have, and the applications that they are registered with."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nonmember.cli import completion

app = typer.Typer(
    name="nonmember",
    help="Find out what a trained model reveals about the records it was trained on.",
    epilog="Exit status: 0, all was done; 1, an attack gave no figure, or a check failed; 2, a "
    "mistake in what was asked, told in one sentence, or a gate's condition that cannot be judged; "
    "3, done, but not valid as evidence (a finding of severity error); 130, interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
audits = typer.Typer(
    help="Attack a model and write a page of what it reveals. Exit status: 1, an attack gave no "
    "figure; 3, all is done, but a finding of severity error takes the evidence away.",
    no_args_is_help=True,
)
lists = typer.Typer(help="Show what there is.", no_args_is_help=True)
app.add_typer(audits, name="audit")
app.add_typer(lists, name="list")


def _version(wanted: bool) -> bool:
    """Print the version and end, before anything else is looked at."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"nonmember {version('nonmember')}")
        raise typer.Exit
    return wanted


@app.callback()
def top(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Take what every command takes."""


class EngineName(StrEnum):
    """Where jobs are done."""

    LOCAL = "local"
    RAY = "ray"


Canaries = Annotated[
    str | None,
    typer.Option(
        "--canaries",
        help="The folder that canaries left, in the place of both sides: bounds epsilon.",
    ),
]
GuessBy = Annotated[
    str | None,
    typer.Option(
        "--guess-by", help="The attack that guesses at canaries; all: the best, at a price."
    ),
]
ClaimedEpsilon = Annotated[
    float | None,
    typer.Option("--claimed-epsilon", help="What the model's privacy accountant says."),
]
ClaimedDelta = Annotated[
    float | None,
    typer.Option("--claimed-delta", help="At which delta it says so; 1e-5 by default."),
]
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
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object on standard output, and no tables there."),
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
    typer.Option(
        "--attack",
        help="An attack to run; repeat for more. All by default.",
        autocompletion=completion.attacks,
    ),
]
Rewriter = Annotated[
    str,
    typer.Option(
        "--rewriter",
        help="synonyms, code, chat, endpoint; see list rewriters.",
        autocompletion=completion.rewriters,
    ),
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
