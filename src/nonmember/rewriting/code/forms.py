"""Other ways to write the same syntax tree."""

from collections.abc import Iterator, Mapping

import libcst as cst

from nonmember.rewriting.code.prose import documenting
from nonmember.rewriting.code.tree import parts

OTHER = {'"': "'", "'": '"'}


def requoted(tree: cst.Module) -> Mapping[int, cst.CSTNode]:
    """All strings of one line between the other quotation marks, where that needs no escape.

    Not docstrings, for which there is but one custom, nor what stands inside an f-string,
    which may not hold the marks around it before Python 3.12.
    """
    documents = {id(one) for one in documenting(tree)}
    return {
        id(one): one.with_changes(value=_requoted(one.value))
        for one in _strings(tree)
        if id(one) not in documents
    }


def _strings(node: cst.CSTNode) -> Iterator[cst.SimpleString]:
    if isinstance(node, cst.SimpleString):
        yield node
    elif not isinstance(node, (cst.FormattedString, cst.TemplatedString)):
        for part in parts(node):
            yield from _strings(part)


def _requoted(value: str) -> str:
    mark = value[-1]
    start = value.index(mark)
    body = value[start + 1 : -1]
    if value[start:].startswith(mark * 3) or set(body) & set("\"'\\"):
        return value
    return value[:start] + OTHER[mark] + body + OTHER[mark]
