"""Comments and docstrings: which of their words are prose, and which mean the program's names."""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import libcst as cst

from nonmember.rewriting.code.tree import every
from nonmember.rewriting.kept import is_common

TOLD = re.compile(
    r"#\s*(?:!|-\*-|type:|coding[:=]|vim?:|noqa|nosec|no\s?cover|pragma|pylint:|pyright:|mypy:"
    r"|pytype:|flake8:|ruff:|isort:|fmt:|yapf:|doctest:|cython:|distutils:|<|>)",
    re.IGNORECASE,
)
"""Comments that a program reads."""

NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")
FIELD = re.compile(r"^[ \t]*:[a-z]+(?:[ \t][^:\n]*)?:", re.MULTILINE)
HEADING = re.compile(r"\s*(?:[A-Z]\w*(?: [A-Z]?\w+)?:|[-=~^*+#]+)\s*")
ESCAPE = re.compile(r"\\(?:\n|.)\w*")
DOCTEST = re.compile(r"\s*>>> ")
AROUND = 200  # characters that tell what a word is meant as
QUOTED = re.compile(r"([bru]*)(\"\"\"|'''|\"|')(.*)\2", re.IGNORECASE | re.DOTALL)


class Prose(NamedTuple):
    """A comment or docstring in parts that stay, then alternately prose and what stays.

    In the prose, ``shields[i]`` stand for the words ``behind[i]``, which no one may touch.
    """

    node: cst.Comment | cst.SimpleString
    parts: tuple[str, ...]
    behind: tuple[tuple[str, ...], ...]
    sign: str

    @property
    def asked(self) -> tuple[str, ...]:
        """The pieces of prose."""
        return self.parts[1::2]

    def rewritten(self, news: Sequence[str | None]) -> cst.CSTNode:
        """The comment or docstring with these pieces; None, or one that is unfit: as it was."""
        said = list(self.parts)
        for number, new in enumerate(news):
            old, words = self.asked[number], self.behind[number]
            fit = new if new is not None and self._fits(old, new) else old
            said[2 * number + 1] = _unshielded(fit, words, self.sign)
        return self.node.with_changes(value="".join(said))

    def _fits(self, old: str, new: str) -> bool:
        alike = all(old.count(mark) == new.count(mark) for mark in ("\n", "\\", '"', "'"))
        shields = re.compile(rf"{self.sign}\d+_")
        return alike and shields.findall(old) == shields.findall(new)


def comments(
    tree: cst.Module, new: Mapping[str, str], functions: tuple[str, ...]
) -> Iterator[Prose]:
    """The comments that are not meant for a program; those that are code only get new names."""
    for node in every(tree, layout=True):
        if not isinstance(node, cst.Comment) or TOLD.match(node.value):
            continue
        body = node.value.lstrip("#: \t")
        head = node.value[: len(node.value) - len(body)]
        if _is_code(body):
            yield Prose(node, (head + _with_names(body, new),), (), "")
        else:
            yield _prose(node, [head, body, ""], new, functions)


def docstrings(
    tree: cst.Module, new: Mapping[str, str], functions: tuple[str, ...]
) -> Iterator[Prose]:
    """The docstrings: of their code only the keywords of calls of ``functions`` change."""
    for node in documenting(tree):
        if (found := QUOTED.fullmatch(node.value)) is None:
            continue
        parts = [found[1] + found[2], *_split(found[3], new, functions)]
        parts[-1] += found[2]
        yield _prose(node, parts, new, functions)


def documenting(tree: cst.Module) -> Iterator[cst.SimpleString]:
    """The strings that document the module, a class or a function."""
    for node in every(tree):
        if isinstance(node, (cst.Module, cst.ClassDef, cst.FunctionDef)):
            block = node if isinstance(node, cst.Module) else node.body
            first = block.body[0] if block.body else None
            line = first.body[0] if isinstance(first, cst.SimpleStatementLine) else first
            if isinstance(line, cst.Expr) and isinstance(line.value, cst.SimpleString):
                yield line.value


def _prose(
    node: cst.Comment | cst.SimpleString,
    parts: list[str],
    new: Mapping[str, str],
    functions: tuple[str, ...],
) -> Prose:
    whole = "".join(parts)
    sign = next(sign for sign in ("name_", "word_", "name__", "word___") if sign not in whole)
    behind = []
    for at in range(1, len(parts), 2):
        parts[at], words = _shielded(parts[at], new, functions, sign)
        behind.append(words)
    return Prose(node, tuple(parts), tuple(behind), sign)


