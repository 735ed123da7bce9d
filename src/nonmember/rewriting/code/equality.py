"""Whether two programs do the same, as far as that shows without running them."""

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from nonmember.rewriting.code.scopes import REFLECTING, Call, Function, How, Program, Scope

Handler: TypeAlias = Callable[[Program, Any, Scope], None]


class Spot(NamedTuple):
    """Where a name stands in a tree: the node's field, and the number if that is a list."""

    node: ast.AST
    field: str
    number: int | None = None

    def write(self, name: str) -> None:
        """Put another name there."""
        if self.number is None:
            setattr(self.node, self.field, name)
        else:
            getattr(self.node, self.field)[self.number] = name


def same(old: str, new: str) -> bool:
    """Whether both are Python that compiles, and alike but for names, comments and docstrings.

    Names may differ one to one, variable by variable, where that is nobody else's concern:
    of local variables and arguments (with the keywords of calls that surely mean them), of
    nested and of private functions and classes. Names of attributes, imports, builtins and
    of what a module offers must be equal, as must names in blocks that call ``locals`` or its
    like. What is looked up by name in other ways does not show in a tree.
    """
    try:
        return _form(old) == _form(new)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def compiled(text: str) -> ast.Module:
    """The program's tree.

    Raises:
        SyntaxError: it is none (or ValueError, RecursionError, MemoryError, from its shape).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes and comparisons in the text
        tree = ast.parse(text)
        compile(text, "<record>", "exec", dont_inherit=True)
    return tree


def _form(text: str) -> str:
    """The tree written out, with the number of a variable in the place of each free name."""
    tree = compiled(text)
    program = Program()
    for node in [tree, *ast.walk(tree)]:
        _undocumented(node)
    _walk(program, tree, program.module)
    free = program.nameable()
    labels = {one: str(number) for number, one in enumerate(program.variables) if one in free}
    for variable, label in labels.items():
        for use in program.variables[variable]:
            use.node.write(label)
    for variable, spot in program.keywords(free):
        spot.write(labels[variable])
    return ast.dump(tree)


def _undocumented(node: ast.AST) -> None:
    """Without its docstring, if it has one; a body of nothing else is left empty."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        del node.body[0]


def _walk(program: Program, node: Any, scope: Scope) -> None:
    handler = HANDLERS.get(type(node), _parts)
    handler(program, node, scope)


def _parts(program: Program, node: ast.AST, scope: Scope) -> None:
    _walks(program, scope, *ast.iter_child_nodes(node))


def _walks(program: Program, scope: Scope, *nodes: Any) -> None:
    for node in nodes:
        if node is not None:
            _walk(program, node, scope)


def _name(program: Program, node: ast.Name, scope: Scope) -> None:
    how: How = "load" if isinstance(node.ctx, ast.Load) else "store"
    program.use(node.id, scope, how, Spot(node, "id"))
    if node.id in REFLECTING and how == "load":
        program.reflects(scope, node.id)


def _walrus(program: Program, node: ast.NamedExpr, scope: Scope) -> None:
    _walk(program, node.value, scope)
    program.use(node.target.id, scope.own, "store", Spot(node.target, "id"))


def _named(program: Program, node: Any, scope: Scope) -> None:
    """Of except clauses and patterns: ``name`` is bound, or for mappings ``rest``."""
    field = "rest" if isinstance(node, ast.MatchMapping) else "name"
    if (name := getattr(node, field)) is not None:
        program.use(name, scope, "store", Spot(node, field))
    _parts(program, node, scope)


def _import(program: Program, node: Any, scope: Scope) -> None:
    for alias in node.names:
        program.use((alias.asname or alias.name).split(".")[0], scope, "import", alias)


def _global(program: Program, node: ast.Global, scope: Scope) -> None:
    for number, name in enumerate(node.names):
        program.declare(name, scope, "global")
        program.use(name, scope, "declared", Spot(node, "names", number))


def _nonlocal(program: Program, node: ast.Nonlocal, scope: Scope) -> None:
    for number, name in enumerate(node.names):
        program.declare(name, scope, "nonlocal")
        program.use(name, scope, "load", Spot(node, "names", number))


