"""Trees of libcst: their parts, and a tree with some nodes exchanged."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TypeVar

import libcst as cst

N = TypeVar("N", bound=cst.CSTNode)

LAYOUT = ("whitespace", "lpar", "rpar", "comma", "leading_lines", "lines_after", "semicolon")


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(name for name in kind.__dataclass_fields__ if name != "__slots__")


@cache
def _spoken(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    return tuple(name for name in _fields(kind) if not name.startswith(LAYOUT))


def parts(node: cst.CSTNode, *, layout: bool = False) -> Iterator[cst.CSTNode]:
    """The nodes right below one, in their order; white space and comments if asked for."""
    for name in _fields(type(node)) if layout else _spoken(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (one for one in value if isinstance(one, cst.CSTNode))


def every(node: cst.CSTNode, *, layout: bool = False) -> Iterator[cst.CSTNode]:
    """The node and all below it, a node before its parts."""
    waiting = [node]
    while waiting:
        yield (one := waiting.pop())
        waiting += reversed(list(parts(one, layout=layout)))


def exchanged(node: N, news: Mapping[int, cst.CSTNode]) -> N:
    """The tree with other nodes in the places of those whose ``id`` is given.

    An exchanged node comes in as it is given; the rest of the tree is shared with the old.
    """
    return _rebuilt(node, lambda one: news.get(id(one)))  # type: ignore[return-value]


def _rebuilt(node: cst.CSTNode, new: Callable[[cst.CSTNode], cst.CSTNode | None]) -> cst.CSTNode:
    if (other := new(node)) is not None:
        return other
    changes: dict[str, object] = {}
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            again: object = _rebuilt(value, new)
        elif isinstance(value, (list, tuple)) and value:
            again = type(value)(
                _rebuilt(one, new) if isinstance(one, cst.CSTNode) else one for one in value
            )
            again = value if all(a is b for a, b in zip(again, value, strict=True)) else again
        else:
            continue
        if again is not value:
            changes[name] = again
    return node.with_changes(**changes) if changes else node
