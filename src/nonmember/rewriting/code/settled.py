"""Which variables may get another name without the program doing anything else."""

from collections.abc import Iterator, Set

from nonmember.rewriting.code.scopes import Call, Function, Program, Use, Variable, binder

TRANSPARENT = frozenset(
    """
    abstractmethod asynccontextmanager cache cached_property classmethod contextmanager deleter
    final getter lru_cache override overload property setter singledispatch staticmethod wraps
    """.split()  # noqa: SIM905
)
"""Decorators that do not look at what the function or its parameters are called."""

SIGNATURES = frozenset(
    """
    __annotations__ __code__ __kwdefaults__ __signature__ co_varnames get_type_hints getargspec
    getcallargs getfullargspec signature
    """.split()  # noqa: SIM905
)
TITLES = frozenset({"__name__", "__qualname__"})


def renameable(program: Program, words: Set[str]) -> set[Variable]:
    """The variables to rename, of a program in whose strings these words stand."""
    held = {*_by_keyword(program, words), *_by_decorator(program)}
    members = _members(program)
    return {
        variable
        for variable in program.nameable()
        if variable not in held and not _looked_up(program, variable, words, members)
    }


def _looked_up(program: Program, variable: Variable, words: Set[str], members: Set[str]) -> bool:
    """Whether its name may be read as text, or as an attribute."""
    scope, name = variable
    if name in program.shown:
        return True
    top = scope is program.module
    defines = any(use.how in ("def", "class") for use in program.variables[variable])
    if (top or defines) and name in words:
        return True
    if defines and TITLES & program.attributes:
        return True
    return top and name in members


def _members(program: Program) -> set[str]:
    """Names of attributes, also of methods that stand alone, and whatever a class binds.

    What a class reads before it has bound it, it takes from the module.
    """
    methods = (one for one in program.functions if {"self", "cls"} & {*one.parameters[:1]})
    bound = {use.name for use in program.uses if use.scope.kind == "class" and use.how != "load"}
    return program.attributes | bound | {one.use.name for one in methods if one.use is not None}


def _by_decorator(program: Program) -> Iterator[Variable]:
    """What a decorator or a test runner may know by name: parameters, and the function."""
    for function in program.functions:
        opaque = not TRANSPARENT.issuperset(function.decorators)
        if function.use is not None and (opaque or function.use.name.startswith("test")):
            yield function.use.scope, function.use.name
            yield from _parameters(function)


def _by_keyword(program: Program, words: Set[str]) -> Iterator[Variable]:
    """Parameters that a call may name which does not surely mean their function."""
    loose = {id(one) for one in program.functions if _escapes(one, program)}
    read = bool(SIGNATURES & program.attributes)
    for function in program.functions:
        if read and (id(function) in loose or _in_class(function)):
            yield from _parameters(function)
        elif id(function) in loose:  # whoever has it may have its keywords from a string
            yield from (one for one in _parameters(function) if one[1] in words)
    for call in program.calls:
        yield from _held_by(call, program, loose)


def _held_by(call: Call, program: Program, loose: Set[int]) -> Iterator[Variable]:
    named = {name for name, _ in call.keywords}
    sure = program.meant(call)
    if sure is not None:
        yield from _parameters(sure) if call.starred else ()
        return
    for function in program.functions:
        if id(function) in loose or _may_be(call, function):
            every = _parameters(function)
            yield from (one for one in every if call.starred or one[1] in named)


def _may_be(call: Call, function: Function) -> bool:
    """Whether the call may end in a function that is only known by where it stands."""
    if function.use is None or (call.inherited and not _in_class(function)):
        return False
    name = function.use.name
    hidden = _in_class(function) and name.startswith("__")
    return hidden or name in (call.name, call.attribute)


def _in_class(function: Function) -> bool:
    return function.use is not None and function.use.scope.kind == "class"


def _escapes(function: Function, program: Program) -> bool:
    """Whether it is used other than by being called under its name."""
    if function.use is None:
        return True
    name, scope = function.use.name, function.use.scope
    if scope.kind == "class" and name in program.values:
        return True
    home = binder(scope, name)
    uses: list[Use] = list(program.variables[home, name]) if home else []
    return any(use.how == "load" and id(use.node) not in program.called for use in uses)


def _parameters(function: Function) -> Iterator[Variable]:
    yield from ((function.scope, name) for name in function.parameters)
