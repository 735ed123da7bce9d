"""The description of an audit of classifiers."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from nonmember.audit import parts
from nonmember.audit.parts import Common, Part, Take, settings_of
from nonmember.training.classifier_recipe import ClassifierRecipe
from nonmember.types import ClassifierAccess

CheckedRecipe = Annotated[ClassifierRecipe, settings_of(ClassifierRecipe)]


class Labelled(Part):
    """Two files of labelled examples, or a pool (a file or embedded data) to draw both from.

    ``label``, ``text`` and ``group`` name fields of tables and of JSON lines.
    """

    members: str | None = None
    non_members: str | None = None
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
        return self


class Data(Labelled):
    """The candidates of an audit of classifiers.

    ``population`` is the share of the non-members that attackers know as such: they leave the
    evaluation, and no reference model is trained on them.
    """

    population: Annotated[float, Field(ge=0, lt=1)] = 0.2


class Target(Part):
    """A classifier to audit: one that is there (``model``), or one trained here.

    ``weights`` are those of a ``package.module:factory``. One trained here is of an
    ``architecture``: such a factory, or a packaged network's name; ``options`` are its own.
    """

    model: str | None = None
    weights: str | None = None
    trained_on: Literal["members", "control"] | None = None
    architecture: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    recipe: CheckedRecipe = ClassifierRecipe()

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
    """None may need more than ``access``."""

    access: ClassifierAccess = "weights"
    queries: PositiveInt = 64


class ClassifierSpec(Common):
    """An audit of classifiers. Relative paths are as seen from the working folder."""

    kind: Literal["classifier"] = "classifier"
    data: Data
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    references: References = References()
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
        return self
