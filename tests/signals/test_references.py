"""Many adapters asked in one pass answer what each answers alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from nonmember.data.texts import Record
from nonmember.errors import ModelError
from nonmember.models import adapters, causal
from nonmember.models.causal import Placement, load_tokenizer
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, Form, encode
from nonmember.signals.language import token_statistics
from nonmember.signals.references import score_adapters

CPU = torch.device("cpu")
FORM = Form(24)
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
TEXTS = (*tiny.LINES, "", "a", tiny.LINES[0][::-1], "the cat", "the dog", " ".join(tiny.LINES))


def made(place: Path, build: tiny.Build = tiny.llama, count: int = 3) -> tuple[Source, list[Path]]:
    base = build(place / "base")
    folders = [tiny.adapter(place / str(seed), base, seed=seed) for seed in range(1, count + 1)]
    for folder in folders:
        tiny.tokenizer().save_pretrained(folder)
    return locate(str(base)), folders


def encoded(base: Source, form: Form = FORM) -> tuple[Encoded, ...]:
    records = [Record(str(place), text) for place, text in enumerate(TEXTS)]
    return encode(load_tokenizer(base), records, form)


def one_by_one(folders: list[Path], where: Placement, given: tuple[Encoded, ...]) -> np.ndarray:
    models = [causal.load(locate(str(folder)), where) for folder in folders]
    return np.stack([token_statistics(model, given)["token_logprobs"] for model in models])


@pytest.mark.parametrize("kind", [*tiny.ARCHITECTURES])
@pytest.mark.parametrize("where", [F32, BF16], ids=["float32", "bfloat16"])
def test_together_they_say_what_each_says_alone(
    tmp_path: Path, kind: str, where: Placement
) -> None:
    base, folders = made(tmp_path, tiny.ARCHITECTURES[kind])
    given = encoded(base)
    found, alone = score_adapters(base, folders, where, given), one_by_one(folders, where, given)
    assert found.shape == alone.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, alone, atol=2e-5 if where is F32 else 0.05)
    assert np.nanmax(np.abs(found[0] - found[1])) > 0.3, "they differ"
    assert np.isnan(found[:, 3]).all(), "of an empty text nothing is scored"


@pytest.mark.parametrize("batch_tokens", [1, 30, 100, 100_000])
def test_batches_change_nothing(tmp_path: Path, batch_tokens: int) -> None:
    base, folders = made(tmp_path, count=5)
    given = encoded(base)
    found = score_adapters(base, folders, F32, given, batch_tokens=batch_tokens)
    np.testing.assert_allclose(found, one_by_one(folders, F32, given), atol=2e-5)


def test_long_texts_are_read_in_windows(tmp_path: Path) -> None:
    base, folders = made(tmp_path)
    given = encoded(base, Form(10, long="slide"))
    found = score_adapters(base, folders, F32, given)
    assert found.shape[2] > 20
    np.testing.assert_allclose(found, one_by_one(folders, F32, given), atol=2e-5)


def test_the_tokens_of_each_adapter_are_told(tmp_path: Path) -> None:
    base, folders = made(tmp_path)
    given, told = encoded(base), list[int]()
    score_adapters(base, folders, F32, given, watch=told.append)
    assert sum(told) == 3 * sum(len(one.ids) for one in given if one.scored.any())


def test_no_texts_have_no_tokens(tmp_path: Path) -> None:
    base, folders = made(tmp_path)
    assert score_adapters(base, folders, F32, ()).shape == (3, 0, 1)


def rewrite(folder: Path, **settings: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def test_adapters_of_another_base_are_refused(tmp_path: Path) -> None:
    base, folders = made(tmp_path)
    rewrite(folders[1], base_model_name_or_path="/elsewhere")
    with pytest.raises(ModelError, match="trained on /elsewhere"):
        score_adapters(base, folders, F32, encoded(base))


@pytest.mark.parametrize("settings", [{"r": 2}, {"target_modules": ["q_proj"]}, {"lora_alpha": 99}])
def test_adapters_of_another_shape_are_refused(tmp_path: Path, settings: dict[str, object]) -> None:
    base, folders = made(tmp_path)
    shutil.rmtree(folders[1])
    tiny.adapter(folders[1], base.path, **settings)
    with pytest.raises(ModelError, match="of another shape than"):
        score_adapters(base, folders, F32, encoded(base))


@pytest.mark.parametrize(
    "settings",
    [{"use_dora": True}, {"use_rslora": True}, {"bias": "all"}, {"alpha_pattern": {"q_proj": 3}}],
)
def test_adapters_that_are_more_than_lora_are_refused(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    base, folders = made(tmp_path, tiny.gpt2 if "bias" in settings else tiny.llama, count=1)
    shutil.rmtree(folders[0])
    tiny.adapter(folders[0], base.path, **settings)
    with pytest.raises(ModelError, match=r"ask it alone|LoRA's factors"):
        score_adapters(base, folders, F32, encoded(base))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    base, folders = made(tmp_path, count=1)
    (folders[0] / name).unlink()
    if content is not None:
        (folders[0] / name).write_bytes(content)
    with pytest.raises(ModelError, match="train it again"):
        score_adapters(base, folders, F32, encoded(base))


def test_a_prompt_is_no_lora_adapter(tmp_path: Path) -> None:
    base, _ = made(tmp_path, count=0)
    folder = tiny.prompt(tmp_path / "prompt", base.path)
    with pytest.raises(ModelError, match="not a plain LoRA adapter"):
        score_adapters(base, [folder], F32, encoded(base))


def test_a_layer_that_does_not_see_rows_cannot_have_an_adapter_for_each(tmp_path: Path) -> None:
    """As those of experts do, who see the tokens of all rows that are sent to them."""
    base, folders = made(tmp_path)
    network = causal.load(base, F32).network
    found, scale = adapters.read_all(base, folders, CPU)
    layer = "model.layers.0.mlp.up_proj"
    ids = torch.arange(10)[None].expand(2, -1)
    with adapters.beside(network, found, scale) as rows:
        rows[:] = [0, 1]
        network(input_ids=ids)
        rows[:] = [0]
        with pytest.raises(ModelError, match="into the recipe's exclude"):
            network(input_ids=ids)
        with pytest.raises(ModelError, match=f"{layer} sees"):
            network.get_submodule(layer)(torch.zeros(7, 32))
    assert not any(module._forward_hooks for module in network.modules())


def test_the_base_is_as_before_when_they_are_gone(tmp_path: Path) -> None:
    base, folders = made(tmp_path)
    model, given = causal.load(base, F32), encoded(base)
    before = token_statistics(model, given)["token_logprobs"]
    found, scale = adapters.read_all(base, folders, CPU)
    with adapters.in_turn(model.network, found, scale):
        after = token_statistics(model, given)["token_logprobs"]
    assert np.nanmax(np.abs(after - before)) > 0.3
    np.testing.assert_array_equal(token_statistics(model, given)["token_logprobs"], before)


def test_without_an_adapter_there_is_nothing_to_ask(tmp_path: Path) -> None:
    base, _ = made(tmp_path, count=0)
    with pytest.raises(ModelError, match="at least one"):
        score_adapters(base, [], F32, encoded(base))
