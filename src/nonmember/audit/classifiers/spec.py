"""The description of an audit of classifiers."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from nonmember.audit import parts
from nonmember.audit.canaries import asking
from nonmember.audit.canaries.asking import Claimed
from nonmember.audit.parts import Common, Part, settings_of
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.training.diffusion_recipe import DiffusionRecipe
from nonmember.types import ClassifierAccess

BY_DEFENSES = {"objective", "hold_back"}
"""What of a recipe only defenses set."""

CheckedRecipe = Annotated[ClassifierRecipe, settings_of(ClassifierRecipe, without=BY_DEFENSES)]
CheckedDiffusion = Annotated[DiffusionRecipe, settings_of(DiffusionRecipe)]


class Take(parts.Take):
    """The same of labelled examples; ``public`` ones are on neither side, for who defends."""

    public: Annotated[int, Field(ge=0)] = 0


class Labelled(Part):
    """Two files of labelled examples, or a pool (a file or embedded data) to draw both from.

    ``public`` is a file of others like them, on neither side, which who defends the target may
    use. ``label``, ``text`` and ``group`` name fields of tables and of JSON lines.
    """

    members: str | None = None
    non_members: str | None = None
    public: str | None = None
    pool: str | None = None
    take: Take | None = None
    label: str = "label"
    text: str | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Labelled":
        files, pool = (self.members, self.non_members), (self.pool, self.take)
        if all(files) != any(files) or all(pool) != any(pool) or all(files) == all(pool):
            raise ValueError("give members and non_members (two files), or pool and take")
        self._refuse_drawn_public()
        return self

    def _refuse_drawn_public(self) -> None:
        if self.public is not None and self.pool is not None:
            raise ValueError("public is a file beside members and non_members; of a pool, take it")


class Data(Labelled):
    """The candidates of an audit of classifiers.

    ``population`` is the share of the non-members that attackers know as such: they leave the
    evaluation, and no reference model is trained on them. ``calibration`` is the share of either
    side by which defenses are set: the target may be trained on such members, but none of them
    is evaluated. With ``canaries``, a folder of `nonmember canaries`, these are the candidates,
    and the attackers' ``population`` are spare ones; ``guess_by`` is the attack whose scores say
    which were put in, or "all". ``calibrated_on`` is a file of the examples by which the
    temperature, threshold or defense of a model that is there was set: none may be a candidate.
    """

    population: Annotated[float, Field(ge=0, lt=1)] = 0.2
    calibration: Annotated[float, Field(ge=0, lt=1)] = 0.0
    canaries: str | None = None
    guess_by: str | None = None
    calibrated_on: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Data":
        own = None if self.label == "label" else self.label
        alone = {"label": own, "text": self.text, "group": self.group}
        asking.one_way(self, {**alone, "calibration": self.calibration})
        self._refuse_drawn_public()
        return self


class Defense(Part):
    """A registered defense of classifiers, by its name, and its options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class Diffusion(Part):
    """The diffusion model that regenerates inputs: one that is there, or trained here.

    ``model`` is a folder in the form of the diffusers library, ``low`` and ``high`` the range of
    the inputs, where it does not say. One trained here is ``trained_on`` public examples, or on
    the members: then its weights are as secret as the target's. Regenerated are ``n`` copies at
    noise level ``t``, each with ``nfe`` evaluations by a ``sampler``.
    """

    model: str | None = None
    trained_on: Literal["public", "members"] = "public"
    recipe: CheckedDiffusion = DiffusionRecipe()
    low: float | None = None
    high: float | None = None
    t: PositiveInt = 160
    n: PositiveInt = 30
    sampler: Literal["x0", "ddim", "dpmpp"] = "x0"
    nfe: PositiveInt = 1

    @model_validator(mode="after")
    def _one_way(self) -> "Diffusion":
        own = (self.trained_on, self.recipe) != ("public", DiffusionRecipe())
        if self.model is not None and own:
            raise ValueError("trained_on and recipe are of a diffusion model that is trained here")
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high belong together; give both or neither")
        return self


class Target(Part):
    """A classifier to audit: one that is there (``model``), or one trained here.

    ``weights`` are those of a ``package.module:factory``. One trained here is of an
    ``architecture``: such a factory, or a packaged network's name; ``options`` are its own.
    ``defenses`` are of how it is trained, in their order, and then of how it answers. ``claimed``
    is the privacy that one which is there is said to have.
    """

    model: str | None = None
    weights: str | None = None
    trained_on: Literal["members", "control"] | None = None
    architecture: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    recipe: CheckedRecipe = ClassifierRecipe()
    defenses: tuple[Defense, ...] = ()
    claimed: Claimed | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Target":
        if (self.model is None) == (self.trained_on is None):
            raise ValueError("give model, or trained_on and architecture")
        if (self.trained_on is None) != (self.architecture is None):
            raise ValueError("trained_on and architecture belong together; give both or neither")
        if self.model is not None and (self.options or self.recipe != ClassifierRecipe()):
            raise ValueError(
                "options and recipe are of a target that is trained here; those of references of "
                "a model that is there belong to references"
            )
        if self.weights is not None and self.model is None:
            raise ValueError("weights are of a model that is there; give model, or no weights")
        return self


class References(Part):
    """Reference models, each trained on a random half of the candidates; ``count`` is even.

    They are of the target's architecture and recipe where these are known, else of those here.
    With a ``precision`` more are added, up to ``most``, until the AUC of every attack that
    compares with them moves no more than that with the choice of references.
    """

    count: Annotated[int, Field(ge=0, multiple_of=2)] = 16
    architecture: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    recipe: CheckedRecipe = ClassifierRecipe()
    precision: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    most: Annotated[int, Field(ge=4, multiple_of=2)] = 256

    @model_validator(mode="after")
    def _room_for_more(self) -> "References":
        if self.precision is not None and self.count > self.most:
            raise ValueError("count is more than most; give fewer to begin with, or a larger most")
        return self


class Attacks(parts.Attacks):
    """None may need more than ``access``.

    Attackers who regenerate inputs do so with the diffusion model that targets are defended with.
    """

    access: ClassifierAccess = "weights"
    queries: PositiveInt = 130


class ClassifierSpec(Common):
    """An audit of classifiers. Relative paths are as seen from the working folder."""

    kind: Literal["classifier"] = "classifier"
    data: Data
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    references: References = References()
    diffusion: Diffusion | None = None
    attacks: Attacks = Attacks()

    @model_validator(mode="after")
    def _full_precision(self) -> "ClassifierSpec":
        if self.compute.precision == "bfloat16":
            raise ValueError("classifiers compute in float32; leave compute.precision out")
        return self

    @model_validator(mode="after")
    def _control_records(self) -> "ClassifierSpec":
        for name, target in self.targets.items():
            if target.trained_on == "control" and not (self.data.take and self.data.take.control):
                raise ValueError(
                    f"targets.{name} is trained on control records; set data.take.control"
                )
            there = target.model is not None
            asking.refuse_claim(name, target.claimed, self.data.canaries, there=there)
        if self.data.canaries is not None and self.references.precision is not None:
            raise ValueError(
                "references.precision looks at who is a member to know when to stop, and canaries' "
                "coins must decide nothing; leave it out"
            )
        return self
