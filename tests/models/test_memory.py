"""A text after a remembered prefix is read as it is after the prefix itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny
import torch
import transformers as hf
from torch import Tensor

from nonmember.models import causal, memory, protocols
from nonmember.models.causal import CausalModel, Placement, base_of
from nonmember.models.memory import Past
from nonmember.models.source import locate

CPU = torch.device("cpu")
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
IDS = torch.arange(60).reshape(3, 20) * 11 % tiny.VOCABULARY
PREFIX = torch.arange(30) * 7 % tiny.VOCABULARY
BUILDERS: dict[str, Callable[..., Path]] = {
    **tiny.ARCHITECTURES,
    "narrow": lambda place: tiny.ARCHITECTURES["gemma2"](place, sliding_window=7),
    "mistral": tiny._like_llama("Mistral", sliding_window=6),
    "linear": tiny._like_llama(
        "Lfm2", layer_types=["conv", "full_attention"], block_auto_adjust_ff_dim=False
    ),
}
REREAD = {"linear"}


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("remembering")
    return {name: build(root / name) for name, build in BUILDERS.items()}


def loaded(path: Path, where: Placement = F32) -> CausalModel:
    return causal.load(locate(str(path)), where)


@torch.inference_mode()
def uncached(model: CausalModel, prefix: Tensor, ids: Tensor) -> Tensor:
    rows = prefix.expand(len(ids), -1)
    return model.hidden(torch.cat([rows, ids], dim=1))[:, len(prefix) :]


@torch.inference_mode()
def cached(model: CausalModel, prefix: Tensor, ids: Tensor) -> Tensor:
    return model.hidden(ids, past=model.remember(prefix))


@pytest.mark.parametrize("name", BUILDERS)
def test_what_follows_a_prefix_is_read_as_after_it(every: dict[str, Path], name: str) -> None:
    model = loaded(every[name])
    expected = uncached(model, PREFIX, IDS)
    torch.testing.assert_close(cached(model, PREFIX, IDS), expected, rtol=0, atol=1e-4)
    assert not torch.allclose(expected, model.hidden(IDS), atol=0.1), "the prefix is seen"
    assert (model.remember(PREFIX).cache is None) == (name in REREAD)


def test_a_prefix_serves_any_batch_and_stays_as_it_is(every: dict[str, Path]) -> None:
    model = loaded(every["llama"])
    past = model.remember(PREFIX)
    with torch.inference_mode():
        first = model.hidden(IDS, past=past)
        alone = model.hidden(IDS[1:2, :5], past=past)
        again = model.hidden(IDS, past=past)
    assert torch.equal(first, again)
    torch.testing.assert_close(alone, first[1:2, :5], rtol=0, atol=1e-5)
    assert all(layer.keys.shape[:1] == (1,) for layer in past.cache.layers)
    assert past.cache.get_seq_length() == len(PREFIX)


def test_padding_after_a_text_is_not_seen(every: dict[str, Path]) -> None:
    for name in ("llama", "gpt2", "narrow"):
        model = loaded(every[name])
        padded = torch.cat([IDS[:2, :9], torch.zeros(2, 9, dtype=torch.long)], dim=1)
        found = cached(model, PREFIX, padded)[:, :9]
        torch.testing.assert_close(found, uncached(model, PREFIX, IDS[:2, :9]), rtol=0, atol=1e-4)


def test_an_adapter_and_the_base_below_it_remember_their_own(
    every: dict[str, Path], tmp_path: Path
) -> None:
    model = loaded(tiny.adapter(tmp_path / "adapter", every["llama"]))
    below, alone = base_of(model), loaded(every["llama"])
    for one in (model, below):
        found, expected = cached(one, PREFIX, IDS), uncached(one, PREFIX, IDS)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert torch.equal(cached(below, PREFIX, IDS), cached(alone, PREFIX, IDS))
    assert not torch.allclose(cached(model, PREFIX, IDS), cached(below, PREFIX, IDS), atol=0.1)


def test_a_gguf_file_remembers(every: dict[str, Path], tmp_path: Path) -> None:
    model = loaded(tiny.to_gguf(tmp_path / "llama.gguf", every["untied"]))
    found, expected = cached(model, PREFIX, IDS), uncached(model, PREFIX, IDS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert model.remember(PREFIX).cache is not None


def test_bfloat16_remembers_to_its_precision(every: dict[str, Path]) -> None:
    model = loaded(every["llama"], BF16)
    found, expected = (how(model, PREFIX, IDS).float() for how in (cached, uncached))
    assert model.remember(PREFIX).cache is not None
    assert (found - expected).abs().max() < 0.05 * expected.abs().max()


@pytest.mark.parametrize("name", ["llama", "linear"])
def test_a_past_says_how_long_it_is_and_whether_it_is_read_again(
    every: dict[str, Path], name: str
) -> None:
    past = loaded(every[name]).remember(PREFIX)
    assert isinstance(past, protocols.Past)
    assert past.length == len(PREFIX) and past.again == (name in REREAD)


@pytest.mark.parametrize("length", [0, 1])
def test_the_shortest_prefixes(every: dict[str, Path], length: int) -> None:
    model = loaded(every["llama"])
    found = cached(model, PREFIX[:length], IDS)
    torch.testing.assert_close(found, uncached(model, PREFIX[:length], IDS), rtol=0, atol=1e-4)


def test_what_misplaces_tokens_reads_the_prefix_again(
    every: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(every["llama"])
    ordinary = hf.LlamaModel.forward

    def forward(self: Any, *given: Any, **more: Any) -> Any:
        more.pop("position_ids", None)
        count = more["input_ids"].shape[1]
        return ordinary(self, *given, position_ids=torch.arange(count)[None], **more)

    monkeypatch.setattr(hf.LlamaModel, "forward", forward)
    assert model.remember(PREFIX).cache is None
    torch.testing.assert_close(cached(model, PREFIX, IDS), uncached(model, PREFIX, IDS))


def test_what_knows_no_cache_reads_the_prefix_again() -> None:
    class Bare(torch.nn.Module):
        config = hf.LlamaConfig()

        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(tiny.VOCABULARY, 4)

        def forward(self, input_ids: Tensor, use_cache: bool) -> Any:
            summed = self.table(input_ids).cumsum(dim=1)
            return hf.modeling_outputs.BaseModelOutputWithPast(last_hidden_state=summed)

    body = Bare()
    past = memory.remember(body, PREFIX)
    assert past == Past(PREFIX)
    expected = body(torch.cat([PREFIX.expand(3, -1), IDS], dim=1), use_cache=False)[0][:, 30:]
    torch.testing.assert_close(memory.after(body, IDS, past), expected)
