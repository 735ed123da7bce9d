"""Models are found, told apart by content and measured, without loading them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
from safetensors.torch import load_file

from nonmember.models import causal
from nonmember.models.source import Source, locate

Copy = Callable[..., Path]
HERE = causal.Placement(torch.device("cpu"), torch.float32)


def flip(file: Path, place: int = -1) -> None:
    """Change one byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def set_json(file: Path, **entries: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **entries}))


def test_a_folder_is_found(llama: Path) -> None:
    found = locate(str(llama))
    assert (found.kind, found.path, found.base) == ("folder", llama, None)
    assert found.quantised is None


def test_an_adapter_is_found_with_the_base_it_records(adapter: Path, llama: Path) -> None:
    found = locate(str(adapter))
    assert found.kind == "adapter"
    assert found.base == locate(str(llama))


def test_a_base_that_is_given_goes_before_the_recorded_one(
    adapter: Path, llama: Path, copy: Copy
) -> None:
    moved = copy(llama)
    found = locate(str(adapter), base=str(moved))
    assert found.base is not None
    assert found.base.path == moved
    assert found.digest == locate(str(adapter)).digest, "the same base, elsewhere"


def test_a_gguf_file_is_found(folders: dict[str, Path], tmp_path: Path) -> None:
    plain = locate(str(tiny.to_gguf(tmp_path / "plain.gguf", folders["untied"])))
    packed = locate(str(tiny.to_gguf(tmp_path / "packed.gguf", folders["untied"], form="Q8_0")))
    assert (plain.kind, plain.quantised) == ("gguf", None)
    assert (packed.kind, packed.quantised) == ("gguf", "Q8_0 (8-bit)")
    assert plain.digest != packed.digest


def test_the_packaged_model_is_found_by_name() -> None:
    found = locate("smollm2")
    assert (found.name, found.kind) == ("smollm2", "gguf")
    assert found.parameters == 134_515_008
    assert found.quantised == "Q4_1 (4-bit)"


def test_a_folder_of_that_name_goes_before_the_packaged_model(
    llama: Path, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy(llama, "smollm2").parent)
    assert locate("smollm2").kind == "folder"


@pytest.mark.parametrize("name", tiny.ARCHITECTURES)
def test_parameters_are_counted_once_however_often_used(
    folders: dict[str, Path], name: str
) -> None:
    found = locate(str(folders[name]))
    network = causal.load(found, HERE).network
    assert found.parameters == sum(weight.numel() for weight in network.parameters())


def test_parameters_of_an_adapter_are_its_own_and_its_base(adapter: Path, llama: Path) -> None:
    own = sum(w.numel() for w in load_file(adapter / "adapter_model.safetensors").values())
    assert own > 0
    assert locate(str(adapter)).parameters == own + locate(str(llama)).parameters


def test_two_forms_of_the_same_weights_are_counted_once(llama: Path, copy: Copy) -> None:
    both = copy(llama)
    torch.save(load_file(both / "model.safetensors"), both / "pytorch_model.bin")
    assert locate(str(both)).parameters == locate(str(llama)).parameters


def test_pickled_weights_are_measured(llama: Path, copy: Copy) -> None:
    pickled = copy(llama)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    assert locate(str(pickled)).parameters == pytest.approx(locate(str(llama)).parameters, rel=0.2)


@pytest.mark.parametrize(
    "file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]
)
def test_the_digest_changes_with_every_file_that_matters(
    llama: Path, copy: Copy, file: str
) -> None:
    changed = copy(llama)
    if file.endswith("json"):
        set_json(changed / file, added=1)
    else:
        flip(changed / file)
    assert locate(str(changed)).digest != locate(str(llama)).digest


def test_the_digest_is_of_the_content_not_of_the_place(llama: Path, copy: Copy) -> None:
    moved = copy(llama)
    (moved / "README.md").write_text("a tiny llama")
    (moved / "chat_templates").mkdir()
    assert locate(str(moved)).digest == locate(str(llama)).digest


def test_an_adapters_digest_changes_with_its_weights_and_with_its_base(
    adapter: Path, llama: Path, copy: Copy
) -> None:
    changed, other = copy(adapter, "changed"), copy(llama, "other")
    flip(changed / "adapter_model.safetensors")
    flip(other / "model.safetensors")
    whole = locate(str(adapter)).digest
    assert (
        len({whole, locate(str(changed)).digest, locate(str(adapter), base=str(other)).digest}) == 3
    )
    assert locate(str(copy(adapter, "moved"))).digest == whole


def test_a_gguf_files_digest_changes_with_a_byte(llama_gguf: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.gguf"
    changed.write_bytes(llama_gguf.read_bytes())
    same = locate(str(changed))
    flip(changed)
    assert same.digest == locate(str(llama_gguf)).digest != locate(str(changed)).digest


def test_a_rewritten_gguf_file_is_read_anew(folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    before = causal.load(locate(str(tiny.to_gguf(path, folders["untied"]))), HERE)
    kept = before.network.state_dict()["lm_head.weight"].clone()
    path.unlink()
    after = causal.load(locate(str(tiny.to_gguf(path, folders["llama"]))), HERE)
    assert not torch.equal(kept, after.network.state_dict()["lm_head.weight"])


def test_a_source_is_a_value(llama: Path) -> None:
    assert locate(str(llama)) == locate(str(llama))
    assert isinstance(hash(locate(str(llama))), int)
    assert Source("a", "folder", llama, "0", 1) != locate(str(llama))
