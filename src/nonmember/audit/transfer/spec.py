"""The description of an audit of fine-tuned classifiers, about their ancestors' training data."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from nonmember.audit.classifiers import spec as classifiers
from nonmember.audit.classifiers.spec import CheckedRecipe, Labelled
from nonmember.audit.parts import Common, Part
from nonmember.models.transfer import Transfer
from nonmember.training.children import Budget, Tuning
from nonmember.training.classifier_recipe import ClassifierRecipe

How = Literal["head", "last_k", "full", "lora"]
Share = Annotated[float, Field(gt=0, le=1)]

RECIPES: dict[str, dict[str, Any]] = {
    "head": {"epochs": 20, "learning_rate": 3e-3},
    "last_k": {"epochs": 20, "learning_rate": 1e-3},
    "full": {"epochs": 20, "learning_rate": 1e-3},
    "lora": {"epochs": 20, "learning_rate": 3e-3},
}
"""How children are trained where nothing else is said, by what of them is."""

PRIVATE = {
    "epochs": 17,
    "batch_size": 256,
    "optimizer": "sgd",
    "learning_rate": 0.5,
    "momentum": 0.0,
    "schedule": "constant",
}
"""The same of all that keep a budget."""


class Data(Labelled):
    """What ancestors may have been trained on: the candidates.

    ``mislabelled`` is the share of a pool's labels that are drawn anew from all classes, so that
    there is something to learn by heart.
    """

    mislabelled: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _of_a_pool(self) -> "Data":
        if self.mislabelled and self.pool is None:
            raise ValueError("mislabelled plants wrong labels in a pool; leave it out of files")
        return self


class Downstream(Part):
    """The task that models are fine-tuned for: a file of examples, or embedded data.

    If it is the pool that candidates are drawn from, what is left of it. ``merge`` neighbouring
    classes count as one: 2 makes five classes of ten digits. Each child is shown a random
    ``share`` of those that are not among the ``test`` share, by which all are judged. With an
    ``overlap`` that is disjoint the target's come from one half of them, the references' from
    the other: an attacker has others than whoever fine-tuned the target.
    """

    pool: str
    label: str = "label"
    merge: PositiveInt = 1
    overlap: Literal["shared", "disjoint"] = "shared"
    share: Share = 0.85
    test: Annotated[float, Field(gt=0, lt=1)] = 0.2


class Parents(Part):
    """The models that are fine-tuned: one of all members, and ``count`` of half the candidates.

    The more, the better is the comparison: 16 are few, 64 are many. With a pair of them left out
    there must be two on either side of a candidate, so 6 are the least.
    """

    architecture: str
    recipe: CheckedRecipe = ClassifierRecipe()
    count: Annotated[int, Field(ge=6, multiple_of=2)] = 64


class Target(Part):
    """A fine-tuned classifier: how it is made of its parent, or was made (``model``).

    ``kind`` says what of the parent is trained, ``k`` the last how many layers, ``rank`` that of
    LoRA's factors. With ``epsilon`` the fine-tuning is differentially private. What ``recipe``
    leaves open follows from these. ``share`` takes the place of that of ``downstream``.
    ``weights`` are those of a ``package.module:factory``.
    """

    model: str | None = None
    weights: str | None = None
    kind: How = "head"
    k: PositiveInt | None = None
    rank: PositiveInt | None = None
    epsilon: Annotated[float, Field(gt=0)] | None = None
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    clip: Annotated[float, Field(gt=0)] = 1.0
    share: Share | None = None
    recipe: CheckedRecipe

    @model_validator(mode="before")
    @classmethod
    def _recipe_of_its_kind(cls, values: Any) -> Any:
        """What is not said of the recipe, by the kind."""
        said = values.get("recipe", {}) if isinstance(values, Mapping) else None
        if not isinstance(said, Mapping):
            return values
        usual = RECIPES.get(str(values.get("kind", "head")), {})
        private = values.get("epsilon") is not None
        return {**values, "recipe": {**(PRIVATE if private else usual), **said}}

    @model_validator(mode="after")
    def _one_way(self) -> "Target":
        for name, kind in (("k", "last_k"), ("rank", "lora")):
            if (getattr(self, name) is None) == (self.kind == kind):
                raise ValueError(f"{name} belongs to kind {kind!r}; give both or neither")
        if self.weights is not None and self.model is None:
            raise ValueError("weights are of a model that is there; give model, or no weights")
        return self

    @property
    def tuning(self) -> Tuning:
        """How its like is made of a parent."""
        epsilon = self.epsilon
        budget = None if epsilon is None else Budget(epsilon, self.delta, self.clip)
        return Tuning(Transfer(self.kind, self.k, self.rank), self.recipe, budget)


class Attacks(classifiers.Attacks):
    """None may need more than ``access``; of ``topk`` the ``k`` largest probabilities are seen."""

    k: PositiveInt | None = None

    @model_validator(mode="after")
    def _so_many(self) -> "Attacks":
        if (self.k is None) == (self.access == "topk"):
            raise ValueError(
                "k is how many probabilities an attacker with access 'topk' sees; give both or "
                "neither"
            )
        return self


class TransferSpec(Common):
    """An audit of fine-tuned classifiers. Relative paths are as seen from the working folder."""

    kind: Literal["transfer"] = "transfer"
    data: Data
    downstream: Downstream
    parents: Parents
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    attacks: Attacks = Attacks()
