"""The rewriter of Python programs: they do the same, under other names and in other words."""

import ast
import symtable
import sys
import sysconfig
import time
from collections import Counter
from pathlib import Path

import libcst
import numpy as np
import pytest
from rewriting.code_programs import MODULES, PURE, TRAPS

from nonmember.data.corpora import python_functions
from nonmember.rewriting.code import code, same
from nonmember.rewriting.code.equality import _walk
from nonmember.rewriting.code.names import read
from nonmember.rewriting.code.naming import RESERVED, renamed
from nonmember.rewriting.code.scopes import Program
from nonmember.rewriting.protocols import Rewrite, Rewriter

STDLIB = Path(sysconfig.get_path("stdlib"))


def rewritten(text, seed=0):
    return code().rewrite([text], [seed])[0]


def answer(source, call):
    names = {"__name__": "record"}
    exec(compile(source, "<record>", "exec", dont_inherit=True), names)
    return repr(eval(call, names))


def identifiers(source):
    found = set()
    for node in ast.walk(ast.parse(source)):
        for field in ("id", "name", "arg", "attr", "rest", "asname"):
            value = getattr(node, field, None)
            found |= {value} if isinstance(value, str) else set()
    return found


@pytest.mark.parametrize("program", TRAPS + PURE, ids=lambda one: one.title)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_program_does_the_same_under_other_names(program, seed):
    found = rewritten(program.source, seed)
    assert found.text is not None, found.why
    assert found.text != program.source and same(program.source, found.text)
    assert answer(found.text, program.call) == answer(program.source, program.call)


@pytest.mark.parametrize("program", TRAPS, ids=lambda one: one.title)
def test_names_that_are_its_own_go_and_others_stay(program):
    left = identifiers(rewritten(program.source).text)
    assert not left & set(program.gone.split())
    assert set(program.stays.split()) <= left


def test_a_global_name_between_two_blocks_is_not_the_outer_blocks():
    text = (
        "x = 1\ndef f(x):\n    def g():\n        global x\n        def h():\n            return x\n"
    )
    new = rewritten(f"{text}        return h\n    return x, g\n").text
    assert new is not None and answer(new, "f(2)[0], f(2)[1]()()") == "(2, 1)"
    assert "def f(x)" not in new and "global x" in new


@pytest.mark.parametrize("name", MODULES)
def test_a_whole_module_does_the_same(name, monkeypatch):
    for fast in ("_heapq", "_bisect", "_statistics"):  # would stand in for what is rewritten
        monkeypatch.setitem(sys.modules, fast, None)
    source = (STDLIB / f"{name}.py").read_text(encoding="utf-8")
    new = rewritten(source).text
    assert new is not None and len(identifiers(source) - identifiers(new)) > 3
    assert answer(new, MODULES[name]) == answer(source, MODULES[name])


def test_most_real_functions_are_rewritten_and_do_the_same():
    records = python_functions()
    rows = np.random.default_rng(0).choice(len(records), 60, replace=False)
    texts = [str(records[int(row)].content) for row in rows]
    found = code().rewrite(texts, list(range(len(texts))))
    pairs = [(old, new.text) for old, new in zip(texts, found, strict=True) if new.text]
    assert len(pairs) >= 57
    assert all(same(old, new) for old, new in pairs)


@pytest.mark.parametrize("name", ["argparse", "tempfile", "functools", "ast"])
def test_variables_are_those_that_the_compiler_finds(name):
    source = (STDLIB / f"{name}.py").read_text(encoding="utf-8")
    program = read(libcst.parse_module(source))
    ours = Counter(
        frozenset(name for name in scope.bound if not name.startswith("__"))
        for scope in {one.scope for one in program.functions}
    )
    assert ours == Counter(_locals(symtable.symtable(source, name, "exec")))


def _locals(table):
    """Of every function: its variables, with those that := binds in comprehensions in it."""
    made = ("listcomp", "setcomp", "dictcomp", "genexpr")
    if table.get_type() == "function" and table.get_name() not in made:
        yield frozenset(
            one.get_name()
            for one in table.get_symbols()
            if one.is_local() and not one.is_global() and "__" not in one.get_name()[:12]
        )
    for child in table.get_children():
        yield from _locals(child)


