"""What in a run's folder is its owner's alone: what was asked, and every record with its scores."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic_core import from_json

from nonmember.audit.parts import Report, checked
from nonmember.audit.records import Results
from nonmember.errors import RunError, SpecError

SPEC = "spec.json"
RECORDS = Path("private", "records.parquet")
COLUMNS = {
    "record": pa.string(),
    "digest": pa.string(),
    "group": pa.int64(),
    "member": pa.bool_(),
}


def shows_text(run: Path) -> bool:
    """Whether the run was asked for records' texts on its page.

    Raises:
        RunError: what it was asked is missing or damaged.
    """
    path = run / SPEC
    try:
        values = from_json(path.read_bytes())
        own = values.get("report", {}) if isinstance(values, dict) else None
        if not isinstance(own, dict):
            raise ValueError("it is no spec")
        return checked(Report, own, str(path)).show_text
    except (OSError, ValueError, SpecError) as error:
        raise RunError(
            f"{path}: damaged or missing ({error}); say --show-text or --no-show-text"
        ) from None


def exposed_texts(run: Path, results: Results) -> dict[str, str]:
    """The texts of the records that ``results`` name, from the run's private folder.

    Raises:
        RunError: the private folder is not there.
    """
    path = run / RECORDS
    wanted = {one.record for target in results.targets for one in target.exposed}
    try:
        with path.open("rb") as stream:
            table = pq.read_table(
                stream, columns=["record", "text"], filters=[("member", "=", True)]
            )
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{path}: cannot be read ({error}); run the audit again") from None
    pairs = zip(table["record"].to_pylist(), table["text"].to_pylist(), strict=True)
    return {record: text for record, text in pairs if record in wanted}


def scores_of(run: Path, columns: Sequence[str]) -> pa.Table:
    """Every record's id, digest, group and side, and these scores, from the private folder.

    Raises:
        RunError: there is none, as in a copy that was shared, or it is damaged, or older.
    """
    path = run / RECORDS
    if not path.is_file():
        raise RunError(
            f"{run}: a copy without the private scores, which are needed to compare record by "
            "record; give the folder that the audit wrote, or look at both with nonmember view"
        )
    wanted = pa.schema({**COLUMNS, **dict.fromkeys(columns, pa.float64())})
    try:
        with path.open("rb") as stream, pq.ParquetFile(stream) as file:
            absent = [name for name in wanted.names if name not in file.schema_arrow.names]
            table = file.read(columns=wanted.names).select(wanted.names) if not absent else None
        whole_ones = None if table is None else table.cast(wanted)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise RunError(f"{path}: cannot be read ({error}); run the audit again") from None
    if whole_ones is None or any(whole_ones[name].null_count for name in wanted.names):
        lacks = absent[0] if absent else "some of its values"
        raise RunError(f"{path}: lacks {lacks}; run the audit again, which repeats no work")
    return whole_ones
