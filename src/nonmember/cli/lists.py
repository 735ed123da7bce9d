"""What there is to choose from."""

from typing import Annotated

import typer

from nonmember.cli.flags import lists


@lists.command("attacks")
def list_attacks(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
) -> None:
    """Every attack, the access it needs, and its paper."""
    from nonmember import console

    if markdown:
        typer.echo(console.attacks_markdown())
    else:
        console.attacks()


@lists.command("signals")
def list_signals() -> None:
    """Every signal, the access it needs, and where it comes from."""
    from nonmember import console

    console.signals()


@lists.command("defenses")
def list_defenses() -> None:
    """Every defense, the stage at which it steps in, and its paper."""
    from nonmember import console

    console.defenses()


@lists.command("rewriters")
def list_rewriters() -> None:
    """Every rewriter, its options, and whether texts leave this machine."""
    from nonmember import console

    console.rewriters()