@pytest.mark.parametrize("program", TRAPS, ids=lambda one: one.title)
def test_both_syntax_trees_have_the_same_variables(program):
    ours = read(libcst.parse_module(program.source))
    theirs = Program()
    _walk(theirs, ast.parse(program.source), theirs.module)

    def told(one):
        found = ((scope.kind, name, len(uses)) for (scope, name), uses in one.variables.items())
        return Counter(found)

    assert told(ours) == told(theirs)
    assert {name for _, name in ours.nameable()} == {name for _, name in theirs.nameable()}


DIFFERENT = [
    ("def f(a):\n    return a + 1\n", "def f(a):\n    return a + 2\n"),
    ("def f(a, b):\n    return a - b\n", "def f(a, b):\n    return b - a\n"),
    ("def f(a, b):\n    return a, b\n", "def f(x, y):\n    return x, x\n"),
    ("def f(a):\n    return a.x\n", "def f(a):\n    return a.y\n"),
    ("def f(a):\n    return len(a)\n", "def f(a):\n    return size(a)\n"),
    ("def f(a):\n    return a\n", "def g(a):\n    return a\n"),
    ("import os\ndef f():\n    return os\n", "import io\ndef f():\n    return io\n"),
    ("def f(a):\n    return [a for b in a]\n", "def f(a):\n    return [c for c in a]\n"),
    ("x = 1\ndef f(a):\n    return x\n", "x = 1\ndef f(x):\n    return x\n"),
    ("def f(a):\n    return locals()\n", "def f(b):\n    return locals()\n"),
    ("def f(a):\n    return g(a=a)\n", "def f(b):\n    return g(b=b)\n"),
    ("def f(a):\n    return f'{a=}'\n", "def f(b):\n    return f'{b=}'\n"),
    ("@d\ndef f(a):\n    f(a=1)\n", "@d\ndef f(b):\n    f(b=1)\n"),
    ("class A:\n    x = 1\n", "class A:\n    y = 1\n"),
    ("class A:\n    def f(self): pass\n", "class A:\n    def g(self): pass\n"),
    ("def f(*a):\n    return a\n", "def f(a):\n    return a\n"),
    ("def f(a):\n    return 'a'\n", "def f(a):\n    return 'b'\n"),
    ("def f(a):\n    global g\n    g = a\n", "def f(a):\n    global h\n    h = a\n"),
    ("def f(a):\n    return a\n", "def f(a):\n    return a\nf(1)\n"),
    ("def f(a):\n    return a\n", "def f(a:\n    return a\n"),
    ("return 1\n", "return 1\n"),
    ("int main() { return 0; }", "int main() { return 0; }"),
    ("x = 1\0", "x = 1\0"),
]


@pytest.mark.parametrize(("old", "new"), DIFFERENT)
def test_programs_that_do_not_surely_do_the_same(old, new):
    assert not same(old, new) and not same(new, old)


ALIKE = [
    ("def f(a):\n    'doc'\n    return a  # note\n", "def f(b):\n    return (b)\n"),
    ('def f(a):\n    "doc"\n', "def f(b):\n    'other'\n"),
    ("def f(a):\n    return f(a=1)\n", "def f(b):\n    return f(b=1)\n"),
    ("def f():\n    def g(a):\n        return g\n", "def f():\n    def h(b):\n        return h\n"),
    ("def _f():\n    return _f\n", "def _g():\n    return _g\n"),
    ("x = 1\nprint(x)\n", "y = 1\nprint(y)\n"),
    ("x: int = lambda a: a\n", "x: int = lambda b: b\n"),
    ("", ""),
]


@pytest.mark.parametrize(("old", "new"), ALIKE)
def test_programs_that_do_the_same(old, new):
    assert same(old, new) and same(new, old)


def test_a_rewrite_depends_on_text_and_seed_alone():
    texts = [one.source for one in PURE]
    seeds = list(range(len(texts)))
    together = code().rewrite(texts, seeds)
    alone = [code().rewrite([text], [seed])[0] for text, seed in zip(texts, seeds, strict=True)]
    assert together == alone
    others = code().rewrite(texts, [seed + 100 for seed in seeds])
    assert all(a.text != b.text for a, b in zip(together, others, strict=True))


