"""One self-contained page over several studies: of each its question, its verdicts, its page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from nonmember.audit import whole
from nonmember.audit.records import Results
from nonmember.report import page

NONE: Mapping[str, str] = MappingProxyType({})


def render(
    studies: Mapping[str, Results],
    missing: Sequence[str] = (),
    *,
    broken: Mapping[str, str] = NONE,
    links: Mapping[str, str] | None = None,
) -> str:
    """The index as one HTML document that makes no request and runs no script.

    Args:
        studies: finished runs by their path below the index.
        missing: names of those that are not finished.
        broken: why others cannot be read, in a sentence, by their path.
        links: where each run's page is; beside its results if not given, and nowhere for a run
            that it lacks.

    Returns:
        HTML in which every foreign string is escaped and made visible.
    """
    template = page.environment().get_template("index.jinja")
    found = {name: f"{quote(name)}/report.html" for name in studies} if links is None else links
    return template.render(studies=studies, missing=missing, broken=broken, links=found)


def write(studies: Mapping[str, Results], missing: Sequence[str], path: Path) -> None:
    """Write the index to ``path``, whole or not at all; its folder exists."""
    whole.write(path, render(studies, missing).encode())
