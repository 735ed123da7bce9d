"""Tiny models on disk, built once; tests that change one copy it first."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest
import tiny

Copy = Callable[..., Path]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder per architecture."""
    root = tmp_path_factory.mktemp("models")
    return {name: build(root / name) for name, build in tiny.ARCHITECTURES.items()}


@pytest.fixture(scope="session")
def llama(folders: dict[str, Path]) -> Path:
    return folders["llama"]


@pytest.fixture(scope="session")
def adapter(llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter over the llama."""
    return tiny.adapter(tmp_path_factory.mktemp("adapter"), llama)


@pytest.fixture(scope="session")
def llama_gguf(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untied llama as a GGUF file in float32."""
    return tiny.to_gguf(tmp_path_factory.mktemp("gguf") / "llama.gguf", folders["untied"])


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """Copy a folder to change it."""

    def copied(folder: Path, name: str = "copy") -> Path:
        return Path(copytree(folder, tmp_path / name))

    return copied