FRAGMENTS = [
    "    return x",
    "def f(:",
    "for (int i = 0; i < n; i++) {}",
    "x = '",
    "print 'x'",
    "\0",
]


@pytest.mark.parametrize("text", FRAGMENTS)
def test_what_is_not_python_is_refused(text):
    assert rewritten(text) == Rewrite(None, "not Python that parses")


@pytest.mark.parametrize("text", ["", "\n", "import os\n", "print(len('it\\'s'))\n", "pass"])
def test_what_has_nothing_of_its_own_is_refused(text):
    assert rewritten(text) == Rewrite(None, "nothing in it may change")


@pytest.mark.parametrize(
    "text",
    ["(" * 150 + "1" + ")" * 150, "-" * 20_000 + "1", "1+" * 20_000 + "1", "a.b" + ".b" * 900],
)
def test_deep_nesting_is_refused_at_worst(text):
    found = rewritten(f"def f(a):\n    return {text}\n")
    assert found.text is not None or found.why in ("not Python that parses", "nested too deeply")


@pytest.mark.parametrize("depth", range(40, 300, 20))
def test_no_depth_is_more_than_it_can_refuse(depth):
    found = rewritten(f"def f(a):\n    # dogs\n    return a{'.b' * depth + '(a + 1)' * depth}\n")
    assert found.text is not None or found.why == "nested too deeply"


@pytest.mark.parametrize(
    "text", ["def f(a):\r    return a\r", "\x0cdef f(a):\n  return a", "a\ud800 = 1"]
)
def test_odd_characters_do_no_harm(text):
    found = rewritten(text)
    assert found.why == "not Python that parses" if found.text is None else same(text, found.text)


def test_tabs_and_ends_of_lines_stay():
    text = "def f(items):\r\n\tif items:\t# the big dog\r\n\t\treturn items\r\n\treturn None"
    new = rewritten(text).text
    assert new is not None and "\n" not in new.replace("\r\n", "")
    assert new.count("\r\n\t") == 3 and not new.endswith("\n")
    assert "items" not in new


