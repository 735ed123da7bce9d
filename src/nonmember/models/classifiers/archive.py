"""A ``torch.export`` archive in which nothing is left that could run code when it is read.

``torch.export.load`` unpickles the sample inputs and every weight that is no plain tensor,
evaluates symbolic sizes as Python, imports modules that the file names, and writes names into
code that it executes. Here the archive is copied without what a prediction does not need, and
refused where a name, an operator or a size is not of the plain form that ``torch.export.save``
gives to networks.
"""

import ast
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from zipfile import BadZipFile, ZipFile

from nonmember.errors import ModelError

Json: TypeAlias = Any

GRAPH, SAMPLES = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version")
TENSOR = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
OPERATOR = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+"
    r"|_operator\.(getitem|eq|ne|le|ge|lt|gt|neg|pos|add|sub|mul|floordiv|truediv|mod|pow)"
    r"|torch\.sym_(not|int|float|ite|max|min|sqrt)|math\.trunc"
    r"|torch\.ops\.higher_order\.wrap_with_(set_grad_enabled|autocast)"
)
FILES = "torch.ops.aten.from_file"
NAME, DOTTED = re.compile(r"[A-Za-z_]\w*|"), re.compile(r"[\w.+]*")
QUOTED = re.compile(r"[\w ,.>:-]*")  # an operator's option, such as einsum's equation
OBJECTS = ("as_operator", "as_custom_obj", "as_script_object")
SIZES = frozenset((
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Mod", "Max", "Min", "Eq", "Ne",
    "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "FloorDiv", "CeilDiv", "PythonMod", "CleanDiv",
    "IntTrueDiv", "TruncToInt", "oo",
))  # fmt: skip
SPELLING = (
    ast.Expression, ast.Call, ast.keyword, ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.UnaryOp,
    ast.operator, ast.unaryop, ast.Compare, ast.cmpop,
)  # fmt: skip
BUILT_IN = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def cleaned(path: Path) -> io.BytesIO:
    """A copy of the archive that is safe to give to ``torch.export.load``.

    Raises:
        ModelError: it is damaged or of an old format, or holds something that could run code.
    """
    try:
        with ZipFile(path) as archive:
            return _copied(path, archive)
    except (BadZipFile, OSError, ValueError, KeyError, RecursionError) as error:
        raise ModelError(
            f"{path}: no readable torch.export program ({error}); write it again with "
            "torch.export.save"
        ) from None


def _copied(path: Path, archive: ZipFile) -> io.BytesIO:
    names = archive.namelist()
    root = names[0].partition("/")[0] if names else ""
    inner = {name.removeprefix(f"{root}/") for name in names}
    if GRAPH not in inner or len(inner) < len(names):
        raise ValueError("it has no models/model.json")
    kept = io.BytesIO()
    with ZipFile(kept, "w") as copy:
        for name in sorted(inner):
            content = _safe(path, name, archive, f"{root}/{name}")
            if content is not None:
                copy.writestr(f"model/{name}", content)
    kept.seek(0)
    return kept


def _safe(path: Path, name: str, archive: ZipFile, full: str) -> bytes | None:
    """What of a member is kept; None for one that a prediction does not need."""
    if name == SAMPLES:
        return b""  # it must be there, and empty it is not unpickled
    if name in CONFIGS:
        return _checked(path, archive.read(full), _tensors_only)
    if name == GRAPH:
        return _checked(path, archive.read(full), _graph_only)
    return archive.read(full) if name in PLAIN or TENSOR.fullmatch(name) else None


def _checked(path: Path, content: bytes, only: Callable[[Json], str]) -> bytes:
    held = json.loads(content)
    amiss = only(held)
    if amiss:
        raise ModelError(
            f"{path}: holds {amiss}, which could run code when it is read; give the network as "
            "package.module:factory with safetensors weights instead"
        )
    return json.dumps(held).encode()


def _tensors_only(held: Json) -> str:
    for entry in held["config"].values():
        if entry["use_pickle"] or entry["tensor_meta"] is None:
            return "pickled weights"
        if not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
            return "weights that are no tensors"
    return _walked(held)


def _graph_only(held: Json) -> str:
    # Checks of the sample's sizes, written as code; where a layer stood in a source file; and
    # tuples with names. A prediction needs none of them.
    held["guards_code"], held["graph_module"]["treespec_namedtuple_fields"] = [], {}
    return _walked(held)


def _walked(held: Json) -> str:
    """The first thing in a JSON value that is not of the plain form; "" if there is none."""
    if isinstance(held, list):
        return next((amiss for one in held if (amiss := _walked(one))), "")
    if isinstance(held, dict):
        if "metadata" in held:
            held["metadata"] = {}
        return next((amiss for key in held if (amiss := _entry(key, held[key]))), "")
    if isinstance(held, str) and not DOTTED.fullmatch(held):
        return f"the name {held[:40]!r}"
    return ""


def _entry(key: str, value: Json) -> str:
    if not DOTTED.fullmatch(key):
        return f"the name {key[:40]!r}"
    if key in OBJECTS or (key == "custom_obj_values" and value):
        return "objects that are no tensors"
    if not isinstance(value, str):
        return _walked(value)
    rule = RULES.get(key, DOTTED.fullmatch)
    return "" if rule(value) else f"{key} {value[:60]!r}"


def _operator(name: str) -> bool:
    return bool(OPERATOR.fullmatch(name)) and not name.startswith(FILES)


def _size(text: str) -> bool:
    """Whether a symbolic size is made of numbers, symbols and arithmetic alone."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except SyntaxError:
        return False
    names = [one.id for one in nodes if isinstance(one, ast.Name)]
    said = [str(one.value) for one in nodes if isinstance(one, ast.Constant)]
    called = all(isinstance(one.func, ast.Name) for one in nodes if isinstance(one, ast.Call))
    plain = all(isinstance(one, SPELLING) for one in nodes)
    words = SIZES.issuperset(names) and all(DOTTED.fullmatch(one) for one in said)
    return plain and called and words


def _tree(text: str) -> bool:
    """Whether inputs or outputs are arranged in tuples, lists and dicts alone."""
    protocol, spec = json.loads(text)
    return protocol == 1 and _built_in(spec)


def _built_in(spec: Json) -> bool:
    context = json.loads(spec["context"] or "null")
    keys = context if isinstance(context, list) else [] if context is None else [None]
    named = all(isinstance(key, str) and NAME.fullmatch(key) for key in keys)
    return spec["type"] in BUILT_IN and named and all(map(_built_in, spec["children_spec"]))


RULES: dict[str, Callable[[str], object]] = {
    "target": _operator,
    "expr_str": _size,
    "in_spec": _tree,
    "out_spec": _tree,
    "name": NAME.fullmatch,
    "as_name": NAME.fullmatch,
    "as_string": QUOTED.fullmatch,
}
"""What a string under a key must be; elsewhere a word, with dots."""
