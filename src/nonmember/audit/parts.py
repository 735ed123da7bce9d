"""What the descriptions of all audits share: parts whose keys are checked before any work."""

import dataclasses
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError

from nonmember.errors import SpecError, unknown

Rate = Annotated[float, Field(gt=0, lt=1)]
Asked = TypeVar("Asked", bound=BaseModel)


class Part(BaseModel):
    """A part of what a user asks: unknown keys are errors, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def settings_of(kind: type, *, without: Collection[str] = ()) -> BeforeValidator:
    """Names unknown keys of a plain dataclass, which it would swallow, and those ``without``."""
    usual = {field.name: field.default for field in dataclasses.fields(kind)}
    known = set(usual).difference(without)

    def check(value: Any) -> Any:
        for key in value if isinstance(value, Mapping) else ():
            if key not in known and not (key in without and value[key] == usual[key]):
                raise ValueError(unknown("recipe setting", key, known))
        return value

    return BeforeValidator(check)


class Take(Part):
    """How many records of a pool go where; ``control`` ones are on neither side."""

    members: PositiveInt
    non_members: PositiveInt | None = None
    control: Annotated[int, Field(ge=0)] = 0


class Attacks(Part):
    """Which attacks run (all that can, by default), and their options by name.

    Where ``run`` names none, those are left out that put more than ``queries`` questions to
    the target per record.
    """

    run: tuple[str, ...] | None = None
    queries: PositiveInt = 4
    options: dict[str, dict[str, Any]] = {}


class Signals(Part):
    """How models are asked: extractors' options by name."""

    options: dict[str, dict[str, Any]] = {}


class Evaluation(Part):
    """What is estimated: true-positive rates at ``fpr``, intervals at ``level``.

    ``priors`` are shares of members where an attacker looks, beside a half, a tenth, a hundredth.
    ``margin`` is the loss of accuracy that a defense may cost.
    """

    fpr: tuple[Rate, ...] = (0.01,)
    level: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Field(ge=200)] = 2000
    redraws: Annotated[int, Field(ge=0)] = 20
    priors: tuple[Rate, ...] = ()
    margin: Rate = 0.01


class Compute(Part):
    """Where models run."""

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class Report(Part):
    """What the page shows. Records' texts stay off it unless ``show_text``."""

    show_text: bool = False


class Common(Part):
    """What every audit is asked, whatever kind of model it is of."""

    kind: str
    title: str = "Membership audit"
    seed: Annotated[int, Field(ge=0)] = 0
    attacks: Attacks = Attacks()
    signals: Signals = Signals()
    evaluation: Evaluation = Evaluation()
    compute: Compute = Compute()
    report: Report = Report()


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


def toml(path: Path) -> dict[str, Any]:
    """The values of a spec file.

    Raises:
        SpecError: it is missing, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{path}: no such file; give the path of an audit's TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SpecError(f"{path}: not readable as TOML ({error}); mend it there") from None


def _reason(error: Any, place: str, root: type[BaseModel]) -> str:
    if error["type"] != "extra_forbidden":
        return f"{error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:60]!r})"
    model = root
    for part in place.split(".")[:-1]:
        if part in model.model_fields:
            model = _model_in(model.model_fields[part].annotation) or model
    return unknown("key", place.rsplit(".", 1)[-1], model.model_fields)


def _model_in(kind: Any) -> type[BaseModel] | None:
    """The part that a field's type is, or holds."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for inner in get_args(kind) if (found := _model_in(inner))), None)
