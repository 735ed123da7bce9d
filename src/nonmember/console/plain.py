"""What a command found as plain values, which ``--json`` prints."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from nonmember.audit import engine
from nonmember.audit.defended import delivery, ledger
from nonmember.audit.engine import Crew
from nonmember.audit.jobs import Job
from nonmember.audit.records import Results

DRAWN = ("curve", "histogram")
"""What of an attack is there to be drawn; ``results.json`` has it."""


def audited(found: Results, run: Path, *, complete: bool) -> dict[str, Any]:
    """Where a run and its page are, whether all of it ran, and its results without the curves."""
    targets = [
        {**_fields(one), "attacks": [_fields(attack) for attack in one.attacks]}
        for one in found.targets
    ]
    results = {**_fields(found), "targets": targets}
    return {"run": run, "page": run / "report.html", "complete": complete, "results": results}


def _fields(value: Any) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(value) if one.name not in DRAWN}


def planned(
    pending: Sequence[Job], done: Sequence[Job], crew: Crew | None = None
) -> dict[str, Any]:
    """The jobs of an audit, and how many seconds those still to do will take, about."""
    return {
        "to_do": [_job(job) for job in pending],
        "in_the_store": [_job(job) for job in done],
        "seconds": engine.seconds(pending, crew),
    }


def made_safer(manifest: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """What became of a data set's records, and where the new one and its papers are."""
    places = delivery.beside(output)
    return {
        "data_set": places.output,
        "manifest_file": places.manifest,
        "ledger": places.private / ledger.LEDGER,
        "manifest": manifest,
    }


def _job(job: Job) -> dict[str, Any]:
    return {"job": job.label, "size": job.tokens, "address": job.address}
