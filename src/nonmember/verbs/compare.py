"""Finished runs held against each other."""

from pathlib import Path

from nonmember.audit import between, whole
from nonmember.audit.between import Comparison
from nonmember.errors import RunError
from nonmember.report import compare as page

PAGE = "compare.html"


def compare(*runs: str | Path, output: str | Path | None = None) -> Comparison:
    """Hold every run against the first, record by record where they are of the same records.

    Args:
        runs: the folders of finished audits, two or more, each with its private scores.
        output: a folder for the page, ``compare.html``; none is written if not given.

    Raises:
        RunError: runs that cannot be compared, see ``audit.between.compare``; before any work,
            an ``output`` that is no folder, or in one of the runs.
    """
    folder = None if output is None else Path(output)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: is a file; give a folder for {PAGE}")
    folders = [Path(one) for one in runs]
    if folder is not None:
        for one in folders:
            whole.apart(folder / PAGE, one)
    found = between.compare(folders)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        page.write(found, folder / PAGE)
    return found
