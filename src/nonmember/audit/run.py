"""Runs an audit: plan, work, judge, and a folder that says what was found.

A run folder holds ``spec.json`` (what was asked), ``results.json`` (what may be shared) and
``private/records.parquet`` (scores and texts, for its owner only).
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nonmember.audit import comparing, kinds, manifest, records, ways, whole
from nonmember.audit.engine import HERE, Engine, Watch, pending
from nonmember.audit.jobs import Job
from nonmember.audit.kinds import AnySpec
from nonmember.audit.placebo import BlindScores
from nonmember.audit.private import COLUMNS, RECORDS, SPEC
from nonmember.audit.records import Results, TargetResult
from nonmember.audit.ways import Way
from nonmember.errors import RunError, SpecError
from nonmember.signals.catalogue import REFERENCES
from nonmember.signals.store import Store

Observe = Callable[[Sequence[Job]], AbstractContextManager[Watch]]
ROWS = 10_000  # records written together
NO_REFERENCES = (
    "Attackers who train their own models: reference-model attacks (LiRA, RMIA) can find more."
)
PERSONS = "Persons: a person with many records can be exposed though no single record is."


def default_store() -> Path:
    """Where finished work is kept: ``$NONMEMBER_STORE``, or the user's cache folder."""
    chosen = os.environ.get("NONMEMBER_STORE")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen).expanduser() if chosen else cache / "nonmember"


@contextmanager
def unobserved(_pending: Sequence[Job]) -> Iterator[Watch]:
    """An observer that shows nothing."""
    yield lambda _what, _share: None


def audit(
    spec: AnySpec,
    output: Path,
    store: Store,
    observe: Observe = unobserved,
    engine: Engine = HERE,
    given: Any = None,
) -> Results:
    """Do what ``spec`` asks and leave the results in ``output``. Finished work is not repeated.

    Args:
        spec: what is asked.
        output: the run folder; made if it is not there.
        store: where finished work is kept.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where the jobs are done; in this process if not given.
        given: what a caller handed over in memory, as the kind of audit takes it.

    Raises:
        NonmemberError: something named by the spec cannot be used; raised before any work.
    """
    check(output, spec)
    way = ways.of(spec)
    subject = way.inspect(spec) if given is None else way.inspect(spec, given)
    return carry_out(subject, output, store, observe, engine)


def carry_out(
    subject: Any, output: Path, store: Store, observe: Observe, engine: Engine
) -> Results:
    """Audit what was inspected, in a folder that was checked."""
    way = ways.of(subject.spec)
    claim(output, subject.spec)
    while True:
        todo = way.plan(subject)
        with observe(pending(todo.jobs, store)) as watch:
            engine.run(todo.jobs, store, watch)
            wider = way.wider(subject, todo, store)
            if wider is None:
                return conclude(subject, todo, store, output, watch)
        subject = wider


def check(output: Path, spec: AnySpec) -> None:
    """Refuse a folder that is not this spec's; what the page shows does not make another spec.

    Raises:
        RunError: it holds another spec's run, or something that is no run.
    """
    if not (output / SPEC).is_file():
        if output.exists() and (not output.is_dir() or any(output.iterdir())):
            raise RunError(f"{output}: holds something that is no run; choose another --output")
        return
    there, wanted = _results_of(asked(output)), _results_of(spec)
    parts = [key for key in wanted if key != "report" and there[key] != wanted[key]]
    if parts:
        raise RunError(
            f"{output}: holds the run of another spec (they differ in {', '.join(parts)}); "
            "choose another --output, or remove it"
        )


def _results_of(spec: AnySpec) -> dict[str, Any]:
    """What of a spec decides the results: not how fast an endpoint is asked."""
    values = spec.model_dump()
    for target in values["targets"].values():
        for pace in ("at_once", "per_second", "insecure"):
            (target.get("endpoint") or {}).pop(pace, None)
    return values


def asked(output: Path) -> AnySpec:
    """What a run was asked.

    Raises:
        RunError: its spec is missing or damaged.
    """
    path = output / SPEC
    try:
        return kinds.parse(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (OSError, ValueError, SpecError) as error:
        raise RunError(
            f"{path}: damaged or missing ({error}); remove {output} or choose another --output"
        ) from None


def claim(output: Path, spec: AnySpec) -> None:
    """Make ``output`` this spec's folder."""
    output.mkdir(parents=True, exist_ok=True)
    (output / "private").mkdir(mode=0o700, exist_ok=True)
    whole.write(output / SPEC, json.dumps(spec.model_dump(mode="json"), indent=1).encode(), 0o600)


def conclude(subject: Any, todo: Any, store: Store, output: Path, watch: Watch) -> Results:
    """Judge every target from the store's answers and write the run folder."""
    way, scores = ways.of(subject.spec), dict[str, np.ndarray]()
    sides, blind = list[comparing.Side](), BlindScores()
    for target in subject.targets:
        watch(f"judge {target.name}", 1.0)
        found, own = way.judged(target, subject, todo, store, blind)
        sides.append(comparing.Side(found, own))
        scores |= {f"{target.name}.{name}": values for name, values in own.items()}
    targets = tuple(side.found for side in sides)
    results = Results(
        schema=records.SCHEMA,
        kind=subject.spec.kind,
        title=subject.spec.title,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        level=subject.spec.evaluation.level,
        data=way.data(subject),
        targets=targets,
        not_covered=tuple(_not_covered(targets, way)),
        findings=subject.findings,
        provenance=way.provenance(subject, todo, store),
        differences=comparing.within(sides, subject.candidates.split, subject.spec),
    )
    manifest.withdraw(output)
    _write_private(output / RECORDS, subject, scores)
    whole.write(output / "results.json", records.dump(results))
    return results


def _not_covered(targets: Sequence[TargetResult], way: Way) -> Iterator[str]:
    """Who was not looked at, in words."""
    needs = {need for target in targets for attack in target.attacks for need in attack.needs}
    if not any(need.startswith(REFERENCES) for need in needs):
        yield NO_REFERENCES
    yield from way.not_covered
    if not any(target.persons for target in targets):
        yield PERSONS


def _write_private(path: Path, subject: Any, scores: Mapping[str, np.ndarray]) -> None:
    """Every record with its scores, some at a time."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    way, candidates = ways.of(subject.spec), subject.candidates
    split, every = candidates.split, np.arange(len(candidates.split.member))
    schema = pa.schema({**COLUMNS, **way.columns, **dict.fromkeys(scores, pa.float64())})
    with pq.ParquetWriter(part, schema) as writer:
        for start in range(0, len(every), ROWS):
            rows = slice(start, start + ROWS)
            columns = {
                "record": candidates.ids(every[rows]),
                "group": split.group[rows],
                "member": split.member[rows],
                **way.private(subject, rows),
                **{name: values[rows] for name, values in scores.items()},
            }
            writer.write_table(pa.table(columns, schema))
    part.replace(path)
