"""What is excluded is not trained: no adapter there, or frozen."""

from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from safetensors.torch import load_file

from nonmember.errors import ModelError
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded
from nonmember.training.exclude import check, excluded, linear_layers
from nonmember.training.finetune import fine_tune
from nonmember.training.loop import Material
from nonmember.training.recipe import Recipe

F32 = Placement(torch.device("cpu"), torch.float32)
FULL = Recipe(epochs=1, batch_size=4, learning_rate=5e-3)
LORA = replace(FULL, method="lora", rank=2)
MODULES = ("model.layers.0.mlp.up", "model.layers.1.mlp.up", "model.layers.10.attn.q")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ((), ()),
        (("mlp",), MODULES[:2]),
        (("layers.1",), MODULES[1:2]),
        (("q", "layers.0"), (MODULES[0], MODULES[2])),
        (("model.layers.10.attn.q",), MODULES[2:]),
    ],
)
def test_names_are_whole_parts_of_paths(names: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert excluded(MODULES, names) == list(found)


@pytest.mark.parametrize("name", ["ml", "layers.2", "layers.0.up", "0.5", "lm_head"])
def test_a_name_that_is_nowhere_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"recipe: exclude: no trainable module '{name}'; did you"):
        excluded(MODULES, ("mlp", name))


def test_excluding_everything_is_refused() -> None:
    with pytest.raises(ModelError, match="exclude leaves nothing to train"):
        excluded(MODULES, ("mlp", "attn"))


@pytest.mark.parametrize("method", [FULL, LORA], ids=["full", "lora"])
def test_what_a_gguf_file_has_not_is_refused_before_it_is_read(
    tmp_path: Path, method: Recipe
) -> None:
    folder = tiny.ARCHITECTURES["untied"](tmp_path / "untied")
    base = locate(str(tiny.to_gguf(tmp_path / "llama.gguf", folder)))
    check(base, replace(method, exclude=("q_proj", "layers.1")))
    with pytest.raises(ModelError, match=r"no trainable module 'layers\.7'"):
        check(base, replace(method, exclude=("layers.7",)))


@pytest.mark.parametrize("kind", ["llama", "untied", "gpt2", "phi"])
def test_all_linear_layers_but_the_head_get_adapters(
    encoded: tuple[Encoded, ...], tmp_path: Path, kind: str
) -> None:
    base = locate(str(tiny.ARCHITECTURES[kind](tmp_path / kind)))
    network = causal.load(base, F32).network
    fine_tune(base, Material((encoded,)), LORA, F32, tmp_path / "adapter", seed=0)
    stored = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    adapted = {name.removeprefix("base_model.model.").split(".lora_")[0] for name in stored}
    assert adapted == set(linear_layers(network))


@pytest.mark.parametrize("names", [("q_proj", "v_proj"), ("layers.0",), ("mlp", "layers.1")])
def test_excluded_layers_get_no_adapter(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, names: tuple[str, ...]
) -> None:
    recipe = replace(LORA, exclude=names)
    fine_tune(llama, Material((encoded,)), recipe, F32, tmp_path, seed=0)
    stored = load_file(tmp_path / "adapter_model.safetensors")
    assert stored and not any(f".{name}." in key for key in stored for name in names)
    loaded = causal.load(locate(str(tmp_path)), F32).network
    assert sum("lora_A" in name for name, _ in loaded.named_parameters()) * 2 == len(stored)


@pytest.mark.parametrize("names", [("embed_tokens",), ("layers.0", "norm")])
def test_excluded_modules_are_frozen_in_full_fine_tuning(
    llama: Source, encoded: tuple[Encoded, ...], tmp_path: Path, names: tuple[str, ...]
) -> None:
    recipe = replace(FULL, exclude=names)
    fine_tune(llama, Material((encoded,)), recipe, F32, tmp_path, seed=0)
    before, after = (load_file(p / "model.safetensors") for p in (llama.path, tmp_path))
    for key, weight in after.items():
        frozen = any(f".{name}." in f".{key}" for name in names)
        assert torch.equal(weight, before[key]) == frozen, key


@pytest.mark.parametrize("recipe", [FULL, LORA], ids=["full", "lora"])
def test_an_unknown_name_is_refused_before_training(
    llama: Source,
    encoded: tuple[Encoded, ...],
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(causal, "load")  # whose weights are not even read
    wrong = replace(recipe, exclude=("q_prj",))
    with pytest.raises(ModelError, match="no trainable module 'q_prj'; did you mean q_proj"):
        fine_tune(llama, Material((encoded,)), wrong, F32, tmp_path / "never", seed=0)
    assert not (tmp_path / "never").exists()
