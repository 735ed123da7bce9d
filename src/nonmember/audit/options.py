"""Options as a spec sets them, held against what a function says it takes."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nonmember.attacks.registry import Attack
from nonmember.audit.spec import Spec
from nonmember.errors import SpecError, unknown
from nonmember.models.source import locate
from nonmember.signals.catalogue import SIGNALS, Signal

WORDNET = "wordnet"  # the filler that is no model


def of_attack(attack: Attack, spec: Spec) -> dict[str, Any]:
    """The attack's options as this audit sets them, under its short or its full name.

    Raises:
        SpecError: an option that the attack does not have, or a value that it cannot take.
    """
    given = {
        **spec.attacks.options.get(attack.name, {}),
        **spec.attacks.options.get(attack.key, {}),
    }
    return _checked(attack.score, attack.options, given, f"attacks.options.{attack.name}")


def of_signal(signal: Signal, spec: Spec) -> dict[str, Any]:
    """The extractor's options as this audit sets them.

    Raises:
        SpecError: an option that it does not have, or a value that it cannot take.
    """
    given = spec.signals.options.get(signal.name, {})
    return _checked(signal.extract, signal.options, given, f"signals.options.{signal.name}")


def models_of(given: Mapping[str, Any]) -> list[str]:
    """Digests of the models that options of an extractor name: the filler of masked words.

    Raises:
        ModelError: there is none at that place.
    """
    filler = given.get("filler", WORDNET)
    return [] if filler == WORDNET else [locate(filler).digest]


def check_signals(spec: Spec) -> None:
    """Refuse options of extractors that there are not, or that do not have them.

    Raises:
        SpecError: naming the extractor or the option.
    """
    for name in spec.signals.options:
        if name not in SIGNALS:
            raise SpecError(f"signals.options: {unknown('extractor', name, SIGNALS)}")
        of_signal(SIGNALS[name], spec)


def _checked(
    function: Callable[..., Any], defaults: Mapping[str, Any], given: Mapping[str, Any], where: str
) -> dict[str, Any]:
    for option in given:
        if option not in defaults:
            raise SpecError(f"{where}: {unknown('option', option, defaults)}")
    kinds = signature(function, eval_str=True).parameters if given else {}
    values = {name: _value(kinds[name], value, where) for name, value in given.items()}
    return {**defaults, **values}


def _value(parameter: Parameter, value: Any, where: str) -> Any:
    if parameter.annotation is Parameter.empty:
        return value
    try:
        return TypeAdapter(parameter.annotation).validate_python(value, strict=True)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise SpecError(
            f"{where}.{parameter.name}: {said} (got {value!r}); mend it there"
        ) from None
