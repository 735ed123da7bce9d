"""The description of an audit: a TOML file, checked whole before anything is read."""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from nonmember.errors import SpecError, unknown
from nonmember.training.recipe import Recipe
from nonmember.types import Access

Rate = Annotated[float, Field(gt=0, lt=1)]
Asked = TypeVar("Asked", bound=BaseModel)


class Part(BaseModel):
    """A part of what a user asks: unknown keys are errors, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Take(Part):
    """How many records of a pool go where; ``control`` ones are on neither side."""

    members: PositiveInt
    non_members: PositiveInt | None = None
    control: Annotated[int, Field(ge=0)] = 0


class Data(Part):
    """Two files of records, or a pool (a file or an embedded corpus) to draw both sides from.

    ``known`` records of each side are the attacker's own and leave the evaluation. ``corpus``
    is what token frequencies are counted in: the candidates themselves, if none is given.
    ``packed`` and ``long`` say how the model was trained: records packed end to end, texts
    over ``max_tokens`` cut or read in sliding windows.
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

    @model_validator(mode="after")
    def _one_way(self) -> "Data":
        files, pool = (self.members, self.non_members), (self.pool, self.take)
        if all(files) != any(files) or all(pool) != any(pool) or all(files) == all(pool):
            raise ValueError("give members and non_members (two files), or pool and take")
        return self


def _recipe(value: Any) -> Any:
    """Name the unknown keys of a recipe, which plain dataclasses would swallow."""
    if isinstance(value, Mapping):
        known = {f.name for f in dataclasses.fields(Recipe)}
        for key in value:
            if key not in known:
                raise ValueError(unknown("recipe setting", key, known))
    return value


CheckedRecipe = Annotated[Recipe, BeforeValidator(_recipe)]


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
    options: dict[str, Any] = {}
    limits: dict[str, Any] = {}
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
    options: dict[str, Any] = {}
    selector: str = "lowest_loss"
    warmup_epochs: Annotated[int, Field(ge=0)] = 1
    after_warmup: Literal["restart", "continue"] = "restart"
    reselect: Literal["once", "each_epoch"] = "once"
    rewriter: Rewriting = Rewriting()


class Target(Part):
    """A model to audit: one that is there (``model``), or one fine-tuned here from ``base``.

    A ``model`` may be the address of an OpenAI-compatible ``endpoint``. ``defenses`` protect
    the training of one that is fine-tuned here; ``ledger`` is what `nonmember protect` left
    in private of one that was trained elsewhere on what it wrote.
    """

    model: str | None = None
    base: str | None = None
    endpoint: Endpoint | None = None
    trained_on: Literal["members", "control"] | None = None
    recipe: CheckedRecipe = Recipe()
    defenses: tuple[Defense, ...] = ()
    ledger: str | None = None

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


class Attacks(Part):
    """Which attacks run (all that can, by default), and their options by name.

    None may need more than ``access``. Where ``run`` names none, those are left out that put
    more than ``queries`` texts to the target per record.
    """

    run: tuple[str, ...] | None = None
    access: Access = "weights"
    queries: PositiveInt = 4
    options: dict[str, dict[str, Any]] = {}


class SelfPrompted(Part):
    """A reference tuned on what the target writes: ``texts`` of them, each begun by a prompt."""

    texts: PositiveInt = 200
    prompt_tokens: PositiveInt = 16
    recipe: CheckedRecipe = Recipe(method="lora", learning_rate=3e-4)


class Signals(Part):
    """How models are asked: extractors' options by name, and the self-prompted reference."""

    options: dict[str, dict[str, Any]] = {}
    self_prompted: SelfPrompted = SelfPrompted()


class Evaluation(Part):
    """What is estimated: true-positive rates at ``fpr``, intervals at ``level``."""

    fpr: tuple[Rate, ...] = (0.01,)
    level: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=200)] = 2000
    redraws: Annotated[int, Field(ge=0)] = 20


class Compute(Part):
    """Where models run."""

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class Report(Part):
    """What the page shows. Records' texts stay off it unless ``show_text``."""

    show_text: bool = False


class Spec(Part):
    """An audit. Relative paths are as seen from the working folder."""

    title: str = "Membership audit"
    seed: Annotated[int, Field(ge=0)] = 0
    data: Data
    targets: Annotated[dict[str, Target], Field(min_length=1)]
    attacks: Attacks = Attacks()
    signals: Signals = Signals()
    evaluation: Evaluation = Evaluation()
    compute: Compute = Compute()
    report: Report = Report()

    @model_validator(mode="after")
    def _control_records(self) -> "Spec":
        for name, target in self.targets.items():
            if target.trained_on == "control" and not (self.data.take and self.data.take.control):
                raise ValueError(
                    f"targets.{name} is trained on control records; set data.take.control"
                )
        return self


PARTS: dict[str, Any] = {"targets": Target, "defenses": Defense, "rewriter": Rewriting}
"""Parts whose field's type is more than the part alone."""


def parse(values: Mapping[str, Any], where: str) -> Spec:
    """Check the values of a spec.

    Raises:
        SpecError: naming ``where``, the key, and what is wrong with it.
    """
    return checked(Spec, values, where)


def checked(model: type[Asked], values: Mapping[str, Any], where: str) -> Asked:
    """Check the values of what a user asks.

    Raises:
        SpecError: naming ``where``, the key, and what is wrong with it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"{where}: {place or 'spec'}: {_reason(first, place, model)}") from None


def read(path: Path) -> Spec:
    """Read and check a spec file.

    Raises:
        SpecError: it is missing, not TOML, or no valid spec.
    """
    try:
        return parse(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; give the path of an audit's TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SpecError(f"{path}: not readable as TOML ({error}); mend it there") from None


def _reason(error: Any, place: str, root: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return f"{error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:60]!r})"
    model = root
    for part in place.split(".")[:-1]:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        inner = PARTS.get(part, inner)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return unknown("key", place.rsplit(".", 1)[-1], model.model_fields)
