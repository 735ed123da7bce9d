"""Several audits in one folder: each in a folder of its own, and an index of their pages."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nonmember.audit import records, run
from nonmember.audit.kinds import AnySpec
from nonmember.errors import RunError
from nonmember.report import index

INDEX = "index.html"


def check(output: Path, studies: Mapping[str, AnySpec]) -> None:
    """Refuse a folder that is not that of these studies, before the first of them runs.

    Raises:
        RunError: it holds other specs' runs, or something that is none of theirs.
    """
    own = {*studies, INDEX}
    found = output.iterdir() if output.is_dir() else [output] if output.exists() else []
    other = sorted(one.name for one in found if not one.name.startswith("."))
    other = [name for name in other if name not in own]
    if other:
        raise RunError(
            f"{output}: holds {other[0]}, which is none of {', '.join(studies)}; choose another "
            "--output, or remove it"
        )
    for name, spec in studies.items():
        run.check(output / name, spec)


def write_index(output: str | Path, studies: Iterable[str]) -> Path:
    """Write the index of those studies in ``output`` that are finished; return its path.

    Args:
        output: the folder that holds them.
        studies: their names, in the order in which they are shown.

    Raises:
        RunError: one of them is damaged.
    """
    folder = Path(output)
    done = [name for name in studies if (folder / name / "results.json").is_file()]
    found = {name: records.load(folder / name) for name in done}
    missing = [name for name in studies if name not in found]
    index.write(found, missing, folder / INDEX)
    return folder / INDEX
