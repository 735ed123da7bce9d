"""What an audit of classifiers is about: examples read, models found, all checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import threat
from nonmember.audit.canaries import bounds
from nonmember.audit.cases import about_data
from nonmember.audit.classifiers import defenses, made
from nonmember.audit.classifiers.calibrated import calibrated
from nonmember.audit.classifiers.candidates import Candidates, Sides, read_candidates
from nonmember.audit.classifiers.defenses import Guard, Regenerator
from nonmember.audit.classifiers.made import Trained
from nonmember.audit.classifiers.means import Means, lacks
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.spec import Target as TargetSpec
from nonmember.audit.parts import Common
from nonmember.data.near import near_arrays, near_texts
from nonmember.errors import ModelError, NonmemberError, SpecError
from nonmember.evaluation import precision
from nonmember.evaluation.checks import Finding
from nonmember.models import causal, classifiers
from nonmember.models.causal import Placement
from nonmember.models.classifiers import ClassifierSource
from nonmember.training.objectives import Private


@dataclass(frozen=True)
class Target:
    """A classifier to audit; one that is there (``source``), or one trained here.

    ``references`` are the models that it is compared with, if any. ``guard`` are the defenses
    that stand before it, and before each of these.
    """

    name: str
    source: ClassifierSource | None
    made: Trained | None
    references: Trained | None
    guard: Guard | None
    attacks: tuple[Attack, ...]
    left_out: Mapping[str, str]

    looks: int = 1
    prompts_per_text = 1
    meets = ""


@dataclass(frozen=True)
class Subject:
    """A spec together with everything it names; ``regenerator`` is what defenders have."""

    spec: ClassifierSpec
    candidates: Candidates
    regenerator: Regenerator | None
    targets: tuple[Target, ...]
    where: Placement
    findings: tuple[Finding, ...]

    @property
    def private(self) -> bool:
        """Whether a target is trained under differential privacy, so that no seed may be told."""
        recipes = (one.made.recipe for one in self.targets if one.made is not None)
        return any(isinstance(one.objective, Private) for one in recipes)

    @property
    def grouped(self) -> bool:
        """Whether the examples say whose they are."""
        return any(group is not None for group in self.candidates.examples.groups)


@dataclass(frozen=True)
class Given:
    """What a caller hands over in memory: models and architectures by name, and both sides."""

    models: Mapping[str, Any] = field(default_factory=dict)
    sides: Sides | None = None


def inspect(spec: ClassifierSpec, given: Given = Given()) -> Subject:
    """Read and check all that ``spec`` names; whatever is wrong is raised here, before work.

    Raises:
        DataError, ModelError, SpecError: one sentence saying where, what, and what to do.
    """
    threat.check(spec)
    where = causal.placement(spec.compute.device, "float32")
    sources = {
        name: source_of(name, one.model, one.weights, given.models)
        for name, one in spec.targets.items()
    }
    names = _class_names(sources)
    candidates = read_candidates(spec.data, names, given.sides, seed=spec.seed)
    by = defenses.regenerator(spec, candidates)
    targets = tuple(
        _target(spec, name, source, _as_known(name, source, candidates, where), given, by)
        for name, source in sources.items()
    )
    bounds.check(candidates, targets, spec.data.guess_by)
    told = (*calibrated(spec.data, candidates, names), *findings(spec, candidates))
    return Subject(spec, candidates, by, targets, where, told)


def _class_names(sources: Mapping[str, ClassifierSource | None]) -> tuple[str, ...] | None:
    """What the targets call their classes, in order, where any says.

    Raises:
        SpecError: they do not agree, so that no numbering of labels serves them all.
    """
    told = {
        name: one.class_names
        for name, one in sources.items()
        if one is not None and one.class_names is not None
    }
    if len(set(told.values())) > 1:
        raise SpecError(
            f"targets: {', '.join(told)} name their classes differently; audit each by itself"
        )
    return next(iter(told.values()), None)


def source_of(
    name: str, model: str | None, weights: str | None, given: Mapping[str, Any]
) -> ClassifierSource | None:
    """The target's model, if it is there.

    Raises:
        ModelError: it cannot be used, naming the target.
    """
    if model is None:
        return None
    try:
        if model in given:
            return classifiers.of(given[model])
        return classifiers.find(model, weights=weights)
    except ModelError as error:
        raise ModelError(f"targets.{name}: {error}") from None


def _as_known(
    name: str, source: ClassifierSource | None, candidates: Candidates, where: Placement
) -> Candidates:
    """The candidates, of as many classes as a model that is there knows; asked of some of them.

    Raises:
        ModelError, DataError: it does not answer as a classifier of these, naming the target.
    """
    if source is None:
        return candidates
    try:
        model = classifiers.load(source, str(where.device), candidates.every)
    except NonmemberError as error:
        raise type(error)(f"targets.{name}: {error}") from None
    return replace(candidates, classes=model.classes)


def _target(
    spec: ClassifierSpec,
    name: str,
    source: ClassifierSource | None,
    candidates: Candidates,
    given: Given,
    by: Regenerator | None,
) -> Target:
    try:
        own = None if source else _made(spec, name, candidates, given)
        references = _references(spec, name, candidates, given)
        guard = _guard(spec, name, by, source)
        defenses.check_labels(candidates)
    except NonmemberError as error:
        raise type(error)(f"targets.{name}: {error}") from None
    means = Means(
        access=source.access if source else "weights",
        asks=source.asks if source else True,
        arrays=isinstance(candidates.examples.inputs, np.ndarray),
        population=len(candidates.population),
        references=0 if references is None else len(references.models),
        diffusion=by is not None,
    )
    attacks, left_out = threat.chosen(spec, lacks(spec, means))
    if references is not None and not threat.compares(attacks):
        references = None
    looks = _looks(spec, references)
    return Target(name, source, own, references, guard, attacks, left_out, looks)


def _guard(
    spec: ClassifierSpec, name: str, by: Regenerator | None, source: ClassifierSource | None
) -> Guard | None:
    """What stands before the target; None: nothing does."""
    steps = defenses.steps(spec, name, "inference")
    if steps and source is not None and not source.asks:
        raise ModelError(
            f"{source.name}: a file of answers, and what stands before a model asks it anew; give "
            "the model"
        )
    if [one.defense.name for one in steps].count("diffence") > 1:
        raise SpecError("defenses: diffence stands there twice; leave it out once")
    needed = any("copies" in one.defense.needs for one in steps)
    return (
        Guard(steps, by if needed else None, defenses.secret(spec.seed, "fence")) if steps else None
    )


def _looks(spec: ClassifierSpec, references: Trained | None) -> int:
    """At how many numbers of references the audit may end."""
    how = spec.references
    if references is None or how.precision is None:
        return 1
    return len(precision.rounds(how.most, first=how.count))


def _made(spec: ClassifierSpec, name: str, candidates: Candidates, given: Given) -> Trained:
    """How the target is to be trained."""
    asked, recipe = spec.targets[name], defenses.recipe(spec, name)
    control = asked.trained_on == "control"
    examples = candidates.control if control else candidates.members
    architecture = made.architecture(
        str(asked.architecture), candidates, given.models, asked.options
    )
    reserve = defenses.reserve(recipe, asked, candidates)
    return made.on_all(architecture, recipe, examples, spec.seed, reserve)


def _references(
    spec: ClassifierSpec, target: str, candidates: Candidates, given: Given
) -> Trained | None:
    """The reference models of a target: of its own kind, if that is known, else as asked.

    They are trained with its defenses.
    """
    how, asked = spec.references, spec.targets[target]
    name = asked.architecture or how.architecture or _own_architecture(asked, given)
    if not how.count or name is None or not threat.compares(threat.asked(spec)):
        return None
    recipe = defenses.recipe(spec, target) if asked.architecture else how.recipe
    reserve = defenses.reserve(recipe, asked, candidates)
    options = asked.options if asked.architecture else how.options
    architecture = made.architecture(name, candidates, given.models, options)
    if how.precision is not None:
        made.on_halves(architecture, recipe, candidates, how.most, spec.seed, reserve)
    return made.on_halves(architecture, recipe, candidates, how.count, spec.seed, reserve)


def with_references(target: Target, subject: Subject, count: int) -> Target:
    """The target compared with so many reference models, of which the first are the same."""
    known, seed = target.references, subject.spec.seed
    assert known is not None
    how = (known.architecture, known.recipe, subject.candidates)
    return replace(target, references=made.on_halves(*how, count, seed, known.reserve))


def _own_architecture(asked: TargetSpec, given: Given) -> str | None:
    """What a model that is there says of how others like it are made."""
    name = str(asked.model)
    if name in given.models and hasattr(given.models[name], "get_params"):
        return name
    return name if asked.weights is not None else None


def _near(candidates: Candidates) -> list[tuple[str, str, float]]:
    """Members that are nearly a non-member, and that one."""
    split, inputs = candidates.split, candidates.examples.inputs
    places = [np.flatnonzero(side) for side in (split.member, ~split.member)]
    if isinstance(inputs, np.ndarray):
        found = near_arrays(*(inputs[side] for side in places))
    else:
        found = near_texts(*([inputs[i] for i in side.tolist()] for side in places))
    inside, outside = (candidates.ids(side) for side in places)
    return [(inside[n.member], outside[n.non_member], n.similarity) for n in found]


def findings(spec: Common, candidates: Candidates) -> tuple[Finding, ...]:
    """What the data alone tell a reader to beware of.

    Of canaries, which differ, only what names none: who is near whom across the split is a coin.
    """
    if candidates.canaries is not None:
        return about_data(spec, candidates.split, (), ())
    return about_data(spec, candidates.split, _copies(candidates), _near(candidates))


def _copies(candidates: Candidates) -> list[str]:
    """Those that repeat another on their side."""
    copies: list[str] = []
    codes = candidates.examples.digests.copy().view("V16")[:, 0]
    for side in (candidates.split.member, ~candidates.split.member):
        places = np.flatnonzero(side)
        _, first = np.unique(codes[places], return_index=True)
        copies += candidates.ids(np.delete(places, first))
    return copies
