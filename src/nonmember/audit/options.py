"""Options as a spec sets them, held against what a function says it takes."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nonmember.attacks.registry import Attack
from nonmember.audit.spec import Spec
from nonmember.errors import SpecError, unknown
from nonmember.models.source import locate
from nonmember.rewriting import masked
from nonmember.seeds import derive
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
    defaults = _seeded(attack.options, spec, attack.key)
    return _checked(attack.score, defaults, given, f"attacks.options.{attack.name}")


def of_signal(signal: Signal, spec: Spec) -> dict[str, Any]:
    """The extractor's options as this audit sets them.

    Raises:
        SpecError: an option that it does not have, or a value that it cannot take.
    """
    given = spec.signals.options.get(signal.name, {})
    defaults = _seeded(signal.options, spec, signal.name)
    return _checked(signal.extract, defaults, given, f"signals.options.{signal.name}")


def content(given: Mapping[str, Any]) -> str:
    """What options come down to: of a filler that is a model, its digest and not its place.

    Raises:
        ModelError: there is no model at that place.
    """
    filler = given.get("filler", WORDNET)
    named = {} if filler == WORDNET else {"filler": locate(filler).digest}
    return str(sorted({**given, **named}.items()))


def check_signals(spec: Spec) -> None:
    """Refuse options of extractors that there are not, or that do not have them.

    Raises:
        SpecError: naming the extractor or the option.
        ModelError: the filler of masked words is no masked language model.
    """
    for name in spec.signals.options:
        if name not in SIGNALS:
            raise SpecError(f"signals.options: {unknown('extractor', name, SIGNALS)}")
        filler = of_signal(SIGNALS[name], spec).get("filler", WORDNET)
        if filler != WORDNET:
            masked.check(filler)


def _seeded(defaults: Mapping[str, Any], spec: Spec, name: str) -> Mapping[str, Any]:
    """Whatever draws does so from the audit's root seed, each from a stream of its own."""
    return {**defaults, "seed": derive(spec.seed, name) % 2**32} if "seed" in defaults else defaults


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