def _attribute(program: Program, node: ast.Attribute, scope: Scope) -> None:
    if node.attr in REFLECTING:
        program.reflects(scope, node.attr)
    _parts(program, node, scope)


def _call(program: Program, node: ast.Call, scope: Scope) -> None:
    named = [one for one in node.keywords if one.arg is not None]
    if named:
        keywords = tuple((str(one.arg), Spot(one, "arg")) for one in named)
        name = node.func.id if isinstance(node.func, ast.Name) else None
        program.calls.append(Call(scope, name, None, keywords, False))
    if isinstance(node.func, ast.Name) and node.func.id in ("vars", "dir") and node.args:
        program.use(node.func.id, scope, "load", Spot(node.func, "id"))
        _walks(program, scope, *node.args, *node.keywords)
    else:
        _parts(program, node, scope)


def _class(program: Program, node: ast.ClassDef, scope: Scope) -> None:
    program.use(node.name, scope, "class", Spot(node, "name"))
    _types(program, node, scope)
    _walks(program, scope, *node.decorator_list, *node.bases, *node.keywords)
    _walks(program, Scope("class", scope), *node.body)


def _def(program: Program, node: Any, scope: Scope) -> None:
    spot = Spot(node, "name")
    use = program.use(node.name, scope, "def", spot)
    _types(program, node, scope)
    _walks(program, scope, *node.decorator_list, node.returns)
    inside = _arguments(program, node.args, scope)
    keywords = tuple(one.arg for one in (*node.args.args, *node.args.kwonlyargs))
    decorators = tuple("" for _ in node.decorator_list)
    program.functions.append(Function(use, inside, keywords, decorators))
    _walks(program, inside, *node.body)


def _lambda(program: Program, node: ast.Lambda, scope: Scope) -> None:
    _walk(program, node.body, _arguments(program, node.args, scope))


def _arguments(program: Program, given: ast.arguments, scope: Scope) -> Scope:
    inside = Scope("function", scope)
    _walks(program, scope, *given.defaults, *given.kw_defaults)
    for one in _every(given):
        _walks(program, scope, one.annotation)
        program.use(one.arg, inside, "parameter", Spot(one, "arg"))
    return inside


def _every(given: ast.arguments) -> Iterator[ast.arg]:
    yield from (*given.posonlyargs, *given.args, *given.kwonlyargs)
    yield from (one for one in (given.vararg, given.kwarg) if one is not None)


def _types(program: Program, node: Any, scope: Scope) -> None:
    """Type parameters (of Python 3.12), which keep their names."""
    for one in getattr(node, "type_params", ()):
        program.use(one.name, scope, "import", one)
        _parts(program, one, scope)


def _type_alias(program: Program, node: Any, scope: Scope) -> None:
    program.use(node.name.id, scope, "import", node.name)
    _types(program, node, scope)
    _walk(program, node.value, scope)


def _comprehension(program: Program, node: Any, scope: Scope) -> None:
    inside, (first, *others) = Scope("comprehension", scope), node.generators
    _walk(program, first.iter, scope)
    _walks(program, inside, first.target, *first.ifs, *others)
    pair = isinstance(node, ast.DictComp)
    _walks(program, inside, *((node.key, node.value) if pair else (node.elt,)))


HANDLERS: Mapping[type[ast.AST], Handler] = {
    ast.Name: _name,
    ast.NamedExpr: _walrus,
    ast.Attribute: _attribute,
    ast.Call: _call,
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef), _def),
    ast.Lambda: _lambda,
    ast.ClassDef: _class,
    **dict.fromkeys((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), _comprehension),
    **dict.fromkeys((ast.ExceptHandler, ast.MatchAs, ast.MatchStar, ast.MatchMapping), _named),
    **dict.fromkeys((ast.Import, ast.ImportFrom), _import),
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    **({ast.TypeAlias: _type_alias} if hasattr(ast, "TypeAlias") else {}),
}
