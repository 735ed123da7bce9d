"""Defenses of a target, looked up and checked: how it is trained, and what stands before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.audit.classifiers.candidates import Candidates
from nonmember.audit.classifiers.spec import ClassifierSpec, Defense, Target
from nonmember.audit.classifiers.spec import Diffusion as DiffusionSpec
from nonmember.data.examples import Examples
from nonmember.defenses import every as _every  # noqa: F401  (fills the registry)
from nonmember.defenses import registry
from nonmember.errors import DataError, SpecError
from nonmember.models import diffusion
from nonmember.models.diffusion import Regeneration, noise
from nonmember.models.diffusion.codes import check_steps, outside
from nonmember.models.diffusion.schedule import linear
from nonmember.models.fence import keyed
from nonmember.models.source import digest
from nonmember.options import checked
from nonmember.seeds import derive
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.diffusion import check
from nonmember.training.diffusion_recipe import DiffusionRecipe
from nonmember.training.objectives import needs_reserve

FEWEST_PUBLIC = 100  # inputs that a diffusion model learns from
VERSION = 1  # of what defenses before a classifier do
MADE_BY = f"torch {version('torch')} diffusers {version('diffusers')}"


@dataclass(frozen=True)
class Step:
    """A defense and its options."""

    defense: registry.Defense
    options: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Names what it does."""
        return f"{self.defense.key} {sorted(self.options.items())}"


@dataclass(frozen=True)
class Learned:
    """A diffusion model to be trained here, on these examples."""

    examples: Examples
    recipe: DiffusionRecipe
    low: float
    high: float
    seed: int

    @property
    def digest(self) -> str:
        """Names it by all that decides it."""
        settings = f"{self.recipe} {self.low} {self.high} {self.seed}"
        return digest("diffusion", MADE_BY, settings, self.examples.digests.tobytes())


@dataclass(frozen=True)
class Folder:
    """A diffusion model that is there."""

    path: Path
    digest: str
    low: float
    high: float


@dataclass(frozen=True)
class Regenerator:
    """What gives copies of inputs: a diffusion model, how it is asked, and the key to its noise."""

    model: Learned | Folder
    how: Regeneration
    secret: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Names the copies that it gives; the secret by a hash of it."""
        told = f"{noise.VERSION} {MADE_BY} {self.model.digest} {self.how}"
        return digest(told, sha256(self.secret).hexdigest())


@dataclass(frozen=True)
class Guard:
    """Defenses that stand before a classifier, the innermost first."""

    steps: tuple[Step, ...]
    regenerator: Regenerator | None
    secret: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """Names what it does to any classifier."""
        by = "" if self.regenerator is None else self.regenerator.digest
        how = f"{VERSION} {keyed.VERSION}"
        hidden = sha256(self.secret).hexdigest()
        return digest(how, *(one.digest for one in self.steps), by, hidden)


def secret(root: int, name: str) -> bytes:
    """The key of an audit's draws, which follows from its seed; a model that serves has its own."""
    return sha256(f"{derive(root, name)}".encode()).digest()


def regenerator(spec: ClassifierSpec, candidates: Candidates) -> Regenerator | None:
    """What regenerates inputs, where a defense of the spec needs it or the spec asks for it.

    Raises:
        DataError: it is to be trained on nothing, or on inputs of an unknown range.
        ModelError: the folder holds no diffusion model.
    """
    needed = any("copies" in one.defense.needs for one in _all_steps(spec))
    if spec.diffusion is None and not needed:
        return None
    asked = spec.diffusion or DiffusionSpec()
    _check_public(candidates)
    how = Regeneration(t=asked.t, n=asked.n, sampler=asked.sampler, nfe=asked.nfe)
    model = (
        _folder(asked, candidates) if asked.model is not None else _learned(asked, spec, candidates)
    )
    for part in (candidates.every, candidates.public):
        outside(np.asarray(part.inputs), model.low, model.high)
    return Regenerator(model, how, secret(spec.seed, "fence"))


def _check_public(candidates: Candidates) -> None:
    """Refuse public examples of another form than the candidates'."""
    mine, theirs = candidates.examples.inputs, candidates.public.inputs
    if not isinstance(mine, np.ndarray) or not isinstance(theirs, np.ndarray):
        raise DataError("diffusion: inputs are texts; diffusion models regenerate arrays")
    if not len(candidates.public):
        return
    if theirs.shape[1:] != mine.shape[1:] or theirs.dtype.kind != mine.dtype.kind:
        raise DataError(
            f"public: inputs of {theirs.dtype} {theirs.shape[1:]}, and the candidates are "
            f"{mine.dtype} {mine.shape[1:]}; give all in one form"
        )


