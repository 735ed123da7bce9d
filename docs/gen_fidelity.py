"""What holds a method to its paper: deviations that documents tell, and tests by their names.

MkDocs calls ``on_page_markdown``, which puts the table of every attack where a page asks for it.
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

from gen_words import linked, table, text_of
from mkdocs.structure.pages import Page

from nonmember import attacks as _attacks  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import ATTACKS

ROOT = Path(__file__).parents[1]
DEVIATIONS = ("classifiers.md", "transfer.md", "diffence.md")
"""Documents with tables of deviations, whose rows are shown on the pages they are about."""
EVERY = "<!-- every attack -->"


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Put the table of every attack's fidelity where a page asks for it."""
    return markdown.replace(EVERY, _fidelity()) if EVERY in markdown else markdown


def _fidelity() -> str:
    rows = []
    for one in (one for _, one in sorted(ATTACKS.items())):
        place, told = f"attacks/{one.family}/{one.name}.md", " ".join(text_of(one.score).split())
        deviates = re.search(r"Deviations?: (.*)", told)
        held = str(len(_holding(one.name, "attacks", one.family)))
        said = deviates[1] if deviates else ""
        rows.append((f"[`{one.key}`]({place})", linked(one.paper), said, held))
    return table(("attack", "paper", "deviates", "held by"), rows)


def deviations(name: str) -> list[str]:
    """The rows of the documents' tables of deviations that are about ``name``."""
    found = []
    for document in DEVIATIONS:
        text = (ROOT / "docs" / document).read_text(encoding="utf-8")
        for head, rows in re.findall(
            r"^(\| (?:attack|defense) \| the .*)\n\|[-| ]+\n((?:\|.*\n)+)", text, re.M
        ):
            about = [row for row in rows.splitlines() if f"`{name}`" in row.split("|")[1]]
            bars = "|---" * (head.count("|") - 1) + "|"
            found += [*(["\n".join([head, bars, *about]), ""] if about else [])]
    pages = [re.sub(r"\]\((?!http)", "](../../", one) for one in found]
    return ["\n## Deviations\n", *pages] if found else []


@cache
def _tested(room: str) -> list[tuple[str, str, str]]:
    """Each test of a room of the tests: its file, its name, and its source."""
    found = []
    for path in sorted((ROOT / "tests" / room).rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                place = str(path.relative_to(ROOT / "tests"))
                found.append((place, node.name, ast.get_source_segment(text, node) or ""))
    return found


def tests_of(name: str, room: str, family: str) -> list[str]:
    """The tests that hold ``name`` to its paper, as sentences; a sweep over all comes beside."""
    rows = [
        f"* {test.removeprefix('test_').replace('_', ' ')} (`{place}`)"
        for place, test in _holding(name, room, family)
    ]
    return ["\n## What holds it to that\n", "\n".join(rows), ""] if rows else []


def _holding(name: str, room: str, family: str) -> list[tuple[str, str]]:
    used = re.compile(rf"\b{name}\(|[\"'](?:{family}\.)?{name}[\"']")
    return [
        (place, test)
        for place, test, source in _tested(room)
        if used.search(source) and _of(family, place)
    ]


def _of(family: str, place: str) -> bool:
    """Whether a test's file may be about this family: it lies in no other family's folder."""
    folder = Path(place).parts[1]
    return folder == family or folder.endswith(".py")
