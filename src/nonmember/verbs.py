"""What a user can do, as functions; the command line says the same words."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nonmember.audit import engine, records, run
from nonmember.audit import spec as specs
from nonmember.audit.jobs import Job
from nonmember.audit.plan import plan
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.audit.spec import Spec, Take
from nonmember.audit.subject import inspect
from nonmember.report import page
from nonmember.signals.store import Store

QUICK = Take(members=48, non_members=112, control=48)


def audit_spec(
    spec: Spec | Mapping[str, Any] | str | Path,
    output: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
) -> Results:
    """Audit the models that ``spec`` names; leave results and a page in ``output``.

    The same call after an interruption goes on where it stopped.

    Args:
        spec: a spec, its values as a mapping, or the path of its TOML file.
        output: the run folder.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    asked, folder = as_spec(spec), Path(output)
    results = run.audit(asked, folder, as_store(store), observe)
    write_report(folder)
    return results


def dry_run(
    spec: Spec | Mapping[str, Any] | str | Path, *, store: str | Path | None = None
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs that ``audit_spec`` would do and those it would find done, after all its checks."""
    jobs = plan(inspect(as_spec(spec))).jobs
    waiting = engine.pending(jobs, as_store(store))
    addresses = {job.address for job in waiting}
    return tuple(waiting), tuple(job for job in jobs if job.address not in addresses)


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
    shown = run.asked(path).report.show_text if show_text is None else show_text
    texts = run.exposed_texts(path, results) if shown else None
    page.write(results, path / "report.html", texts)
    return path / "report.html"


def demo_spec(*, quick: bool = False) -> Spec:
    """The spec of the demo: a leaky model and a control, on functions of the standard library."""
    spec = specs.read(Path(str(files("nonmember") / "demo.toml")))
    data = spec.data.model_copy(update={"take": QUICK} if quick else {})
    return spec.model_copy(update={"data": data})


def llm_spec(  # noqa: PLR0913  (one parameter per flag, as cli.py)
    model: str,
    members: str,
    non_members: str,
    *,
    target: Mapping[str, Any] = MappingProxyType({}),
    data: Mapping[str, Any] = MappingProxyType({}),
    attacks: Mapping[str, Any] = MappingProxyType({}),
    fpr: Sequence[float] = (),
    seed: int = 0,
    compute: Mapping[str, Any] = MappingProxyType({}),
    show_text: bool = False,
) -> Spec:
    """The spec of ``nonmember audit llm``: one model, two files of records.

    Args:
        model: the fine-tuned model: a path, a packaged name, or an endpoint's address.
        members: records it was trained on.
        non_members: records like them that it was not.
        target: further keys of the spec's target, such as ``base``.
        data: further keys of the spec's ``data``, such as ``field`` or ``max_tokens``.
        attacks: the spec's ``attacks``: which to ``run``, at which ``access``.
        fpr: false-positive rates to report; 0.01 if empty.
        seed: root of all randomness.
        compute: the spec's ``compute``.
        show_text: whether exposed records' texts are on the page.

    Raises:
        SpecError: a value that cannot be.
    """
    values = {
        "title": f"Membership audit of {Path(model).name}",
        "seed": seed,
        "data": {"members": members, "non_members": non_members, **data},
        "targets": {"model": {"model": model, **target}},
        "attacks": dict(attacks),
        "evaluation": {"fpr": tuple(fpr)} if fpr else {},
        "compute": dict(compute),
        "report": {"show_text": show_text},
    }
    return specs.parse(values, "audit llm")


def endpoint_values(
    served: str | None, tokenizer: str | None, per_second: float | None, *, insecure: bool
) -> dict[str, Any] | None:
    """The spec's ``endpoint`` from flags; None where nothing is said of one."""
    given = {"served": served, "tokenizer": tokenizer, "per_second": per_second}
    said = {key: value for key, value in given.items() if value is not None}
    return {**said, "insecure": insecure} if said or insecure else None


def incomplete(results: Results) -> bool:
    """Whether an attack that was to run gave no figure: then the audit has failed."""
    return any(f.code == "E110" for target in results.targets for f in target.findings)


def as_spec(spec: Spec | Mapping[str, Any] | str | Path) -> Spec:
    """A checked spec from any form in which one may be given."""
    if isinstance(spec, Spec):
        return spec
    return specs.parse(spec, "spec") if isinstance(spec, Mapping) else specs.read(Path(spec))


def as_store(store: str | Path | None) -> Store:
    """The store at a path; the default one for None."""
    return Store(Path(store).expanduser() if store is not None else run.default_store())
