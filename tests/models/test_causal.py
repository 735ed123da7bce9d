"""A split model says what the whole one says; the base below an adapter is the base itself."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from nonmember.data.records import Record
from nonmember.errors import ModelError, SpecError
from nonmember.models import causal
from nonmember.models.causal import CausalModel, Placement, base_of, placement
from nonmember.models.protocols import LanguageModel, Remote
from nonmember.models.source import locate
from nonmember.models.text import Form, encode
from nonmember.signals.language import token_statistics

Copy = Callable[..., Path]
CPU = torch.device("cpu")
F32, BF16 = Placement(CPU, torch.float32), Placement(CPU, torch.bfloat16)
IDS = torch.arange(48).reshape(2, 24) * 11 % tiny.VOCABULARY
AFTER_HEAD: dict[str, Callable[[Tensor], Tensor]] = {
    "gemma2": lambda logits: 1.5 * torch.tanh(logits / 1.5),
    "granite": lambda logits: logits / 3.0,
    "cohere": lambda logits: logits * 0.25,
}


def loaded(path: Path, where: Placement = F32) -> CausalModel:
    return causal.load(locate(str(path)), where)


@torch.inference_mode()
def split(model: CausalModel, ids: Tensor = IDS) -> Tensor:
    return model.logits(model.hidden(ids).flatten(0, 1)).clone()


@torch.inference_mode()
def whole(network: Any, ids: Tensor = IDS) -> Tensor:
    return network(input_ids=ids, use_cache=False).logits.flatten(0, 1)


def statistics(model: CausalModel) -> dict[str, np.ndarray]:
    records = [Record(str(i), line) for i, line in enumerate(tiny.LINES)]
    return token_statistics(model, encode(model.tokenizer, records, Form(48)))


@pytest.mark.parametrize("name", tiny.ARCHITECTURES)
def test_split_it_says_what_the_whole_says(folders: dict[str, Path], name: str) -> None:
    model = loaded(folders[name])
    expected = whole(model.network)
    assert expected.std() > 0.1, "a model that says something"
    assert split(model).dtype == torch.float32
    torch.testing.assert_close(split(model), expected, rtol=0, atol=1e-4)
    assert model.vocabulary == expected.shape[1] == tiny.VOCABULARY


@pytest.mark.parametrize("name", tiny.ARCHITECTURES)
def test_bfloat16_logits_are_not_rounded(folders: dict[str, Path], name: str) -> None:
    model = loaded(folders[name], BF16)
    with torch.inference_mode():
        hidden = model.hidden(IDS).flatten(0, 1)
    assert hidden.dtype == torch.bfloat16
    head = model.network.get_output_embeddings()
    expected = hidden.double() @ head.weight.detach().double().T
    if head.bias is not None:
        expected = expected + head.bias.detach().double()
    expected = AFTER_HEAD.get(name, lambda logits: logits)(expected)
    torch.testing.assert_close(split(model).double(), expected, rtol=0, atol=1e-5)
    rounded = (expected.bfloat16().double() - expected).abs().max()
    assert rounded > 1e-3, "rounding would have been seen"


def test_large_bfloat16_products_are_summed_in_float32(llama: Path) -> None:
    model = loaded(llama, BF16)
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(256, 1024, generator=draw).bfloat16()
    head = torch.randn(2048, 1024, generator=draw).bfloat16().float()
    found = CausalModel(model.source, model.network, model.tokenizer, head).logits(hidden)
    torch.testing.assert_close(found.double(), hidden.double() @ head.double().T, rtol=0, atol=2e-4)


def test_logits_go_where_they_are_wanted(llama: Path) -> None:
    model, out = loaded(llama), torch.empty(48, tiny.VOCABULARY)
    with torch.inference_mode():
        found = model.logits(model.hidden(IDS).flatten(0, 1), out=out)
    assert found.data_ptr() == out.data_ptr()
    assert torch.equal(out, split(model))


def test_padding_on_the_right_is_not_seen(folders: dict[str, Path]) -> None:
    for name in ("llama", "gpt2", "gemma2"):
        model = loaded(folders[name])
        alone = split(model, IDS[:1, :9])
        padded = split(model, torch.cat([IDS[:1, :9], torch.zeros(1, 15, dtype=torch.long)], 1))
        torch.testing.assert_close(padded[:9], alone, rtol=0, atol=1e-5)


def test_it_is_a_language_model_and_no_remote_one(llama: Path) -> None:
    model = loaded(llama)
    assert isinstance(model, LanguageModel)
    assert not isinstance(model, Remote)


@pytest.mark.parametrize("name", tiny.ARCHITECTURES)
def test_it_says_how_much_it_can_attend_to(folders: dict[str, Path], name: str) -> None:
    assert loaded(folders[name]).context == tiny.CONTEXT


def test_an_adapter_says_what_peft_says(adapter: Path) -> None:
    for where, slack in ((F32, 1e-4), (BF16, 0.1)):
        model = loaded(adapter, where)
        assert (split(model) - whole(model.network)).abs().max() < slack


def test_an_adapter_on_the_head_counts(llama: Path, tmp_path: Path) -> None:
    made = tiny.adapter(tmp_path / "adapter", llama, target_modules=["lm_head", "q_proj"])
    model = loaded(made)
    torch.testing.assert_close(split(model), whole(model.network), rtol=0, atol=1e-4)
    assert torch.equal(split(base_of(model)), whole(loaded(llama).network))
    assert not torch.allclose(split(model), split(base_of(model)), atol=0.1)


@pytest.mark.parametrize("where", [F32, BF16])
def test_the_base_below_an_adapter_is_the_base(
    adapter: Path, llama: Path, where: Placement
) -> None:
    model = loaded(adapter, where)
    below, alone = base_of(model), loaded(llama, where)
    tuned = split(model)
    assert torch.equal(split(below), split(alone))
    assert not torch.allclose(tuned, split(alone), atol=0.1)
    assert torch.equal(split(model), tuned), "switched on again"
    for name, found in statistics(below).items():
        np.testing.assert_array_equal(found, statistics(alone)[name])
    assert below.source == alone.source


def test_target_and_base_share_one_copy(adapter: Path, llama: Path) -> None:
    model = loaded(adapter)
    below = base_of(model)
    assert below.network is model.network
    assert below.head is model.head
    held = {w.untyped_storage().data_ptr(): w.numel() for w in below.network.parameters()}
    assert sum(held.values()) == locate(str(adapter)).parameters
    assert below.head is not None
    assert below.head.untyped_storage().data_ptr() in held, "float32 weights are the float32 head"


def test_a_whole_model_has_no_base(llama: Path) -> None:
    with pytest.raises(ModelError, match="not an adapter"):
        base_of(loaded(llama))


@pytest.mark.parametrize(
    ("device", "precision", "cuda", "able", "expected"),
    [
        ("auto", "auto", False, {"avx512_bf16": True}, BF16),
        ("auto", "auto", False, {"amx_bf16": True, "avx512_bf16": False}, BF16),
        ("auto", "auto", False, {"avx2": True}, F32),
        ("auto", "bfloat16", False, {}, BF16),
        ("auto", "float32", False, {"avx512_bf16": True}, F32),
        ("cpu", "auto", True, {}, F32),
        ("auto", "auto", True, {}, Placement(torch.device("cuda"), torch.bfloat16)),
        ("cuda:1", "float32", True, {}, Placement(torch.device("cuda:1"), torch.float32)),
    ],
)
def test_placement_follows_the_hardware(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    precision: str,
    *,
    cuda: bool,
    able: dict[str, bool],
    expected: Placement,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2 * cuda)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: cuda)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert placement(device, precision) == expected


@pytest.mark.parametrize("device", ["cuda", "cuda:3", "abacus"])
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SpecError, match=f"device '{device}': .*; give cpu"):
        placement(device)


def test_two_scorings_are_equal_bit_for_bit_whatever_the_config_drops(
    tmp_path: Path, adapter: Path
) -> None:
    gpt2 = tiny.gpt2(tmp_path / "gpt2", resid_pdrop=0.5, embd_pdrop=0.5, attn_pdrop=0.5)
    for path in (gpt2, adapter):
        model = loaded(path)
        assert not any(module.training for module in model.network.modules())
        first, second = statistics(model), statistics(model)
        for name, found in first.items():
            np.testing.assert_array_equal(found, second[name])


@pytest.fixture
def precision() -> Iterator[Any]:
    """PyTorch's switch for how float32 matrices are multiplied, at a value not its default."""
    backend = torch.backends.mkldnn.matmul
    before, backend.fp32_precision = backend.fp32_precision, "ieee"
    yield backend
    backend.fp32_precision = before


