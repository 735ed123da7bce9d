"""The page of a finished run, written anew."""

from pathlib import Path

from nonmember.audit import manifest, private, records
from nonmember.report import page


def write_report(folder: str | Path, *, show_text: bool | None = None) -> Path:
    """Write the page of a finished run anew and return its path.

    Args:
        folder: the run.
        show_text: whether the most exposed records' texts are on the page; as its spec says,
            if not given.

    Raises:
        RunError: the folder holds no finished run, or a damaged one.
    """
    path = Path(folder)
    results = records.load(path)
    shown = private.shows_text(path) if show_text is None else show_text
    shown = shown and results.kind == "language"
    texts = private.exposed_texts(path, results) if shown else None
    page.write(results, path / "report.html", texts)
    manifest.update(path, "report.html")
    return path / "report.html"
