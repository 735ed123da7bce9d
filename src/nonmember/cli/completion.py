"""What a shell offers for a name that is being typed. Nothing here loads torch but defenses."""

import typer

KINDS = {
    "llm": "language",
    "classifier": "classifier",
    "fence": "classifier",
    "transfer": "transfer",
}
"""What each command audits; others may audit anything."""


def attacks(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Attacks on what the command audits, each with its paper."""
    import nonmember.attacks  # noqa: F401  (fills the registry)
    from nonmember.attacks.registry import ATTACKS

    families = {KINDS[ctx.info_name], "blind"} if ctx.info_name in KINDS else None
    known = [one for one in ATTACKS.values() if families is None or one.family in families]
    return sorted({(a.name, a.paper) for a in known if a.name.startswith(incomplete)})


def rewriters(incomplete: str) -> list[str]:
    """Rewriters."""
    from nonmember.rewriting import every  # noqa: F401  (fills the registry)
    from nonmember.rewriting.registry import REWRITERS

    return sorted(name for name in REWRITERS if name.startswith(incomplete))


def selectors(incomplete: str) -> list[str]:
    """What can say which training records are exposed."""
    from nonmember.defenses import every  # noqa: F401  (fills the registry)
    from nonmember.defenses.registry import SELECTORS

    return sorted(name for name in SELECTORS if name.startswith(incomplete))
