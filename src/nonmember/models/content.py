"""What a Python object is, by content: its settings, and the code that runs.

Two objects of one identity do the same, whatever their names: code is followed as compiled,
into the functions, classes and constants that it names, up to installed packages, which are
known by their files. What a function imports when it runs is not followed.
"""

import logging
import os
import re
import site
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from functools import lru_cache, singledispatch
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

INSTALLED = tuple(
    str(Path(folder).resolve()) + os.sep
    for folder in (
        str(Path(os.__file__).parent),
        str(Path(torch.__file__).parents[1]),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)
PLAIN = (str, bytes, int, float, complex, type(None), type(Ellipsis), type(NotImplemented))
UNTOLD = re.compile(
    "__(doc|dict|weakref|firstlineno|static_attributes|annotations.*|annotate.*)__|_abc_impl"
    "|__slotnames__"  # which copying an instance leaves there
)
"""What a class holds that decides nothing."""

HOOKS = frozenset(name for name in vars(nn.Module()) if name.rpartition("_hooks")[1])
"""Where a layer holds hooks, by numbers that count all of a process."""

Parts = Callable[[object], Iterable[object]]


def identity(value: object, of: Parts | None = None) -> str:
    """A digest of all that the object is made of; the same in every process.

    Args:
        value: the object.
        of: gives what an object is made of, as ``parts`` does, but for what shall not count.
    """
    state = sha256()
    for part in _told(value, {}, of or parts):
        data = part.encode()
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()[:24]


def _told(value: object, seen: dict[int, tuple[int, object]], of: Parts) -> Iterator[str]:
    """The parts, depth first; what could lead back to itself is told once, then by its number."""
    if isinstance(value, PLAIN):
        yield f"{type(value).__name__} {value!r}"
        return
    number = seen.get(id(value), (None, None))[0]
    yield f"({type(value).__qualname__} {number}"
    if number is None:
        if not isinstance(value, list | tuple | Mapping | Set | CodeType):
            seen[id(value)] = len(seen), value
        for part in of(value):
            yield from _told(part, seen, of)
    yield ")"


@singledispatch
def parts(value: object) -> Iterable[object]:
    """What an object is made of: what a copy of it would be made from."""
    try:
        reduced: Any = value.__reduce_ex__(4)
    except Exception:  # locks, weak references and the like have no content
        return [type(value), re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))]
    if isinstance(reduced, str):
        return [reduced, getattr(value, "__wrapped__", None)]  # by name, with what it caches
    return [list(part) if isinstance(part, Iterator) else part for part in reduced]


@parts.register
def _(value: Tensor) -> Iterable[object]:
    raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return [str(value.dtype), tuple(value.shape), value.requires_grad, raw.numpy().tobytes()]


@parts.register
def _(value: nn.Module) -> Iterable[object]:
    return [type(value), _of_layer(value)]  # whatever it would leave out of a copy


def _of_layer(layer: nn.Module) -> dict[str, object]:
    """Its attributes, with its hooks numbered within it."""
    held = dict(vars(layer))
    hooks = {key: held[key] for key in HOOKS.intersection(held) if held[key]}
    numbers = sorted({number for one in hooks.values() for number in one})
    for key, one in hooks.items():
        held[key] = {numbers.index(number): hook for number, hook in one.items()}
    return held


@parts.register
def _(value: np.ndarray) -> Iterable[object]:
    held = value.tolist() if value.dtype.hasobject else value.tobytes()
    return [value.dtype.str, value.shape, held]


@parts.register
def _(value: Mapping) -> Iterable[object]:  # type: ignore[type-arg]
    return [one for pair in value.items() for one in pair]


@parts.register(list)
@parts.register(tuple)
def _(value: Iterable[object]) -> Iterable[object]:
    return value


@parts.register
def _(value: Set) -> Iterable[object]:  # type: ignore[type-arg]
    return sorted(map(identity, value))


@parts.register(classmethod)
@parts.register(staticmethod)
def _(value: Any) -> Iterable[object]:
    return [value.__func__]


@parts.register
def _(value: property) -> Iterable[object]:
    return [value.fget, value.fset, value.fdel]


@parts.register
def _(value: logging.Logger) -> Iterable[object]:
    return [value.name]


@parts.register
def _(value: ModuleType) -> Iterable[object]:
    return [value.__name__]


@parts.register
def _(value: type) -> Iterable[object]:
    name = f"{value.__module__}.{value.__qualname__}"
    file = getattr(sys.modules.get(value.__module__), "__file__", None)
    if value.__module__ == "builtins" or _installed(file or ""):
        return [name, _file(file or "")]
    held = [(key, one) for key, one in vars(value).items() if not UNTOLD.fullmatch(key)]
    return [name, value.__bases__, held]


@parts.register
def _(value: FunctionType) -> Iterable[object]:
    code = value.__code__
    if _installed(code.co_filename):
        around = getattr(value, "__wrapped__", None)  # a decorator of a library
        return [f"{value.__module__}.{value.__qualname__}", _file(code.co_filename), around]
    cells = [_cell(cell) for cell in value.__closure__ or ()]
    return [code, value.__defaults__, value.__kwdefaults__, cells, list(_named(value))]


@parts.register
def _(value: CodeType) -> Iterable[object]:
    return [value.co_code, value.co_names, value.co_consts]


def _named(function: FunctionType) -> Iterator[object]:
    """The globals that a function names, and what it names in modules that are not installed."""
    names = sorted(_names(function.__code__))
    for name in names:
        held = function.__globals__.get(name)
        yield name
        yield held
        yield from _inside(held, names, [])
    for cell in function.__closure__ or ():
        yield from _inside(_cell(cell), names, [])


def _inside(held: object, names: list[str], seen: list[object]) -> Iterator[object]:
    """What is named of a module that is not installed, and of modules that it leads to."""
    if not isinstance(held, ModuleType) or held in seen or _of_python(held):
        return
    seen.append(held)
    inner = [getattr(held, name, None) for name in names]
    yield inner
    for one in inner:
        yield from _inside(one, names, seen)


def _of_python(module: ModuleType) -> bool:
    built_in = module.__name__ in sys.builtin_module_names
    return built_in or _installed(getattr(module, "__file__", None) or "")


def _names(code: CodeType) -> set[str]:
    inner = (_names(one) for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(*inner)


def _cell(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _installed(file: str) -> bool:
    return file.startswith(("<frozen", *INSTALLED))


@lru_cache(maxsize=4096)
def _file(file: str) -> str:
    """What a file of source code is, by content; compiled ones are known by name alone."""
    path = Path(file)
    return sha256(path.read_bytes()).hexdigest() if path.suffix == ".py" else ""