def check_labels(candidates: Candidates) -> None:
    """Refuse public examples of a class that a target does not know.

    Raises:
        DataError: naming the label.
    """
    highest = int(candidates.public.labels.max(initial=0))
    if highest >= candidates.classes:
        raise DataError(
            f"public: a label is {highest}, and there are the {candidates.classes} classes 0 to "
            f"{candidates.classes - 1}; give the same classes"
        )


def _all_steps(spec: ClassifierSpec) -> list[Step]:
    return [step for name in spec.targets for step in steps(spec, name, "inference")]


def _folder(asked: DiffusionSpec, candidates: Candidates) -> Folder:
    path = Path(str(asked.model)).expanduser().absolute()
    found = diffusion.find(str(path), low=asked.low, high=asked.high)
    shape = np.asarray(candidates.examples.inputs).shape[1:]
    if found.shape != shape:
        raise DataError(
            f"{path}: regenerates inputs of shape {found.shape}, and these are {shape}; give a "
            "diffusion model of such inputs"
        )
    check_steps(asked.t, found.alphas)
    return Folder(path, found.digest, found.low, found.high)


def _learned(asked: DiffusionSpec, spec: ClassifierSpec, candidates: Candidates) -> Learned:
    examples = candidates.public if asked.trained_on == "public" else candidates.members
    if len(examples) < FEWEST_PUBLIC:
        raise DataError(
            f"diffusion: {len(examples)} {asked.trained_on} examples to train a diffusion model "
            f"on, and it needs {FEWEST_PUBLIC}; give more (data.public, data.take.public), or the "
            "folder of one as diffusion.model"
        )
    low, high = _range(asked, examples)
    check_steps(asked.t, linear())
    check(np.asarray(examples.inputs), asked.recipe, low, high)
    return Learned(examples, asked.recipe, low, high, derive(spec.seed, "diffusion"))


def _range(asked: DiffusionSpec, examples: Examples) -> tuple[float, float]:
    """Of the inputs, as asked, or as their values say."""
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray):
        raise DataError("diffusion: inputs are texts; diffusion models regenerate arrays")
    if asked.low is not None and asked.high is not None:
        if not -np.inf < asked.low < asked.high < np.inf:
            raise SpecError(
                f"diffusion: low = {asked.low:g} and high = {asked.high:g}; give the least and the "
                "largest value of an input"
            )
        return asked.low, asked.high
    if inputs.dtype == np.uint8:
        return 0.0, 255.0
    least, most = float(inputs.min()), float(inputs.max())
    for low, high in ((0.0, 1.0), (-1.0, 1.0)):
        if low <= least and most <= high:
            return low, high
    raise DataError(
        f"diffusion: inputs lie between {least:g} and {most:g}; say what their range is with "
        "diffusion.low and diffusion.high"
    )


def steps(spec: ClassifierSpec, target: str, stage: registry.Stage) -> tuple[Step, ...]:
    """The defenses of a target that are of one stage, in their order.

    Raises:
        SpecError: there is no such defense or option, or no examples are set aside to set it by.
    """
    found = [_step(spec, target, one) for one in spec.targets[target].defenses]
    return tuple(one for one in found if one.defense.stage == stage)


def _step(spec: ClassifierSpec, target: str, asked: Defense) -> Step:
    found = registry.get(asked.name, "classifier")
    where = f"targets.{target}.defenses.{asked.name}"
    if found.stage == "inference" and not spec.data.calibration:
        raise SpecError(
            f"{where}: is set by examples that are not evaluated; set data.calibration to a share "
            "of them, such as 0.33"
        )
    if found.stage == "training" and spec.targets[target].model is not None:
        raise SpecError(
            f"{where}: changes the training, and the model is there; let it be trained here "
            "(trained_on and architecture), or take a defense of the inference stage"
        )
    seeded = {"seed": derive(spec.seed, found.key) % 2**32} if "seed" in found.options else {}
    options = checked(found.apply, {**found.options, **seeded}, asked.options, where)
    return Step(found, options)


def recipe(spec: ClassifierSpec, target: str) -> ClassifierRecipe:
    """The recipe of a target that is trained here, as its defenses leave it.

    Raises:
        SpecError: two of them change what training minimises.
    """
    found = spec.targets[target].recipe
    for step in steps(spec, target, "training"):
        found = step.defense.apply(found, **step.options)
    return found


def reserve(found: ClassifierRecipe, target: Target, candidates: Candidates) -> Examples | None:
    """Other examples that a recipe trains with, None where it needs none.

    Raises:
        DataError: there are none.
    """
    if not needs_reserve(found):
        return None
    if not len(candidates.public):
        names = ", ".join(one.name for one in target.defenses)
        raise DataError(
            f"defenses: {names} trains with examples on neither side, and there are none; give "
            "data.public, or data.take.public"
        )
    return candidates.public
