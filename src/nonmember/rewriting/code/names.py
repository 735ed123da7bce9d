"""The names of a program as they stand in libcst's tree of it."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from unicodedata import normalize

import libcst as cst

from nonmember.rewriting.code.scopes import REFLECTING, Call, Function, Program, Scope
from nonmember.rewriting.code.tree import every, parts

Handler: TypeAlias = Callable[[Program, Any, Scope], None]


def read(module: cst.Module) -> Program:
    """All names of the program; their nodes are libcst's ``Name``."""
    program = Program()
    _walk(program, module, program.module)
    return program


def _walk(program: Program, node: cst.CSTNode, scope: Scope) -> None:
    handler = HANDLERS.get(type(node))
    if handler is not None:
        handler(program, node, scope)
        return
    for part in parts(node):
        _walk(program, part, scope)


def _walks(program: Program, scope: Scope, *nodes: Any) -> None:
    for node in nodes:
        if isinstance(node, cst.CSTNode):
            _walk(program, node, scope)


def _name(program: Program, node: cst.Name, scope: Scope) -> None:
    program.use(node.value, scope, "load", node)
    if node.value in REFLECTING:
        program.reflects(scope, node.value)


def _bind(program: Program, target: cst.CSTNode, scope: Scope) -> None:
    """What is assigned to; what stands in subscripts and before dots is but read."""
    if isinstance(target, cst.Name):
        program.use(target.value, scope, "store", target)
    elif isinstance(target, (cst.Attribute, cst.Subscript)):
        _walk(program, target, scope)
    else:
        for part in parts(target):
            _bind(program, part, scope)


def _target(program: Program, node: Any, scope: Scope) -> None:
    _bind(program, node.target, scope)
    _walks(program, scope, *(part for part in parts(node) if part is not node.target))


def _with_item(program: Program, node: cst.WithItem, scope: Scope) -> None:
    _walk(program, node.item, scope)
    if node.asname is not None:
        _bind(program, node.asname.name, scope)


def _handler(program: Program, node: Any, scope: Scope) -> None:
    if node.name is not None:
        _bind(program, node.name.name, scope)
    _walks(program, scope, node.type, node.body)


def _walrus(program: Program, node: cst.NamedExpr, scope: Scope) -> None:
    _walk(program, node.value, scope)
    _bind(program, node.target, scope.own)


def _captured(program: Program, node: Any, scope: Scope) -> None:
    """Of patterns: ``as``, a star, the rest of a mapping."""
    name = node.rest if isinstance(node, cst.MatchMapping) else node.name
    if name is not None:
        program.use(name.value, scope, "store", name)
    _walks(program, scope, *(part for part in parts(node) if part is not name))


def _match_class(program: Program, node: cst.MatchClass, scope: Scope) -> None:
    _walks(program, scope, node.cls, *node.patterns, *(one.pattern for one in node.kwds))


def _import(program: Program, node: Any, scope: Scope) -> None:
    for alias in () if isinstance(node.names, cst.ImportStar) else node.names:
        bound = alias.asname.name if alias.asname is not None else alias.name
        while isinstance(bound, cst.Attribute):
            bound = bound.value
        program.use(bound.value, scope, "import", bound)


def _global(program: Program, node: cst.Global, scope: Scope) -> None:
    for item in node.names:
        program.declare(item.name.value, scope, "global")
        program.use(item.name.value, scope, "declared", item.name)


def _nonlocal(program: Program, node: cst.Nonlocal, scope: Scope) -> None:
    for item in node.names:
        program.declare(item.name.value, scope, "nonlocal")
        program.use(item.name.value, scope, "load", item.name)


def _attribute(program: Program, node: cst.Attribute, scope: Scope) -> None:
    program.values.add(node.attr.value)
    _member(program, node, scope)


def _member(program: Program, node: cst.Attribute, scope: Scope) -> None:
    program.attributes.add(node.attr.value)
    if node.attr.value in REFLECTING:
        program.reflects(scope, node.attr.value)
    _walk(program, node.value, scope)


def _call(program: Program, node: cst.Call, scope: Scope) -> None:
    _note(program, node.func, node.args, scope)
    if isinstance(node.func, cst.Attribute):
        _member(program, node.func, scope)
    elif isinstance(node.func, cst.Name) and node.func.value in ("vars", "dir") and node.args:
        program.use(node.func.value, scope, "load", node.func)  # asks about its argument only
    else:
        _walk(program, node.func, scope)
    _walks(program, scope, *(argument.value for argument in node.args))


