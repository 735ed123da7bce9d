"""The reference of the command line, of Python and of the findings, made at build time."""

import ast
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import nonmember
from nonmember.cli import app

SOURCE = Path(nonmember.__file__).parent
GRAVE = ("error", "warning", "note")
ABOUT = {
    "E123": "the placebo of an audit of ancestors finds something, where nothing is.",
    "E124": "not this child, but others made like it leak what their ancestor saw.",
    "E125": "references are few, so that figures over all of them in turn say little.",
    "E126": "the ancestor was trained on another number of records than the references.",
}
"""Findings whose functions raise several, so that no docstring says it."""
VALUES = {
    "nonmember.audit.records": ("Results", "TargetResult", "AttackResult", "Redraws"),
    "nonmember.evaluation.intervals": ("Interval",),
    "nonmember.evaluation.checks": ("Finding",),
    "nonmember.errors": ("NonmemberError", "SpecError", "DataError", "ModelError", "RunError"),
}
"""What verbs return and raise, by where it is."""
PRIVATE = re.compile(r"^--(install|show)-completion$")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the three pages."""
    pages = {"commands.md": commands(), "python.md": python(), "findings.md": findings()}
    for uri, text in pages.items():
        files.append(File.generated(config, uri, content=text))
    return files


def commands() -> str:
    """Every command with its arguments and flags, as ``--help`` has them."""
    text = "# Command line\n\n"
    text += f"{app.info.epilog}\n"
    for path, command in walk(typer.main.get_command(app), ()):
        text += f"\n## `nonmember {' '.join(path)}`\n\n{_prose(command.help)}\n"
        text += _parameters(command)
    return text


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below this one that does something, with the words that call it."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, inner in sorted(command.commands.items()):
        if not inner.hidden:
            yield from walk(inner, (*path, name))


def _prose(help_text: str | None) -> str:
    """The first paragraph of the help, and what follows as it stands."""
    return inspect.cleandoc(help_text or "") + "\n"


def _parameters(command: Any) -> str:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    rows = [_row(one) for one in shown if not PRIVATE.match(max(one.opts, key=len))]
    if not rows:
        return ""
    head = "\n| | default | |\n| --- | --- | --- |\n"
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _row(one: Any) -> tuple[str, str, str]:
    names = [*one.opts, *one.secondary_opts]
    if one.param_type_name == "argument":
        names = [one.name.upper()]
    told = (one.help or "").replace("|", r"\|")
    return ", ".join(f"`{name}`" for name in names), _default(one), told


def _default(one: Any) -> str:
    value = one.default
    if one.required:
        return "required"
    if value in (None, False, "", (), []) or callable(value):
        return ""
    return f"`{value.value if isinstance(value, Enum) else value}`"


def python() -> str:
    """The public names with their docstrings, and the values that they return and raise."""
    text = "# Python\n\nThe command line says the same words: each command calls the verb of its "
    text += "name. `import nonmember as nm` costs nothing; a name is imported when it is used.\n"
    for name in nonmember.__all__:
        text += f"\n::: {_home(name)}.{name}\n"
    text += "\n## What comes back\n"
    for module, names in VALUES.items():
        text += "".join(f"\n::: {module}.{name}\n" for name in names)
    return text


def _home(name: str) -> str:
    """The module that a public name is written in."""
    home = nonmember._HOMES[name]
    return getattr(getattr(import_module(home), name), "__module__", home)


def findings() -> str:
    """Every coded finding that the source raises: its code, how grave it can be, its subject."""
    grave, about = dict[str, set[str]](), dict(ABOUT)
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if re.search(r"\bE\d{3}\b", text):
            _note(ast.parse(text), grave, about)
    text = "# Findings\n\nWhat a reader must know before believing a figure. Codes keep their "
    text += "meaning; a message names the records, the figure and what to do. An *error* takes "
    text += "the verdict away or says that a figure is missing, a *warning* changes how one is "
    text += "read, a *note* explains. [How to read a report](reading.md).\n\n"
    text += "| code | severity | about |\n| --- | --- | --- |\n"
    for code, severities in sorted(grave.items()):
        ranked = sorted(severities, key=GRAVE.index)
        text += f"| `{code}` | {' or '.join(ranked)} | {about[code]} |\n"
    return text


def _note(tree: ast.AST, grave: dict[str, set[str]], about: dict[str, str]) -> None:
    """What a file raises, from its calls of ``Finding``, and says of it in docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            told = (ast.get_docstring(node) or "").split("\n\n")[0]
            for code, subject in re.findall(r"^(E\d{3}): (.*)", told, re.S):
                about[code] = re.sub(r"\s+", " ", subject)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding":
            first, second = (getattr(one, "value", None) for one in node.args[:2])
            found = {second} if second in GRAVE else {"error", "warning"}
            grave.setdefault(str(first), set()).update(found)
