"""Diffence around a classifier: attacked before and after, and written as a model that serves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nonmember.audit import manifest, run
from nonmember.audit.classifiers import delivery, subject
from nonmember.audit.classifiers.candidates import Sides
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Given
from nonmember.audit.engine import HERE, Engine
from nonmember.audit.parts import checked
from nonmember.audit.records import Results
from nonmember.audit.run import Observe, unobserved
from nonmember.errors import DataError, SpecError, unknown
from nonmember.models import classifiers
from nonmember.models.content import identity
from nonmember.verbs.audits import as_store
from nonmember.verbs.classifiers import (
    IN_MEMORY,
    NONE,
    Labelled,
    both_sides,
    content,
    examples_of,
    named,
)
from nonmember.verbs.report import write_report
from nonmember.verbs.specs import option_values

AS_IT_IS, LABEL_ALONE, FENCED = "as it is", "label alone", "fenced"
"""The targets of a fence's audit: without, with the trivial defense, and with Diffence."""
CALIBRATION = 0.3
SETTINGS = ("t", "n", "sampler", "nfe", "low", "high")
"""What can be said of a regeneration."""
WHERE = "fence"
NOTHING = Given()


def fence(  # noqa: PLR0913  (as every verb, and what a fence is made of)
    model: Any,
    members: Labelled,
    non_members: Labelled,
    public: Labelled,
    output: str | Path,
    *,
    options: Mapping[str, Any] = NONE,
    architecture: Any = None,
    settings: Mapping[str, Any] = NONE,
    store: str | Path | None = None,
    observe: Observe = unobserved,
    engine: Engine = HERE,
) -> Results:
    """Put Diffence around a classifier; attack it before and after; write it to ``output/fenced``.

    Results and a page are left in ``output``. The same call after an interruption goes on where
    it stopped.

    Args:
        model: a torch network with an output per class, a fitted scikit-learn classifier, or
            what names one on disk.
        members: what it was trained on: inputs (n ...) and their n classes from 0, or a file.
        non_members: examples like them that it was not trained on, in the same form.
        public: others like them, in neither: a diffusion model is trained on them, where no
            folder of one is among the settings, and they stand in where no copy keeps a label.
        output: the run folder.
        options: of ``diffence``, such as ``selector``.
        architecture: what reference models are made of; without one, none is trained.
        settings: further keys of the spec, such as ``diffusion``, ``data`` or ``attacks``.
        store: where finished work is kept; the user's cache folder if not given.
        observe: given the jobs still to do, opens what is told of their progress.
        engine: where they are done; in this process if not given.

    Raises:
        NonmemberError: one sentence saying where, what, and what to do; before any work.
    """
    held: dict[str, Any] = {}
    data, sides = _examples(members, non_members, public)
    values = dict(settings)
    references = dict(values.pop("references", {}))
    if architecture is not None:
        references["architecture"] = named(architecture, held, identity)
    spec = fence_spec(
        named(model, held, lambda one: classifiers.of(one).digest),
        data={**data, **values.pop("data", {})},
        options=options,
        target=dict(values.pop("target", {})),
        references=references,
        settings=values,
    )
    given = Given(held, sides)
    return fence_by_spec(spec, output, given=given, store=store, observe=observe, engine=engine)


def _examples(
    members: Labelled, non_members: Labelled, public: Labelled
) -> tuple[dict[str, Any], Sides | None]:
    """What names all three in a spec, and themselves where they are in memory."""
    data, sides = both_sides(members, non_members, WHERE)
    if isinstance(public, str | Path) != (sides is None):
        raise DataError(f"{WHERE}: give members, non-members and public examples in one form")
    if sides is None:
        return {**data, "public": str(public)}, None
    others = examples_of(public, "public example", WHERE)
    return {**data, "public": content(others)}, sides.beside(others)


def fence_by_spec(
    spec: ClassifierSpec,
    output: str | Path,
    *,
    given: Given = NOTHING,
    store: str | Path | None = None,
    observe: Observe = unobserved,
    engine: Engine | None = None,
) -> Results:
    """Carry out what ``fence_spec`` made.

    Raises:
        NonmemberError: as for ``fence``.
    """
    folder, kept, where = Path(output), as_store(store), engine or HERE
    delivery.check(folder / FENCED)
    run.check(folder, spec)
    found = subject.inspect(spec, given)
    delivery.check_model(found, FENCED)
    results = run.carry_out(found, folder, kept, observe, where)
    write_report(folder)
    delivery.deliver(found, FENCED, kept, folder / FENCED, observe, where)
    manifest.update(folder, FENCED)
    return results


def regeneration(
    model: str | None, settings: Sequence[str], recipe: Sequence[str]
) -> dict[str, Any]:
    """A spec's ``diffusion`` of what the command line says of it.

    Raises:
        SpecError: a setting that is none of the regeneration's.
    """
    given = option_values("--regenerate", settings)
    for name in given:
        if name not in SETTINGS:
            raise SpecError(f"--regenerate: {unknown('setting', name, SETTINGS)}")
    trained = {"recipe": option_values("--recipe", recipe)} if recipe else {}
    return {"model": model, **given, **trained}


def fence_spec(
    model: str,
    *,
    data: Mapping[str, Any],
    options: Mapping[str, Any] = NONE,
    target: Mapping[str, Any] = NONE,
    references: Mapping[str, Any] = NONE,
    settings: Mapping[str, Any] = NONE,
) -> ClassifierSpec:
    """The spec of ``nonmember fence``: a model as it is, its labels alone, and behind Diffence.

    Args:
        model: what names the classifier.
        data: the spec's ``data``: ``members``, ``non_members``, ``public``, and how they are read.
        options: of ``diffence``.
        target: further keys of the spec's targets, such as ``weights``.
        references: the spec's ``references``.
        settings: further keys of the spec.

    Raises:
        SpecError: a value that cannot be.
    """
    if not data.get("public"):
        raise SpecError("fence: needs --public: examples that are neither members nor non-members")
    if "targets" in settings:
        raise SpecError("fence: makes its targets itself; leave targets out of the settings")
    kind = references.get("architecture") or target.get("weights") or IN_MEMORY in model
    if references.get("count") and not kind:
        raise SpecError(
            "fence: --references are of an unknown kind; say what they are made of with "
            "--architecture, or leave them out"
        )
    own = {"model": model, **target}
    trivial, diffence = {"name": "constant_confidence"}, {"name": "diffence", "options": options}
    values = {
        "kind": "classifier",
        "title": "A classifier behind Diffence, and without",
        "data": {"calibration": CALIBRATION, **data},
        "targets": {
            AS_IT_IS: own,
            LABEL_ALONE: {**own, "defenses": [trivial]},
            FENCED: {**own, "defenses": [diffence]},
        },
        "references": dict(references),
        "diffusion": {},
        **settings,
    }
    return checked(ClassifierSpec, values, "fence")
