"""How registered functions are told: their docstrings, options, ranges and code, as Markdown."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from inspect import Parameter, getsource, signature
from typing import Annotated, Any, Literal, get_args, get_origin

import griffe
from annotated_types import Ge, Gt, Le, Lt, MinLen

LIMITS: Mapping[type, tuple[str, str]] = {
    Ge: ("ge", "at least {:g}"),
    Gt: ("gt", "more than {:g}"),
    Le: ("le", "at most {:g}"),
    Lt: ("lt", "less than {:g}"),
    MinLen: ("min_length", "{:g} or more of them"),
}
KINDS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def table(head: Sequence[str], rows: Any) -> str:
    """A Markdown table; what is in a cell stays on one line."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[re.sub(r"\s+", " ", cell).replace("|", r"\|") for cell in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) + "\n"


def plain(value: Any) -> str:
    """A default as a spec writes it."""
    if value is None:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value!r}`".replace("'", '"')


def linked(paper: str) -> str:
    """The paper with its arXiv number as a link."""
    return re.sub(r"arXiv:(\d{4}\.\d{5}|\d{4}\.\d{4})", r"[\g<0>](https://arxiv.org/abs/\1)", paper)


@cache
def _sections(function: Callable[..., Any]) -> list[Any]:
    quiet = {"warnings": False}
    found = griffe.Docstring(function.__doc__ or "", parser="google", parser_options=quiet)
    return list(found.parse())


def text_of(function: Callable[..., Any]) -> str:
    """The docstring without its lists of parameters and errors."""
    return "\n\n".join(one.value for one in _sections(function) if one.kind.value == "text") + "\n"


def says(function: Callable[..., Any]) -> str:
    """The docstring's first paragraph."""
    return text_of(function).split("\n\n", 1)[0].strip()


def parameters_of(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Each parameter and what the docstring says of it."""
    for section in _sections(function):
        if section.kind.value == "parameters":
            yield from ((one.name, one.description) for one in section.value)


def options_of(function: Callable[..., Any], options: Mapping[str, Any], where: str) -> list[str]:
    """The section on options, and where they are set."""
    if not options:
        return ["\n## Options\n", "None.\n"]
    told, kinds = dict(parameters_of(function)), signature(function, eval_str=True).parameters
    rows = [
        (f"`{name}`", plain(default), span(kinds[name].annotation), told.get(name, ""))
        for name, default in options.items()
    ]
    shown = table(("option", "default", "may be", "what it is"), rows)
    return ["\n## Options\n", f"{where}.\n", shown]


def span(annotation: Any) -> str:
    """What a value of this type may be, in words."""
    if annotation in (Parameter.empty, Any):
        return ""
    if annotation in KINDS:
        return KINDS[annotation]
    parts, origin = get_args(annotation), get_origin(annotation)
    if origin is Literal:
        return ", ".join(f'`"{part}"`' for part in parts)
    if origin is Annotated:
        bounds = [_bound(limit) for limit in parts[1:] if type(limit) in LIMITS]
        return ", ".join([span(parts[0]), *bounds])
    inner = [span(part) for part in parts if part not in (type(None), Ellipsis)]
    if origin is tuple or "Sequence" in str(origin):
        return "list: " + ", ".join(inner)
    return "table" if "Mapping" in str(origin) else " or ".join(inner)


def _bound(limit: Any) -> str:
    attribute, said = LIMITS[type(limit)]
    return said.format(getattr(limit, attribute))


def code_of(function: Callable[..., Any]) -> str:
    """The source, folded away."""
    source = getsource(function).rstrip().replace("\n", "\n    ")
    return f'\n??? quote "The code"\n\n    ```python\n    {source}\n    ```\n'
