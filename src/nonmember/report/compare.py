"""One self-contained page over runs that were compared."""

from pathlib import Path

from nonmember.audit import whole
from nonmember.audit.between import Comparison
from nonmember.report import page, words


def render(found: Comparison) -> str:
    """The comparison as one HTML document that makes no request and runs no script.

    Returns:
        HTML in which every foreign string is escaped and made visible; no record, no score.
    """
    template = page.environment().get_template("compare.jinja")
    return template.render(found=found, level=words.chosen_percent(found.level))


def write(found: Comparison, path: Path) -> None:
    """Write the page to ``path``, whole or not at all; its folder exists."""
    whole.write(path, render(found).encode())