def _split(body: str, new: Mapping[str, str], functions: tuple[str, ...]) -> Iterator[str]:
    """Prose and the rest of a docstring in turn, prose first; together they are the docstring."""
    prose, rest = "", ""
    for line, kind in _lines(body):
        if kind == "prose" and rest:
            yield prose
            yield rest
            prose, rest = "", ""
        if kind == "prose":
            prose += line
        else:
            rest += _with_keywords(line, new, functions) if kind == "code" else line
    yield prose
    yield rest


def _lines(body: str) -> Iterator[tuple[str, str]]:
    """Each line of a docstring, and whether it is prose, code, or neither."""
    example, margin, block = False, 0, False
    for line in body.splitlines(keepends=True):
        bare, indent = line.strip(), len(line) - len(line.lstrip())
        example = bool(bare) and (example or DOCTEST.match(line) is not None)
        block = block and (not bare or indent > margin)
        if example or block:
            yield line, "code"
        elif not bare or HEADING.fullmatch(line):
            yield line, "neither"
        else:
            yield line, "prose"
        if not block and bare:
            margin, block = indent, bare.endswith("::")


def _with_keywords(line: str, new: Mapping[str, str], functions: tuple[str, ...]) -> str:
    return _calls(functions).sub(lambda found: found[1] + _keywords(found[2], new), line)


@lru_cache(maxsize=8)
def _calls(functions: tuple[str, ...]) -> "re.Pattern[str]":
    """A call of one of these: its name with the bracket, and the arguments up to the next."""
    return re.compile(rf"(\b(?:{'|'.join(map(re.escape, functions)) or '(?!)'})\()([^()\n]*)")


def _keywords(arguments: str, new: Mapping[str, str]) -> str:
    return re.sub(r"(?<![\w.])(\w+)(?==[^=])", lambda m: new.get(m[1], m[1]), arguments)


def _shielded(
    text: str, new: Mapping[str, str], functions: tuple[str, ...], sign: str
) -> tuple[str, tuple[str, ...]]:
    """The text with shields in the places of what no one may touch; and what they hide."""
    hidden = sorted(_hidden(text, new, functions))
    parts: list[str] = []
    words: list[str] = []
    end = 0
    for start, past, word in hidden:
        if start >= end:
            parts += [text[end:start], f"{sign}{len(words)}_"]
            words.append(word)
            end = past
    return "".join([*parts, text[end:]]), tuple(words)


def _hidden(
    text: str, new: Mapping[str, str], functions: tuple[str, ...]
) -> Iterator[tuple[int, int, str]]:
    """Escapes, fields, calls of ``functions``, the program's names; and what is to stand there."""
    for found in ESCAPE.finditer(text):
        yield *found.span(), found[0]
    for found in FIELD.finditer(text):
        yield *found.span(), _with_names(found[0], new)
    for found in _calls(functions).finditer(text):
        yield *found.span(2), _with_names(found[2], new)
    for found in NAME.finditer(text):
        if found[0] in new and _meant(text, found):
            yield *found.span(), new[found[0]]


def _with_names(text: str, new: Mapping[str, str]) -> str:
    return NAME.sub(lambda found: new.get(found[0], found[0]), text)


def _unshielded(text: str, words: Sequence[str], sign: str) -> str:
    return re.sub(rf"{sign}(\d+)_", lambda m: words[int(m[1])], text) if words else text


def _meant(text: str, found: "re.Match[str]") -> bool:
    """Whether a word that is also a variable's name is meant as that."""
    start, end = found.span()
    before, after = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    if before.endswith(("`", "*", "|", "@")) or re.match(r"=[^=]|[`|]|\s?[=!<>]=", after):
        return True
    opens = not before.rpartition("\n")[2].strip(" \t*-")
    if opens and re.match(r"[ \t]*(?:\([^)\n]*\))?(?::| -- | : )", after):
        return True
    return not _is_word(found[0])


@cache
def _is_word(name: str) -> bool:
    """Whether it is likelier a word of the language than a name."""
    plain = name.isalpha() and (name.islower() or name.istitle() or name.isupper())
    return plain and (name.lower() in ("a", "i") or (len(name) > 1 and is_common(name.lower())))


def _is_code(comment: str) -> bool:
    """Whether a comment is a statement that was put aside."""
    if re.search(r"[=(\[]", comment) is None:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(comment)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
