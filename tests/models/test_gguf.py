"""A GGUF file is read as the model it was written from, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from nonmember.data.texts import Record
from nonmember.errors import ModelError
from nonmember.models import causal, gguf
from nonmember.models.causal import CausalModel, Placement
from nonmember.models.source import locate
from nonmember.models.text import Form, encode
from nonmember.signals.language import token_statistics

F32 = Placement(torch.device("cpu"), torch.float32)
IDS = torch.arange(40).reshape(2, 20) * 7 % tiny.VOCABULARY
SENTENCE = (
    "The Eiffel Tower is a wrought-iron lattice tower on the Champ de Mars in Paris, France. It is "
    "named after the engineer Gustave Eiffel, whose company designed and built the tower from 1887 "
    "to 1889."
)


def loaded(path: Path) -> CausalModel:
    return causal.load(locate(str(path)), F32)


@torch.inference_mode()
def logits(network: Any) -> torch.Tensor:
    return network(input_ids=IDS, use_cache=False).logits


@pytest.mark.parametrize(("name", "form"), [("llama", "F32"), ("untied", "F32"), ("untied", "F16")])
def test_it_computes_what_the_model_it_was_written_from_computes(
    folders: dict[str, Path], tmp_path: Path, name: str, form: str
) -> None:
    path = tiny.to_gguf(tmp_path / "model.gguf", folders[name], form=form)
    expected = logits(loaded(folders[name]).network)
    assert expected.std() > 0.5, "a model that says something"
    slack = 1e-5 if form == "F32" else 1e-2
    torch.testing.assert_close(logits(loaded(path).network), expected, rtol=0, atol=slack)


def test_quantised_it_computes_nearly_that(folders: dict[str, Path], tmp_path: Path) -> None:
    path = tiny.to_gguf(tmp_path / "model.gguf", folders["untied"], form="Q8_0")
    expected, found = logits(loaded(folders["untied"]).network), logits(loaded(path).network)
    error = (found - expected).std() / expected.std()
    assert 0 < error < 0.05


def test_header_entries_that_llama_cpp_may_leave_out_have_its_defaults(tmp_path: Path) -> None:
    theta = {"rope_type": "default", "rope_theta": 10000.0}
    folder = tiny.llama(tmp_path / "llama", num_key_value_heads=4, rope_parameters=theta)
    path = tiny.to_gguf(
        tmp_path / "model.gguf",
        folder,
        llama__attention__head_count_kv=None,
        llama__rope__freq_base=None,
    )
    torch.testing.assert_close(logits(loaded(path).network), logits(loaded(folder).network))


def test_heads_may_be_wider_than_the_hidden_state(tmp_path: Path) -> None:
    folder = tiny.llama(tmp_path / "llama", head_dim=16)
    path = tiny.to_gguf(tmp_path / "model.gguf", folder, llama__attention__key_length=16)
    torch.testing.assert_close(logits(loaded(path).network), logits(loaded(folder).network))


@pytest.mark.parametrize(
    "text",
    [
        "the cat sat on the mat",
        "paid 4071, 12.50 on 3rd",
        "naïve — 猫 \U0001f408",
        "<|im_start|>user\nthe dog<|im_end|>",
        "  two  spaces\n\n\ttab",
        "",
    ],
)
def test_its_tokenizer_cuts_as_the_one_it_was_written_from(llama_gguf: Path, text: str) -> None:
    found = gguf.read_tokenizer(llama_gguf)
    ids = found(text)["input_ids"]
    assert ids == tiny.tokenizer()(text)["input_ids"]
    assert found.decode(ids, clean_up_tokenization_spaces=False) == text


def test_digits_are_cut_one_by_one_and_specials_not_at_all(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    words = tiny.vocabulary()
    more = {
        "tokenizer__ggml__tokens": [*words["tokenizer.ggml.tokens"], "40"],
        "tokenizer__ggml__token_type": [*words["tokenizer.ggml.token_type"], 1],
        "tokenizer__ggml__merges": [*words["tokenizer.ggml.merges"], "4 0"],
    }
    found = gguf.read_tokenizer(tiny.to_gguf(tmp_path / "m.gguf", folders["llama"], **more))
    assert len(found) == tiny.VOCABULARY + 1
    assert [found.decode([i]) for i in found("4071")["input_ids"]] == ["4", "0", "7", "1"]
    assert found("<|im_end|>")["input_ids"] == [2]
    assert (found.bos_token, found.eos_token) == ("<|endoftext|>", "<|im_end|>")
    assert found.chat_template == tiny.TEMPLATE


def test_a_beginning_of_sequence_is_set_where_the_header_says(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    path = tiny.to_gguf(tmp_path / "m.gguf", folders["llama"], tokenizer__ggml__add_bos_token=True)
    found = gguf.read_tokenizer(path)
    assert found("the cat")["input_ids"] == tiny.tokenizer(bos=True)("the cat")["input_ids"]


def test_saved_as_a_folder_it_is_the_same_model(llama_gguf: Path, tmp_path: Path) -> None:
    model = loaded(llama_gguf)
    causal.save(model.network, model.tokenizer, tmp_path / "folder")
    again = loaded(tmp_path / "folder")
    text = "paid 4071 to the naïve 猫<|im_end|>"
    assert again.tokenizer(text)["input_ids"] == model.tokenizer(text)["input_ids"]
    assert again.tokenizer.chat_template == tiny.TEMPLATE
    assert torch.equal(logits(again.network), logits(model.network))
    assert causal.context_length(again.source) == causal.context_length(model.source)


def test_its_context_is_the_headers(llama_gguf: Path) -> None:
    assert causal.context_length(locate(str(llama_gguf))) == tiny.CONTEXT


def test_it_can_be_loaded_in_bfloat16(llama_gguf: Path, folders: dict[str, Path]) -> None:
    network = gguf.read(llama_gguf, torch.bfloat16)
    expected = AutoModelForCausalLM.from_pretrained(folders["untied"], dtype=torch.bfloat16)
    for name, weight in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], weight), name


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ({"general__architecture": "qwen2"}, "architecture 'qwen2' is not read"),
        ({"tokenizer__ggml__pre": "llama-bpe"}, "tokenizer 'gpt2'/'llama-bpe' is not read"),
        ({"tokenizer__ggml__model": "llama"}, "tokenizer 'llama'/'smollm' is not read"),
        ({"tokenizer__ggml__model": None}, "lacks 'tokenizer.ggml.model'"),
        ({"tokenizer__ggml__merges": None}, "lacks 'tokenizer.ggml.merges'"),
        ({"llama__embedding_length": None}, "lacks 'llama.embedding_length'"),
        ({"llama__rope__scaling__type": "linear"}, "scaled rotary positions are not read"),
        ({"llama__block_count": 3}, "lacks model.layers.2."),
        ({"llama__block_count": 1}, "tells of no model.layers.1."),
        ({"llama__feed_forward_length": 96}, "do not fit its header"),
        ({"llama__attention__head_count": 5}, "makes no sense"),
    ],
)
def test_what_is_not_read_exactly_is_refused(
    folders: dict[str, Path], tmp_path: Path, override: dict[str, Any], told: str
) -> None:
    path = tiny.to_gguf(tmp_path / "model.gguf", folders["untied"], **override)
    with pytest.raises(ModelError, match=rf"^{path}: .*{told}.*;") as caught:
        loaded(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["rope_freqs.weight", "blk.0.attn_q.bias", "blk.0.ffn_gate_exps"])
def test_tensors_of_another_family_are_refused(
    folders: dict[str, Path], tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = tiny.tensors
    more = {name: np.ones(4, dtype=np.float32)}
    monkeypatch.setattr(tiny, "tensors", lambda *given: {**ordinary(*given), **more})
    path = tiny.to_gguf(tmp_path / "model.gguf", folders["llama"])
    with pytest.raises(ModelError, match=f"its tensor {name} is no plain llama's"):
        loaded(path)


@pytest.mark.slow
def test_the_packaged_model_reads_english() -> None:
    model = causal.load(locate("smollm2"), F32)
    words = SENTENCE.split()
    shuffled = " ".join(words[i] for i in np.random.default_rng(0).permutation(len(words)))
    encoded = encode(model.tokenizer, [Record("0", SENTENCE), Record("1", shuffled)], Form(128))
    logprobs = token_statistics(model, encoded)["token_logprobs"]
    perplexity = np.exp(-np.nanmean(logprobs, axis=1))
    assert perplexity[0] == pytest.approx(6.26, abs=0.1)
    assert perplexity[1] > 300  # 340 to 620 over a dozen shuffles
