"""Texts that every machine with Python has."""

import ast
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

from nonmember.data.records import Record, Records
from nonmember.data.texts import normalised
from nonmember.errors import DataError

SHORTEST, LONGEST = 300, 3_000
BEGINNING = 200
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test"}


def python_functions() -> Records:
    """Functions of the running Python's standard library, 300 to 3,000 characters each.

    Dedented source from ``def`` on, methods included, tests left out, ordered by file and
    line. Each has an id such as "json/decoder.py:332 decode" and stands alone.

    Raises:
        DataError: this Python came without the source of its library.
    """
    root = Path(sysconfig.get_path("stdlib"))
    records = Records.of(_different(root))
    if not records:
        raise DataError(f"{root}: holds no Python source; use a Python that has it, or own records")
    return records


def _different(root: Path) -> Iterator[Record]:
    seen: set[str] = set()
    for file in _modules(root):
        for line, name, text in _functions(root / file):
            # Audits read only a text's beginning, so functions that begin alike are one
            # record to them, and would stand on both sides of a split.
            beginning = normalised(text)[:BEGINNING]
            if SHORTEST <= len(text) <= LONGEST and beginning not in seen:
                seen.add(beginning)
                yield Record(f"{file}:{line} {name}", text)


def _modules(root: Path) -> list[str]:
    files = (file.relative_to(root) for file in root.rglob("*.py"))
    return sorted(file.as_posix() for file in files if SKIPPED_FOLDERS.isdisjoint(file.parts[:-1]))


def _functions(file: Path) -> Iterator[tuple[int, str, str]]:
    try:
        with tokenize.open(file) as stream:  # decodes as the file declares
            source = stream.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library's own odd escapes
            tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    lines = source.split("\n")
    for node in _outermost(tree):
        text = lines[node.lineno - 1 : node.end_lineno]
        yield node.lineno, node.name, _dedented(text, node.col_offset)


def _outermost(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    # A function inside another is part of the other's text: dealt to two sides, a
    # non-member would have been trained on.
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif not isinstance(node, ast.expr):
            yield from _outermost(node)


def _dedented(lines: list[str], margin: int) -> str:
    # Unlike textwrap.dedent, not stopped by a line of a string that stands further left.
    return "\n".join(line[min(margin, len(line) - len(line.lstrip())) :] for line in lines)
