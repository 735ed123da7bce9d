"""One self-contained page over several studies: of each its question, its verdicts, its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nonmember.audit import whole
from nonmember.audit.records import Results
from nonmember.report import page


def render(studies: Mapping[str, Results], missing: Sequence[str] = ()) -> str:
    """The index as one HTML document that makes no request and runs no script.

    Args:
        studies: finished runs by the name of their folder, which lies beside the index.
        missing: names of those that are not finished.

    Returns:
        HTML in which every foreign string is escaped and made visible.
    """
    template = page.environment().get_template("index.jinja")
    return template.render(studies=studies, missing=missing)


def write(studies: Mapping[str, Results], missing: Sequence[str], path: Path) -> None:
    """Write the index to ``path``, whole or not at all; its folder exists."""
    whole.write(path, render(studies, missing).encode())