def test_the_way_of_multiplying_is_put_back(llama: Path, precision: Any) -> None:
    model = loaded(llama, BF16)
    assert precision.fp32_precision == "ieee", "after loading"
    hidden = torch.ones(3, 32, dtype=torch.bfloat16)
    model.logits(hidden)
    assert precision.fp32_precision == "ieee", "after logits"
    with pytest.raises(RuntimeError, match=r"shape|size"):
        model.logits(hidden[:, :7])
    assert precision.fp32_precision == "ieee", "after an exception"


def test_float32_is_multiplied_as_float32(
    llama: Path, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, product = [], torch.mm

    def told(*given: Any, **more: Any) -> Tensor:
        seen.append(precision.fp32_precision)
        return product(*given, **more)

    monkeypatch.setattr(torch, "mm", told)
    for dtype in (torch.float32, torch.bfloat16):
        loaded(llama, Placement(CPU, dtype))
    assert seen == ["ieee", "bf16"]


def test_scoring_leaves_no_gradients(folders: dict[str, Path], adapter: Path) -> None:
    for path in (folders["phi"], adapter):
        model = loaded(path)
        statistics(model)
        assert not model.logits(torch.ones(2, 32)).requires_grad
        assert all(weight.grad is None for weight in model.network.parameters())


def test_an_architecture_that_does_more_after_its_head_is_refused(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = LlamaForCausalLM.forward

    def forward(self: Any, *given: Any, **more: Any) -> Any:
        found = ordinary(self, *given, **more)
        found.logits = found.logits * 1.02
        return found

    monkeypatch.setattr(LlamaForCausalLM, "forward", forward)
    with pytest.raises(ModelError, match=r"logits of LlamaForCausalLM are not its head's output"):
        loaded(llama)


def test_weights_that_are_not_finite_are_refused(llama: Path, tmp_path: Path) -> None:
    model = loaded(llama)
    with torch.no_grad():
        model.network.model.norm.weight[3] = float("nan")
    causal.save(model.network, model.tokenizer, tmp_path)
    with pytest.raises(ModelError, match="not finite"):
        loaded(tmp_path)


def test_an_outline_names_all_modules_and_holds_no_weight(
    folders: dict[str, Path], llama_gguf: Path, adapter: Path
) -> None:
    for path in (*folders.values(), llama_gguf):
        found, real = causal.outline(locate(str(path))), loaded(path).network
        assert [name for name, _ in found.named_modules()] == [n for n, _ in real.named_modules()]
        assert all(weight.is_meta for weight in found.parameters())
    below = causal.outline(locate(str(folders["llama"])))
    assert str(causal.outline(locate(str(adapter)))) == str(below)