def _note(program: Program, func: Any, args: Any, scope: Scope) -> None:
    program.called.add(id(func))
    named = [arg.keyword for arg in args if arg.keyword is not None]
    keywords = tuple((normalize("NFKC", one.value), one) for one in named)
    starred = any(arg.star == "**" for arg in args)
    if keywords or starred:
        name = func.value if isinstance(func, cst.Name) else None
        attribute = func.attr.value if isinstance(func, cst.Attribute) else None
        upwards = isinstance(func, cst.Attribute) and isinstance(func.value, cst.Call)
        inherited = upwards and _last(func.value) == "super"
        program.calls.append(Call(scope, name, attribute, keywords, starred, inherited))


def _class(program: Program, node: cst.ClassDef, scope: Scope) -> None:
    program.use(node.name.value, scope, "class", node.name)
    _types(program, node, scope)
    _note(program, None, node.keywords, scope)
    if node.decorators:
        program.shown.add(node.name.value)
    arguments = [one.value for one in (*node.bases, *node.keywords)]
    _walks(program, scope, *node.decorators, *arguments)
    _walk(program, node.body, Scope("class", scope))


def _def(program: Program, node: cst.FunctionDef, scope: Scope) -> None:
    use = program.use(node.name.value, scope, "def", node.name)
    _types(program, node, scope)
    _walks(program, scope, *node.decorators, node.returns)
    decorators = tuple(_last(one.decorator) for one in node.decorators)
    _function(program, node, scope, use, decorators)


def _lambda(program: Program, node: cst.Lambda, scope: Scope) -> None:
    _function(program, node, scope, None, ())


def _function(
    program: Program, node: Any, scope: Scope, use: Any, decorators: tuple[str, ...]
) -> None:
    inside, params = Scope("function", scope), node.params
    named = [*params.params, *params.kwonly_params]
    stars = [one for one in (params.star_arg, params.star_kwarg) if isinstance(one, cst.Param)]
    for one in (*params.posonly_params, *named, *stars):
        _walks(program, scope, one.default, one.annotation)
        program.use(one.name.value, inside, "parameter", one.name)
    keywords = tuple(normalize("NFKC", one.name.value) for one in named)
    program.functions.append(Function(use, inside, keywords, decorators))
    _walk(program, node.body, inside)


def _types(program: Program, node: Any, scope: Scope) -> None:
    """Type parameters, as if they stood around the definition; they keep their names."""
    if node.type_parameters is not None:
        for one in node.type_parameters.params:
            program.use(one.param.name.value, scope, "import", one.param.name)
            _walks(program, scope, getattr(one.param, "bound", None), one.default)


def _type_alias(program: Program, node: cst.TypeAlias, scope: Scope) -> None:
    program.use(node.name.value, scope, "import", node.name)
    _types(program, node, scope)
    _walk(program, node.value, scope)


def _last(called: cst.BaseExpression) -> str:
    """The last name of a decorator or call, ``cache`` of ``functools.cache(...)``."""
    if isinstance(called, cst.Call):
        return _last(called.func)
    if isinstance(called, cst.Attribute):
        return called.attr.value
    return called.value if isinstance(called, cst.Name) else ""


def _shown(program: Program, node: Any, scope: Scope) -> None:
    """Of f-strings: with ``=`` the expression itself is part of the text; of t-strings always."""
    _walks(program, scope, *parts(node))
    if node.equal is not None or isinstance(node, cst.TemplatedStringExpression):
        named = (one for one in every(node.expression) if isinstance(one, cst.Name))
        program.shown.update(normalize("NFKC", one.value) for one in named)


def _comprehension(program: Program, node: Any, scope: Scope) -> None:
    inside, first = Scope("comprehension", scope), node.for_in
    _walk(program, first.iter, scope)  # the first is evaluated outside
    _bind(program, first.target, inside)
    _walks(program, inside, *first.ifs, first.inner_for_in)
    _walks(program, inside, *(part for part in parts(node) if part is not first))


HANDLERS: Mapping[type[cst.CSTNode], Handler] = {
    cst.Name: _name,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.FunctionDef: _def,
    cst.Lambda: _lambda,
    cst.ClassDef: _class,
    cst.TypeAlias: _type_alias,
    **dict.fromkeys((cst.ListComp, cst.SetComp, cst.DictComp, cst.GeneratorExp), _comprehension),
    cst.NamedExpr: _walrus,
    **dict.fromkeys(
        (cst.AssignTarget, cst.AugAssign, cst.AnnAssign, cst.For, cst.CompFor, cst.Del), _target
    ),
    **dict.fromkeys((cst.FormattedStringExpression, cst.TemplatedStringExpression), _shown),
    cst.WithItem: _with_item,
    **dict.fromkeys((cst.ExceptHandler, cst.ExceptStarHandler), _handler),
    **dict.fromkeys((cst.MatchAs, cst.MatchStar, cst.MatchMapping), _captured),
    cst.MatchClass: _match_class,
    **dict.fromkeys((cst.Import, cst.ImportFrom), _import),
    cst.Global: _global,
    cst.Nonlocal: _nonlocal,
}
