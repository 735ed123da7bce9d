"""A program: read it, choose names, take in the new prose, check that it does the same."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import libcst as cst
import numpy as np

from nonmember.rewriting.code.equality import compiled, same
from nonmember.rewriting.code.forms import requoted
from nonmember.rewriting.code.names import read
from nonmember.rewriting.code.naming import renamed
from nonmember.rewriting.code.prose import Prose, comments, docstrings, documenting
from nonmember.rewriting.code.settled import renameable
from nonmember.rewriting.code.tree import every, exchanged
from nonmember.rewriting.protocols import Rewrite
from nonmember.seeds import generator

WORD = re.compile(r"[^\W\d]\w*")
NOT_PYTHON = Rewrite(None, "not Python that parses")
DEEP = "nested too deeply"


class Draft(NamedTuple):
    """A program with its new names and forms, ``news`` by node, and the prose in it."""

    text: str
    tree: cst.Module
    news: Mapping[int, cst.CSTNode]
    prose: tuple[Prose, ...]


def draft(text: str, seed: int) -> Draft | Rewrite:
    """All but the new prose; or why there is nothing to be had."""
    try:
        compiled(text)
        tree = cst.parse_module(text)
        return _drafted(text, tree, generator(seed, "code", text))
    except (SyntaxError, ValueError, MemoryError, cst.ParserSyntaxError):
        return NOT_PYTHON
    except RecursionError:
        return Rewrite(None, DEEP)


def _drafted(text: str, tree: cst.Module, draw: np.random.Generator) -> Draft:
    program, documents = read(tree), list(documenting(tree))
    words = _said(tree, {id(one) for one in documents})
    free = renameable(program, words)
    variables = [one for one in program.variables if one in free]
    names = list(dict.fromkeys(name for _, name in variables))
    taken = words | {one.value for one in every(tree) if isinstance(one, cst.Name)}
    new = renamed(names, taken, draw)
    nodes = [(one, use.node) for one in variables for use in program.variables[one]]
    news: dict[int, cst.CSTNode] = {
        id(node): node.with_changes(value=new[name])
        for (_, name), node in (*nodes, *program.keywords(free))
    }
    news.update(requoted(tree))
    functions = tuple(dict.fromkeys(one.use.name for one in program.functions if one.use))
    prose = list(comments(tree, new, functions))
    if "__doc__" not in program.attributes | {use.name for use in program.uses}:
        prose += docstrings(tree, new, functions)
    return Draft(text, tree, news, tuple(prose))


def finished(draft: Draft, news: Sequence[Rewrite]) -> Rewrite:
    """The program, with one rewrite for each piece of its prose, if it still does the same."""
    left = iter([new.text for new in news])
    nodes = dict(draft.news)
    for one in draft.prose:
        nodes[id(one.node)] = one.rewritten([next(left) for _ in one.asked])
    costs = (sum(new.tokens_read for new in news), sum(new.tokens_written for new in news))
    try:
        text = exchanged(draft.tree, nodes).code
    except RecursionError:
        return Rewrite(None, DEEP, *costs)
    if text == draft.text:
        return Rewrite(None, "nothing in it may change", *costs)
    if not same(draft.text, text):
        readable = same(draft.text, draft.text)
        return Rewrite(None, "it would not surely do the same" if readable else DEEP, *costs)
    return Rewrite(text, "", *costs)


def _said(tree: cst.Module, documents: set[int]) -> set[str]:
    """The words of all strings but docstrings: whatever is looked up by name may be among them."""
    strings = (
        one.value
        for one in every(tree)
        if isinstance(one, (cst.SimpleString, cst.FormattedStringText)) and id(one) not in documents
    )
    return {word for value in strings for word in WORD.findall(value)}
