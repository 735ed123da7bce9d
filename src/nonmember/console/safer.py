"""What became of a data set that was made safer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from nonmember.audit.defended import delivery, ledger
from nonmember.console.streams import escape, out
from nonmember.report import words


def protected(manifest: Mapping[str, Any], output: Path) -> None:
    """What became of a data set's records, what that took, and where the files are.

    Args:
        manifest: as ``verbs.protect`` returns it.
        output: the new data set.
    """
    made, sent_to = manifest["rewriter"] is not None, manifest["sent to"]
    places = delivery.beside(output)
    sent = words.sent(None if sent_to is None else (sent_to, manifest["attempts"]))
    rows = {
        "records": f"{manifest['records']:,}",
        "of these": words.counts(manifest["roles"]),
        "rewriter": f"{manifest['rewriter']}, {manifest['attempts']:,} attempts" if made else "",
        "rejected": words.counts(manifest["rejected"]),
        "texts sent": sent if made else "",
        "time": words.duration(manifest["seconds in all"]),
        "data set": str(places.output),
        "manifest": f"{places.manifest} (may be shared)",
        "ledger": f"{places.private / ledger.LEDGER} (private: it tells who was most exposed)",
    }
    table = Table.grid(padding=(0, 2))
    for name, told in rows.items():
        if told:
            table.add_row(name, escape(told))
    out.print(table)
    out.print(*_advice(manifest), sep="\n", highlight=False)


def _advice(manifest: Mapping[str, Any]) -> list[str]:
    """What a user may want to do about a protection; a line each."""
    lines = []
    copies, lost = (
        manifest["copies"],
        manifest["to rewrite"] - manifest["roles"].get("rewritten", 0),
    )
    if copies and "deduplicate" not in manifest["by"]:
        lines.append(
            f"{copies:,} records repeat another's text; one that is left raw undoes the rewrite of "
            "its copy: --deduplicate."
        )
    if lost:
        lines.append(
            f"{lost:,} records have no good enough rewrite: take another --rewriter, set a "
            "--limit, or keep them unprotected with --on-reject keep-raw."
        )
    return lines


def made_safer(manifest: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """What became of a data set's records, and where the new one and its papers are."""
    places = delivery.beside(output)
    return {
        "data_set": places.output,
        "manifest_file": places.manifest,
        "ledger": places.private / ledger.LEDGER,
        "manifest": manifest,
    }
