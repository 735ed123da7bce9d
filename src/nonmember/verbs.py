"""What a user can do, as functions; the command line says the same words."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from nonmember.audit import records, run
from nonmember.audit import spec as specs
from nonmember.audit.plan import Job, plan
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.audit.spec import Spec
from nonmember.audit.subject import inspect
from nonmember.report import page
from nonmember.signals.store import Store


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
    write_report(folder, show_text=asked.report.show_text)
    return results


def dry_run(
    spec: Spec | Mapping[str, Any] | str | Path, *, store: str | Path | None = None
) -> tuple[tuple[Job, ...], tuple[Job, ...]]:
    """The jobs that ``audit_spec`` would do and those it would find done, after all its checks."""
    shelf = as_store(store)
    jobs = plan(inspect(as_spec(spec))).jobs
    done = tuple(job for job in jobs if shelf.has(job.address))
    return tuple(job for job in jobs if job not in done), done


def write_report(folder: str | Path, *, show_text: bool = False) -> Path:
    """Write the page of a finished run anew and return its path.

    Args:
        folder: the run.
        show_text: whether the most exposed records' texts are on the page.
    """
    path = Path(folder)
    results = records.load(path)
    texts = run.exposed_texts(path, results) if show_text else None
    page.write(results, path / "report.html", texts)
    return path / "report.html"


def demo_spec(*, quick: bool = False) -> Spec:
    """The spec of the demo: a leaky model and a control, on functions of the standard library."""
    name = "demo_quick.toml" if quick else "demo.toml"
    return specs.read(Path(str(files("nonmember") / "specs" / name)))


def as_spec(spec: Spec | Mapping[str, Any] | str | Path) -> Spec:
    """A checked spec from any form in which one may be given."""
    if isinstance(spec, Spec):
        return spec
    return specs.parse(spec, "spec") if isinstance(spec, Mapping) else specs.read(Path(spec))


def as_store(store: str | Path | None) -> Store:
    """The store at a path; the default one for None."""
    return Store(Path(store).expanduser() if store is not None else run.default_store())
