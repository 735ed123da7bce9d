"""Whether a run's files are still what they were when it ended."""

from pathlib import Path

from nonmember.audit import manifest, records
from nonmember.audit.manifest import Checked


def verify(run: str | Path) -> Checked:
    """Hold the files of a run against the hashes in its ``manifest.json``.

    Args:
        run: the folder of a finished audit, or what was shared of it.

    Raises:
        RunError: there is no manifest, or it is damaged; or its results are as they were but
            cannot be read, as of a newer version.
    """
    folder = Path(run)
    found = manifest.verify(folder)
    if "results.json" in found.same:
        records.load(folder)
    return found
