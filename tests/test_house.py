"""What the house rules say of size holds everywhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))
BODY, FILE = 30, 300


def bodies(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Each function's name and the lines of its body, without its docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            told = ast.get_docstring(node, clean=False) is not None
            first = node.body[min(1, len(node.body) - 1)] if told else node.body[0]
            yield node.name, (node.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE
    assert [(name, lines) for name, lines in bodies(ast.parse(text)) if lines > BODY] == []
