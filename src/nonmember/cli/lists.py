"""What there is to choose from."""

from typing import Annotated

import typer

from nonmember.cli.emitted import emit
from nonmember.cli.flags import Json, lists
from nonmember.errors import SpecError


@lists.command("attacks")
def list_attacks(
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
    json: Json = False,
) -> None:
    """Every attack, the access it needs, and its paper."""
    from nonmember.console.lists import attacks_markdown

    if markdown and json:
        raise SpecError("list attacks: --markdown and --json are two forms; leave one out")
    if markdown:
        typer.echo(attacks_markdown())
    else:
        _show("attacks", json=json)


@lists.command("signals")
def list_signals(json: Json = False) -> None:
    """Every signal, the access it needs, and where it comes from."""
    _show("signals", json=json)


@lists.command("defenses")
def list_defenses(json: Json = False) -> None:
    """Every defense, the stage at which it steps in, and its paper."""
    _show("defenses", json=json)


@lists.command("rewriters")
def list_rewriters(json: Json = False) -> None:
    """Every rewriter, its options, and whether texts leave this machine."""
    _show("rewriters", json=json)


def _show(what: str, *, json: bool) -> None:
    from nonmember.console.lists import LISTS, listed

    if json:
        emit({what: LISTS[what]()})
    else:
        listed(what)
