"""Audits."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nonmember.audit import engine as engines
from nonmember.audit import kinds, run, ways
from nonmember.audit.engine import HERE, Engine
from nonmember.audit.jobs import Job
from nonmember.audit.kinds import AnySpec
from nonmember.audit.parts import Part
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.audit.validity import invalidating
from nonmember.errors import RunError
from nonmember.signals.store import Store
from nonmember.verbs.report import write_report


def audit_spec(
    spec: AnySpec | Mapping[str, Any] | str | Path,
    output: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
    engine: Engine | None = None,
) -> Results:
    """Audit the models that ``spec`` names; leave results and a page in ``output``.

    The same call after an interruption goes on where it stopped.

    Args:
        spec: a spec, its values as a mapping, or the path of its TOML file.
        output: the run folder.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where they are done; in this process if not given.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    asked, folder = as_spec(spec), Path(output)
    results = run.audit(asked, folder, as_store(store), observe, engine or HERE)
    write_report(folder)
    return results


def dry_run(
    spec: AnySpec | Mapping[str, Any] | str | Path, *, store: str | Path | None = None
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs that ``audit_spec`` would do and those it would find done, after all its checks."""
    asked = as_spec(spec)
    way = ways.of(asked)
    jobs = way.plan(way.inspect(asked)).jobs
    waiting = engines.pending(jobs, as_store(store))
    addresses = {job.address for job in waiting}
    return tuple(waiting), tuple(job for job in jobs if job.address not in addresses)


def incomplete(results: Results) -> bool:
    """Whether an attack that was to run gave no figure: then the audit has failed."""
    return any(f.code == "E110" for target in results.targets for f in target.findings)


def invalid(results: Results) -> bool:
    """Whether a finding takes away the evidence for or against any of the targets."""
    return any(invalidating(target, results) for target in results.targets)


def as_spec(spec: AnySpec | Mapping[str, Any] | str | Path) -> AnySpec:
    """A checked spec from any form in which one may be given."""
    if isinstance(spec, Part):
        return spec
    return kinds.parse(spec, "spec") if isinstance(spec, Mapping) else kinds.read(Path(spec))


def as_store(store: str | Path | None) -> Store:
    """The store at a path; the default one for None.

    Raises:
        RunError: nothing can be kept there.
    """
    root = Path(store).expanduser() if store is not None else run.default_store()
    there = next(place for place in (root.absolute(), *root.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise RunError(f"store {root}: {there} is no folder that may be written to; give another")
    return Store(root)
