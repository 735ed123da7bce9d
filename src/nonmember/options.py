"""Options as a user sets them, held against what a function says it takes."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nonmember.errors import SpecError, unknown


def checked(
    function: Callable[..., Any], defaults: Mapping[str, Any], given: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """The defaults with what was given in their place, by name.

    Args:
        function: whose annotations say what a value may be; one without takes anything.
        defaults: all that can be set.
        given: what was set.
        where: how an error names the place.

    Raises:
        SpecError: an option that there is not, or a value that it cannot take.
    """
    for option in given:
        if option not in defaults:
            raise SpecError(f"{where}: {_unknown(option, defaults)}")
    kinds = signature(function, eval_str=True).parameters if given else {}
    values = {name: _value(kinds[name], value, where) for name, value in given.items()}
    return {**defaults, **values}


def _unknown(option: str, defaults: Mapping[str, Any]) -> str:
    if defaults:
        return unknown("option", option, defaults)
    return f"no option {option!r}; it takes none, leave it out"


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
