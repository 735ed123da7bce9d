"""What a user can do, as functions; the command line says the same words."""

import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from nonmember.audit import delivery, engine, records, run
from nonmember.audit import spec as specs
from nonmember.audit.jobs import Job
from nonmember.audit.order import Order
from nonmember.audit.plan import plan
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.audit.spec import Spec, Take
from nonmember.audit.subject import inspect
from nonmember.errors import DataError, SpecError
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


def protect(
    order: Order | Mapping[str, Any],
    output: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
) -> dict[str, Any]:
    """Make a data set safer to fine-tune on; the new one is written in the old one's format.

    Beside ``output`` lie its manifest, which may be shared, and a private folder with the
    ledger. The same call after an interruption goes on where it stopped.

    Args:
        order: what is asked, or its values as a mapping.
        output: where the new data set goes; nothing is there yet.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.

    Returns:
        The manifest: counts, digests and settings.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    asked = order if isinstance(order, Order) else specs.checked(Order, order, "protect")
    found = delivery.prepare(asked, delivery.beside(Path(output)))
    kept = as_store(store)
    with observe(engine.pending(found.jobs, kept)) as watch:
        return delivery.deliver(found, kept, watch)


def protect_dataset(
    dataset: Any,
    order: Mapping[str, Any],
    private: str | Path,
    *,
    store: str | Path | None = None,
    observe: Observe = unobserved,
) -> Any:
    """A ``datasets.Dataset`` made safer, for whatever trains on it.

    Args:
        dataset: the records, as ``protect`` reads them from a file.
        order: as for ``protect``, without ``data``.
        private: a folder that is made, for the ledger; its owner alone can read it.
        store: as for ``protect``.
        observe: as for ``protect``.

    Returns:
        A new data set, its features and other columns as they were, in memory.

    Raises:
        NonmemberError: as for ``protect``.
    """
    if not hasattr(dataset, "save_to_disk") or "data" in order:
        raise DataError(
            "protect_dataset: give a datasets.Dataset, in memory or mapped, and an order without "
            "`data`; `protect` takes a file"
        )
    with tempfile.TemporaryDirectory(prefix="nonmember-") as room:
        source, made = Path(room, "dataset"), Path(room, "protected")
        dataset.save_to_disk(str(source))
        places = delivery.Places(
            made, Path(private), Path(private) / delivery.MANIFEST_NAME, source
        )
        asked = specs.checked(Order, {**order, "data": source.name}, "protect_dataset")
        found, kept = delivery.prepare(asked, places), as_store(store)
        with observe(engine.pending(found.jobs, kept)) as watch:
            delivery.deliver(found, kept, watch)
        return type(dataset).load_from_disk(str(made), keep_in_memory=True)


def protect_order(
    data: str,
    model: str,
    *,
    ratio: float = 0.5,
    deduplicate: bool = False,
    defense: Mapping[str, Any] = MappingProxyType({}),
    rewriter: Mapping[str, Any] = MappingProxyType({}),
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Order:
    """The order of ``nonmember protect``: SOFT at a ratio.

    Args:
        data: the records' file.
        model: the base that will be fine-tuned on them.
        ratio: share of the records to be rewritten.
        deduplicate: whether copies and near copies are dropped first.
        defense: further settings, such as ``selector``.
        rewriter: the rewriter's, such as its ``name``.
        settings: further keys of the order, such as ``field``.

    Raises:
        SpecError: a value that cannot be.
    """
    soft = {"name": "soft", "options": {"ratio": ratio}, "rewriter": dict(rewriter), **defense}
    first = [{"name": "deduplicate"}] if deduplicate else []
    values = {"data": data, "model": model, "defenses": [*first, soft], **settings}
    return specs.checked(Order, values, "protect")


def demo_spec(*, quick: bool = False) -> Spec:
    """The spec of the demo: a leaky model and a control, on functions of the standard library."""
    spec = specs.read(Path(str(files("nonmember") / "demo.toml")))
    data = spec.data.model_copy(update={"take": QUICK} if quick else {})
    return spec.model_copy(update={"data": data})


def llm_spec(  # noqa: PLR0913  (one parameter per flag, as in cli)
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


def option_values(flag: str, pairs: Sequence[str]) -> dict[str, Any]:
    """Options from flags of the form NAME=VALUE; a value that is not TOML is a string.

    Raises:
        SpecError: one has another form.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name.isidentifier():
            raise SpecError(f"{flag} {pair!r}: not of the form NAME=VALUE; write it so")
        try:
            found[name] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = value
    return found


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
