"""The embedded corpora: the standard library's functions and scikit-learn's digits."""

import ast
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from nonmember.data import corpora
from nonmember.data.corpora import python_functions
from nonmember.data.images import digits
from nonmember.data.records import Records
from nonmember.data.texts import duplicates
from nonmember.errors import DataError


@pytest.fixture(scope="module")
def functions() -> Records:
    return python_functions()


def _library(root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(source.encode("latin-1"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(root))


def _source(name: str, seed: str, margin: str = "") -> str:
    body = "".join(f"{margin}    {seed}_{number} = {number}\n" for number in range(40))
    return f"{margin}def {name}():\n{body}"


def test_thousands_of_functions_that_begin_differently(functions: Records) -> None:
    assert len(functions) > 5_000
    assert all(300 <= len(record.plain()) <= 3_000 for record in functions)
    assert len({" ".join(record.plain().split())[:200] for record in functions}) == len(functions)
    assert duplicates(functions) == ()
    assert all(record.group is None for record in functions)


def test_the_source_is_dedented_and_a_function(functions: Records) -> None:
    for record in functions[::50]:
        (node,) = ast.parse(record.plain()).body
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        assert record.id.endswith(f" {node.name}")


def test_ids_say_where_in_order_and_tests_are_left_out(functions: Records) -> None:
    places = []
    for record in functions:
        path, _, rest = record.id.partition(":")
        places.append((path, int(rest.split()[0])))
    assert places == sorted(set(places))
    folders = {part for path, _ in places for part in Path(path).parts[:-1]}
    assert not folders & {"site-packages", "test", "tests", "idle_test"}
    assert {"json", "asyncio"} <= folders


def test_methods_count_but_a_function_inside_another_is_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = _source("outer", "a") + _source("inner", "b", "    ")
    method = "class C:\n    if True:\n        async " + _source("run", "c", " " * 8).lstrip()
    _library(tmp_path, monkeypatch, {"m.py": inner + method, "tests/t.py": _source("t", "t")})
    first, second = python_functions()
    assert (first.id, second.id) == ("m.py:1 outer", "m.py:85 run")
    assert "def inner" in first.plain()
    assert second.plain().startswith("async def run():\n    c_0 = 0\n")


def test_a_string_at_the_margin_does_not_stop_the_dedenting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "class C:\n" + _source("run", "c", "    ") + '        s = """\nleft\n    """\n'
    _library(tmp_path, monkeypatch, {"m.py": text})
    (record,) = python_functions()
    assert record.plain().startswith("def run():\n    c_0 = 0\n")
    assert record.plain().endswith('    s = """\nleft\n"""')


def test_what_does_not_parse_is_left_out_and_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "broken.py": "def f(:\n",
        "undecodable.py": "\xff = 1\n",
        "zero.py": "x = 1\0\n",
        "escape.py": _source("good", "g") + '    return "\\d"\n',
    }
    _library(tmp_path, monkeypatch, files)
    assert [record.id for record in python_functions()] == ["escape.py:1 good"]


def test_functions_that_begin_alike_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = {"a.py": _source("f", "x"), "b.py": _source("f", "x") + "    return 1\n"}
    _library(tmp_path, monkeypatch, twice)
    assert [record.id for record in python_functions()] == ["a.py:1 f"]
    monkeypatch.setattr(corpora, "BEGINNING", 3_000)
    assert len(python_functions()) == 2


def test_a_python_without_its_source_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _library(tmp_path, monkeypatch, {})
    with pytest.raises(
        DataError, match="holds no Python source; use a Python that has it"
    ) as error:
        python_functions()
    assert str(error.value).startswith(str(tmp_path))


def test_digits_are_scaled_images_with_their_labels() -> None:
    images, labels = digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert np.unique(labels).tolist() == list(range(10))
    assert labels.shape == (1797,)
