"""What a finished run says, in the forms that others file: a model card, an annex."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nonmember.audit import records, whole
from nonmember.audit.records import Results, TargetResult
from nonmember.errors import DataError, SpecError, unknown
from nonmember.report import card
from nonmember.report.markdown import annexed


@dataclass(frozen=True)
class Exported:
    """What was written. ``metadata``: the card's front matter has the figures too."""

    model_card: Path | None
    annex: Path | None
    metadata: bool


def export(
    run: str | Path,
    *,
    model_card: str | Path | None = None,
    annex: str | Path | None = None,
    target: str | None = None,
) -> Exported:
    """Write what a run says as a section of a model card, and as an annex in Markdown.

    Args:
        run: the folder of a finished audit.
        model_card: the card, such as ``README.md``. A section that is there already is replaced,
            all else in the card stays; a card that is not there is made.
        annex: where the annex goes. Neither may lie in the run, nor both in one file.
        target: which model the card is of, where the run has several.

    Raises:
        SpecError: nothing is to be written, or which target the card is of is not said.
        RunError: the folder holds no finished run, or a damaged one; or a file cannot be written
            where it is to go, and then none is.
        DataError: the card is not UTF-8, or its marks are broken; it is then as it was.
    """
    if model_card is None and annex is None:
        raise SpecError("export: nothing to write; give --model-card README.md or --annex FILE")
    folder = Path(run)
    whole.check_outputs([Path(path) for path in (model_card, annex) if path is not None], folder)
    results, metadata = records.load(folder), False
    if model_card is not None:
        metadata = _card(folder, results, _one(results, target), Path(model_card))
    if annex is not None:
        whole.write(Path(annex), annexed(results).encode())
    return Exported(
        None if model_card is None else Path(model_card),
        None if annex is None else Path(annex),
        metadata,
    )


def _one(results: Results, name: str | None) -> TargetResult:
    """The target of that name, or the only one."""
    names = [target.name for target in results.targets]
    if name is None and len(names) != 1:
        told = ", ".join(names) or "none"
        raise SpecError(f"export: a card is of one model; choose --target of: {told}")
    if name is not None and name not in names:
        raise SpecError(f"export: {unknown('target', name, names)}")
    return results.targets[0 if name is None else names.index(name)]


def _card(folder: Path, results: Results, target: TargetResult, path: Path) -> bool:
    """Put the section in the card; whether its metadata is there too."""
    place = path.resolve()  # a link stays one
    try:
        old = place.read_bytes().decode() if place.exists() else ""
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8, so no model card; give its README.md") from None
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    digest = hashlib.sha256((folder / "results.json").read_bytes()).hexdigest()
    told = card.section(results, target, digest), card.metadata(results, target)
    new = card.inserted(old, *told, str(path))
    whole.write(place, new.encode(), mode)
    return card.YAML_START in new
