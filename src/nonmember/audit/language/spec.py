"""The description of an audit of language models."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, model_validator

from nonmember.audit import parts
from nonmember.audit.canaries import asking
from nonmember.audit.canaries.asking import Claimed
from nonmember.audit.parts import Common, Part, Take, checked, settings_of
from nonmember.training.recipe import Recipe
from nonmember.types import LanguageAccess


class Data(Part):
    """Two files of records, a pool to draw both sides from, or the folder of canaries.

    A pool is a file or an embedded corpus. Of a folder that `nonmember canaries` wrote, the
    canaries are the candidates; ``guess_by`` is the attack whose scores say which of them were
    put in, or "all". ``known`` records of each side are the attacker's own and leave the
    evaluation. ``corpus`` is what token frequencies are counted in: the candidates themselves, if
    none is given. ``packed`` and ``long`` say how the model was trained: records packed end to
    end, texts over ``max_tokens`` cut or read in sliding windows.
    """

    members: str | None = None
    non_members: str | None = None
    pool: str | None = None
    take: Take | None = None
    field: str | None = None
    group: str | None = None
    max_tokens: Annotated[int, Field(ge=2)] = 512
    packed: bool = False
    long: Literal["cut", "slide"] = "cut"
    known: Annotated[int, Field(ge=0)] = 0
    corpus: str | None = None
    canaries: str | None = None
    guess_by: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Data":
        alone = {"field": self.field, "group": self.group, "known": self.known}
        asking.one_way(self, alone)
        return self


CheckedRecipe = Annotated[Recipe, settings_of(Recipe)]


class Endpoint(Part):
    """How a model is asked over HTTP: its name there, and a folder with its tokenizer.

    At most ``at_once`` requests wait at a time and ``per_second`` are begun. Texts go over
    the wire in the clear only where ``insecure`` allows it.
    """

    served: str
    tokenizer: str
    at_once: PositiveInt = 4
    per_second: Annotated[float, Field(gt=0)] | None = None
    insecure: bool = False


class Rewriting(Part):
    """Who rewrites records, what a rewrite must hold to, and what becomes of a rejected one.

    ``options`` are the rewriter's, ``limits`` the gates'. After ``attempts`` a record without
    a good rewrite is dropped, or kept as it is and counted. With several ``views`` each epoch
    has the next one of as many rewrites.
    """

    name: str = "synonyms"
    options: dict[str, Any] = Field(default_factory=dict)
    limits: dict[str, Any] = Field(default_factory=dict)
    attempts: PositiveInt = 4
    on_reject: Literal["drop", "keep_raw"] = "drop"
    views: PositiveInt = 1


class Defense(Part):
    """A defense of the training by name, with its options.

    One that goes by how exposed records are, such as ``soft``, learns that by a ``selector``
    from a warm-up: the state of the undefended run after ``warmup_epochs``, or the base for
    none. Training then starts again from the base, or goes on from there.
    """

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    selector: str = "lowest_loss"
    warmup_epochs: Annotated[int, Field(ge=0)] = 1
    after_warmup: Literal["restart", "continue"] = "restart"
    reselect: Literal["once", "each_epoch"] = "once"
    rewriter: Rewriting = Rewriting()


class Target(Part):
    """A model to audit: one that is there (``model``), or one fine-tuned here from ``base``.

    A ``model`` may be the address of an OpenAI-compatible ``endpoint``. ``defenses`` protect
    the training of one that is fine-tuned here; ``ledger`` is what `nonmember protect` left
    in private of one that was trained elsewhere on what it wrote, ``claimed`` the privacy that
    one is said to have.
    """

    model: str | None = None
    base: str | None = None
    endpoint: Endpoint | None = None
    trained_on: Literal["members", "control"] | None = None
    recipe: CheckedRecipe = Recipe()
    defenses: tuple[Defense, ...] = ()
    ledger: str | None = None
    claimed: Claimed | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Target":
        if (self.model is None) == (self.trained_on is None):
            raise ValueError("give model, or trained_on and base")
        if self.defenses and self.model is not None:
            raise ValueError("defenses protect what is trained here; give trained_on, not model")
        if self.ledger is not None and self.model is None:
            raise ValueError("ledger is of a model trained elsewhere; give model, or no ledger")
        if self.trained_on is not None and self.base is None:
            raise ValueError("trained_on needs base, the model that is fine-tuned")
        remote = self.model is not None and self.model.startswith(("http://", "https://"))
        if remote != (self.endpoint is not None):
            raise ValueError(
                "a model's http address and endpoint (its name there, and its tokenizer) belong "
                "together; give both or neither"
            )
        return self


class Attacks(parts.Attacks):
    """None may need more than ``access``."""

    access: LanguageAccess = "weights"


class SelfPrompted(Part):
    """A reference tuned on what the target writes: ``texts`` of them, each begun by a prompt."""

    texts: PositiveInt = 200
    prompt_tokens: PositiveInt = 16
    recipe: CheckedRecipe = Recipe(method="lora", learning_rate=3e-4)


class Signals(parts.Signals):
    """Extractors' options by name, and the self-prompted reference."""

    self_prompted: SelfPrompted = SelfPrompted()


class References(Part):
    """Adapters over one base, each tuned on a half of the candidates; ``count`` is even."""

    count: Annotated[int, Field(ge=0, multiple_of=2)] = 0
    recipe: CheckedRecipe = Recipe(method="lora", learning_rate=3e-4)


class Spec(Common):
    """An audit of language models. Relative paths are as seen from the working folder."""

    kind: Literal["language"] = "language"
    data: Data
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    attacks: Attacks = Attacks()
    signals: Signals = Signals()
    references: References = References()

    @model_validator(mode="after")
    def _control_records(self) -> "Spec":
        for name, target in self.targets.items():
            if target.trained_on == "control" and not (self.data.take and self.data.take.control):
                raise ValueError(
                    f"targets.{name} is trained on control records; set data.take.control"
                )
            there = target.model is not None
            asking.refuse_claim(name, target.claimed, self.data.canaries, there=there)
        return self


def parse(values: Mapping[str, Any], where: str) -> Spec:
    """Check the values of a spec.

    Raises:
        SpecError: naming ``where``, the key, and what is wrong with it.
    """
    return checked(Spec, values, where)