def test_a_long_file_is_quick_enough():
    block = PURE[4].source + TRAPS[12].source
    text = "\n".join(block.replace("def ", f"def p{i}_") for i in range(3000 // block.count("\n")))
    started = time.process_time()
    found = rewritten(text)
    assert found.text is not None and text.count("\n") > 3000
    assert time.process_time() - started < 60  # of them 3, and the rest is for type checks


NAMES = ["i", "x", "file_name", "maxSize", "_HTTPHandler", "LIMIT", "größe", "xml", "ROW_COUNT"]


def test_new_names_look_like_the_old_and_are_free():
    for seed in range(30):
        new = renamed(NAMES, {"index", "position", "place"}, np.random.default_rng(seed))
        assert list(new) == NAMES and len(set(new.values())) == len(NAMES)
        assert not set(new.values()) & ({"index", "position", "place", *NAMES} | RESERVED)
        assert all(one.isidentifier() and not one[-1].isdigit() for one in new.values())
        assert new["LIMIT"].isupper() and "_" in new["file_name"] and "_" in new["ROW_COUNT"]
        assert new["maxSize"][0].islower() and not new["maxSize"].islower()
        assert new["_HTTPHandler"][0] == "_" and new["_HTTPHandler"][1].isupper()


def test_new_names_do_not_run_out():
    names = [f"n{'n' * number}" for number in range(3)]
    first = renamed(["n"], (), np.random.default_rng(0))
    every: set[str] = set()
    for seed in range(300):
        every |= set(renamed(names, every, np.random.default_rng(seed)).values())
    assert first and len(every) == 900


class Shouting:
    """A prose rewriter that shows what it was given."""

    name = "shouting"
    identity = "shouting 1"
    sends_to = "example.org"

    def __init__(self, change=str.upper):
        self.change = change

    def rewrite(self, texts, seeds, *, watch=None):
        return [Rewrite(self.change(text), "", 2, 3) for text in texts]


def shouted(text, change=lambda text: text.replace("dog", "CAT")):
    from nonmember.rewriting.code import Programs

    found = Programs(Shouting(change)).rewrite([text], [0])[0]
    assert found.text is not None
    return found


def test_the_prose_of_comments_and_docstrings_is_rewritten():
    text = (
        '"""A dog."""\n# dog\ndef f(file_name):  # dog of file_name\n'
        "    '''dog\n\n    dog \"dog\"'''\n"
        "    dog = 'a dog # dog'\n    return file_name\n"
    )
    found = shouted(text)
    assert found.text.startswith('"""A CAT."""\n# CAT\ndef f(')
    assert "  # CAT of " in found.text and "file_name" not in found.text
    assert "'''CAT\n\n    CAT \"CAT\"'''" in found.text and '"a dog # dog"' in found.text
    assert (found.tokens_read, found.tokens_written) == (10, 15)  # five pieces of it


def test_comments_that_programs_read_stay():
    told = ["#!/bin/dog", "# -*- coding: dog -*-", "# type: (dog) -> dog", "# noqa: dog"]
    text = "\n".join([*told, "x = 1  # pragma: no dog", "y = x  # type: ignore[dog]", ""])
    assert shouted(text).text.count("dog") == 7


def test_code_in_comments_follows_the_names():
    new = shouted("def f(value):\n    # value = dog(value)\n    return value\n").text
    assert "value" not in new and "dog(" in new


def test_docstrings_keep_examples_and_follow_the_names():
    text = (
        'def area(width, deep_count):\n    r"""Area of a dog, `width` times deep_count.\n\n'
        "    :param width: of the dog\n    Args:\n        width (int): the dog's width is width\n\n"
        "    >>> dog = area(width=2, deep_count=3)\n    dog\n\n    Code::\n\n        dog(width)\n\n"
        '    dog \\d\n    """\n    return width * deep_count\n'
    )
    new = shouted(text).text
    wide, deep = (one.arg for one in ast.parse(new).body[0].args.args)
    assert f"Area of a CAT, `{wide}` times {deep}." in new
    assert f":param {wide}: of the CAT\n    Args:\n        {wide} (int): the CAT's" in new
    assert f">>> dog = area({wide}=2, {deep}=3)\n    dog\n" in new
    assert "Code::\n\n        dog(width)\n\n    CAT \\d\n" in new
    assert "'s width is width" in new  # a word of the language


@pytest.mark.parametrize(
    "change",
    [lambda t: t + '"""', lambda t: t + "\n", lambda t: t + "\\", lambda t: t + "'", str.upper],
)
def test_prose_that_would_break_the_program_is_left_as_it_was(change):
    text = (
        'def f(some_name):\n    """The dog of some_name."""\n    # the dog of some_name\n'
        "    return some_name\n"
    )
    found = shouted(text, change)
    name = ast.parse(found.text).body[0].args.args[0].arg
    assert f'"""The dog of {name}."""\n    # the dog of {name}\n' in found.text


def test_signatures_in_docstrings_follow_the_names():
    text = (
        'def find(text, mode):\n    """find(text, mode) -> text of dogs; if mode == 2"""\n'
        "    return text, mode\n"
    )
    new = shouted(text).text
    first, second = (one.arg for one in ast.parse(new).body[0].args.args)
    assert f'"""find({first}, {second}) -> text of CATs; if {second} == 2"""' in new


def test_docstrings_that_are_used_stay():
    text = '"""Usage: dog"""\ndef f(number):\n    print(__doc__ % number)  # dog\n'
    new = shouted(text).text
    assert new.startswith('"""Usage: dog"""') and new.endswith("  # CAT\n")


def test_strings_change_their_marks_where_that_needs_no_escape():
    old = """ 'a', "b", 'c"', r'\\d', '', b'e', f'{len("y")}', '''z''' """
    new = """ "a", 'b', 'c"', r'\\d', "", b"e", f'{len("y")}', '''z''' """
    assert shouted(f"print({old})\n").text == f"print({new})\n"


def test_it_is_a_rewriter_that_says_what_it_depends_on():
    made = code()
    assert isinstance(made, Rewriter) and made.name == "code" and made.sends_to is None
    assert made == code() and made.identity != code(rate=0.1).identity
    seen: list[int] = []
    made.rewrite(["x = [y for y in ()]\n", "def f(:", ""], [0, 1, 2], watch=seen.append)
    assert seen == [1, 1, 1]
