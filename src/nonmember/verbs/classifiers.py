"""Audits of classifiers, of models and data that are in memory or on disk."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from nonmember.audit.classifiers.candidates import Sides, none_of
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Given
from nonmember.audit.engine import HERE, Engine
from nonmember.audit.parts import checked
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, audit, unobserved
from nonmember.data.examples import Examples, of
from nonmember.errors import DataError
from nonmember.models import classifiers
from nonmember.models.content import identity
from nonmember.models.source import digest
from nonmember.types import Inputs
from nonmember.verbs.audits import as_store
from nonmember.verbs.report import write_report

Labelled = Examples | tuple[Any, Any] | str | Path
NONE: Mapping[str, Any] = MappingProxyType({})
IN_MEMORY = " in memory"
WHERE = "audit_classifier"


def audit_classifier(  # noqa: PLR0913  (as every verb, and what references are made of)
    model: Any,
    members: Labelled,
    non_members: Labelled,
    output: str | Path,
    *,
    architecture: Any = None,
    settings: Mapping[str, Any] = NONE,
    store: str | Path | None = None,
    observe: Observe = unobserved,
    engine: Engine = HERE,
) -> Results:
    """Audit a classifier; leave results and a page in ``output``.

    The same call after an interruption goes on where it stopped.

    Args:
        model: a torch network with an output per class, a fitted scikit-learn classifier, or
            what names one on disk.
        members: what it was trained on: inputs (n ...) and their n classes from 0, or a file.
        non_members: examples like them that it was not trained on, in the same form.
        output: the run folder.
        architecture: what reference models are made of: a function that returns a new network,
            an estimator, ``package.module:factory``, or a packaged network's name. A
            scikit-learn model is its own; without one, no reference model is trained.
        settings: further keys of the spec, such as ``references`` or ``attacks``.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where they are done; in this process if not given.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    held: dict[str, Any] = {}
    data, sides = both_sides(members, non_members, WHERE)
    values = dict(settings)
    references = dict(values.pop("references", {}))
    if architecture is not None:
        references["architecture"] = named(architecture, held, identity)
    spec = classifier_spec(
        named(model, held, lambda one: classifiers.of(one).digest),
        target=dict(values.pop("target", {})),
        data={**data, **values.pop("data", {})},
        references=references,
        settings=values,
    )
    folder = Path(output)
    results = audit(spec, folder, as_store(store), observe, engine, Given(held, sides))
    write_report(folder)
    return results


def classifier_spec(
    model: str,
    *,
    data: Mapping[str, Any],
    target: Mapping[str, Any] = NONE,
    references: Mapping[str, Any] = NONE,
    settings: Mapping[str, Any] = NONE,
) -> ClassifierSpec:
    """The spec of ``nonmember audit classifier``: one model, two files of examples.

    Args:
        model: what names the classifier.
        data: the spec's ``data``: ``members``, ``non_members``, and how they are read.
        target: further keys of the spec's target, such as ``weights``.
        references: the spec's ``references``.
        settings: further keys of the spec.

    Raises:
        SpecError: a value that cannot be.
    """
    values = {
        "kind": "classifier",
        "title": f"Membership audit of {Path(model.split(IN_MEMORY, maxsplit=1)[0]).name}",
        "data": dict(data),
        "targets": {"model": {"model": model, **target}},
        "references": dict(references),
        **settings,
    }
    return checked(ClassifierSpec, values, "audit classifier")


def both_sides(
    members: Labelled, non_members: Labelled, where: str
) -> tuple[dict[str, Any], Sides | None]:
    """What names both sides in a spec, and themselves where they are in memory.

    Raises:
        DataError: naming ``where``: one is a file, or of another form than can be used.
    """
    files = [isinstance(side, str | Path) for side in (members, non_members)]
    if all(files):
        return {"members": str(members), "non_members": str(non_members)}, None
    if any(files):
        raise DataError(f"{where}: one side is a file and the other is not; give both in one form")
    inside, outside = (
        examples_of(members, "member", where),
        examples_of(non_members, "non-member", where),
    )
    names = {"members": content(inside), "non_members": content(outside)}
    return names, Sides(inside, outside, none_of(inside))


def examples_of(given: Any, name: str, where: str) -> Examples:
    """Examples of this name in one form, of any in which they may be handed over.

    Raises:
        DataError: naming ``where``, for another form.
    """
    if isinstance(given, Examples):
        return given
    try:
        inputs, labels = given
    except (TypeError, ValueError):
        raise DataError(
            f"{where}: the {name}s are no pair; give inputs and labels, or a file"
        ) from None
    return of(_inputs(inputs, name, where), np.asarray(labels), name=name)


def _inputs(given: Any, name: str, where: str) -> Inputs:
    """Texts as a list; tensors, frames and nested lists of numbers as an array."""
    if isinstance(given, Sequence) and all(isinstance(one, str) for one in given):
        return list(given)
    try:
        found = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):  # rows of several lengths, or on a device
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "biuf" or found.ndim < 2:
        raise DataError(
            f"{where}: the {name}s' inputs are a {type(given).__name__} that makes no "
            "array of numbers; give a row or an image for each, or texts"
        )
    return found


def content(examples: Examples) -> str:
    """What names examples in memory."""
    return f"in memory: {digest(examples.digests.tobytes(), examples.labels.tobytes())}"


def named(thing: Any, held: dict[str, Any], digest_of: Callable[[Any], str]) -> str:
    """What names a model or an architecture in a spec; what is in memory is put aside."""
    if isinstance(thing, str | Path):
        return str(thing)
    name = getattr(thing, "__name__", type(thing).__name__)
    called = f"{name}{IN_MEMORY}: {digest_of(thing)}"
    held[called] = thing
    return called
