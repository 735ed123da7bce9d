"""Which variable a name in a program means, by Python's rules; in whichever syntax tree it stands.

A reader of trees (``names`` of libcst's, ``equality`` of Python's own) fills a ``Program``
with every use of a name; what is asked of it here does not depend on the tree.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias
from unicodedata import normalize

Kind: TypeAlias = Literal["module", "class", "function", "comprehension"]
How: TypeAlias = Literal["load", "store", "def", "class", "parameter", "import", "declared"]

UNTOUCHED = frozenset({"self", "cls", "mcs", "mcls", "metacls"})
REFLECTING = frozenset(
    {"locals", "vars", "eval", "exec", "globals", "dir", "currentframe", "_getframe", "f_locals"}
)
"""Names of what reads variables by their names; ``globals`` reads the module's only."""


@dataclass(eq=False)
class Scope:
    """A block with variables of its own: those bound in it, and those it says are elsewhere."""

    kind: Kind
    parent: "Scope | None" = None
    bound: set[str] = field(default_factory=set)
    elsewhere: dict[str, Literal["global", "nonlocal"]] = field(default_factory=dict)

    @property
    def module(self) -> "Scope":
        """The outermost."""
        return self if self.parent is None else self.parent.module

    @property
    def own(self) -> "Scope":
        """Where ``:=`` binds: comprehensions hand it on to the block they stand in."""
        if self.kind == "comprehension" and self.parent is not None:
            return self.parent.own
        return self


Variable: TypeAlias = tuple[Scope, str]


class Use(NamedTuple):
    """A name at one place; ``node`` is whatever stands there in the tree."""

    name: str
    scope: Scope
    how: How
    node: Any


class Function(NamedTuple):
    """A def or lambda: its own name, and the parameters of its ``scope`` that have keywords."""

    use: Use | None
    scope: Scope
    parameters: tuple[str, ...]
    decorators: tuple[str, ...]


class Call(NamedTuple):
    """Arguments that are given by keyword, as (name, node), and to whom.

    ``attribute`` is the name behind the last dot, ``inherited`` says that it is asked of
    ``super()``; ``starred``: there are keywords that cannot be seen.
    """

    scope: Scope
    name: str | None
    attribute: str | None
    keywords: tuple[tuple[str, Any], ...]
    starred: bool
    inherited: bool = False


@dataclass(eq=False)
class Program:
    """All names of a program.

    ``attributes`` stand behind dots, ``values`` are those of them that are not called at
    once. ``shown`` are names that come out as text or may be read as such.
    """

    module: Scope = field(default_factory=lambda: Scope("module"))
    uses: list[Use] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    called: set[int] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    reflecting: set[Scope] = field(default_factory=set)

    def use(self, name: str, scope: Scope, how: How, node: Any) -> Use:
        """Note a name; all but reading it binds it."""
        name = normalize("NFKC", name)
        if how not in ("load", "declared") and name not in scope.elsewhere:
            scope.bound.add(name)
        self.uses.append(found := Use(name, scope, how, node))
        return found

    def declare(self, name: str, scope: Scope, where: Literal["global", "nonlocal"]) -> None:
        """Note that a block says its ``name`` is elsewhere."""
        name = normalize("NFKC", name)
        scope.elsewhere[name] = where
        scope.bound.discard(name)
        if where == "global":
            scope.module.bound.add(name)

    def reflects(self, scope: Scope, by: str) -> None:
        """Note that variables are read by their names in a block, thus in all around it."""
        at: Scope | None = scope.module if by == "globals" else scope
        while at is not None:
            self.reflecting.add(at)
            at = at.parent

    @cached_property
    def variables(self) -> Mapping[Variable, Sequence[Use]]:
        """The uses of each variable that the program binds, in the order of the tree."""
        found: dict[Variable, list[Use]] = defaultdict(list)
        for use in self.uses:
            if (home := binder(use.scope, use.name)) is not None:
                found[home, use.name].append(use)
        return found

    @cached_property
    def scripted(self) -> bool:
        """Whether it defines nothing at its top, so that no one could import from it."""
        return not any(u.scope is self.module and u.how in ("def", "class") for u in self.uses)

    def meant(self, call: Call) -> Function | None:
        """The function that is surely called: its name is bound once, by a bare def."""
        if call.name is None or (home := binder(call.scope, call.name)) is None:
            return None
        bindings = [use for use in self.variables[home, call.name] if use.how != "load"]
        if home.kind == "class" or len(bindings) != 1:
            return None
        function = self.defined.get(id(bindings[0].node))
        return function if function and not function.decorators else None

    def keywords(self, free: Set[Variable]) -> Iterator[tuple[Variable, Any]]:
        """The parameters among ``free`` that calls surely name, with the keywords' nodes."""
        for call in self.calls:
            if (function := self.meant(call)) is None:
                continue
            for name, node in call.keywords:
                if name in function.parameters and (function.scope, name) in free:
                    yield (function.scope, name), node

    @cached_property
    def defined(self) -> Mapping[int, Function]:
        """Functions by the id of the node that has their name."""
        return {id(one.use.node): one for one in self.functions if one.use is not None}

    def nameable(self) -> set[Variable]:
        """Variables that could have another name without anyone outside being concerned.

        Not those of classes, which are attributes; not what a module has to offer, unless a
        single underscore says it is private; not names of imports, of variables declared
        global, of whatever is looked up by its name, nor such as are kept by custom.
        """
        return {one for one, uses in self.variables.items() if self._free(one, uses)}

    def _free(self, variable: Variable, uses: Sequence[Use]) -> bool:
        scope, name = variable
        if name.startswith("__") or not name.strip("_") or name in UNTOUCHED:
            return False
        if scope.kind == "class" or scope in self.reflecting:
            return False
        if scope.kind == "module" and not (name.startswith("_") or self.scripted):
            return False
        return not any(use.how in ("import", "declared") for use in uses)


def binder(scope: Scope, name: str) -> Scope | None:
    """The block whose variable ``name`` is as seen from ``scope``; None: the program has none."""
    at: Scope | None = scope
    while at is not None:
        visible = at is scope or at.kind != "class"
        if visible and at.elsewhere.get(name) == "global":
            return scope.module
        if visible and name in at.bound:
            return at
        at = at.parent
    return None
