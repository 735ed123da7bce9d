"""Llama models with a byte-level tokenizer, read from a GGUF file into transformers."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from nonmember.errors import ModelError
from nonmember.models.source import open_gguf

MODULES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
TOP = {
    "token_embd": "model.embed_tokens.weight",
    "output_norm": "model.norm.weight",
    "output": "lm_head.weight",
}
CONTROL = 3  # GGUF's token type of special tokens


def read(path: Path, dtype: torch.dtype) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model, dequantised to ``dtype``, and its tokenizer.

    Raises:
        ModelError: another architecture or another kind of tokenizer.
    """
    reader = open_gguf(path)
    fields = _fields(reader)
    config = _config(path, fields, {tensor.name for tensor in reader.tensors})
    weights = {}
    for tensor in reader.tensors:
        name, array = _named(
            tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type), config
        )
        weights[name] = torch.from_numpy(np.array(array, dtype=np.float32)).to(dtype)
    # On the meta device nothing is initialised; rotary tables are made below, on the real one.
    with torch.device("meta"):
        network = LlamaForCausalLM(config)
    network.load_state_dict(weights, strict=False, assign=True)
    network.model.rotary_emb = type(network.model.rotary_emb)(config)
    network.tie_weights()
    left = [name for name, parameter in network.named_parameters() if parameter.is_meta]
    if left:
        raise ModelError(f"{path}: the file lacks {', '.join(left[:3])}; it is not a whole model")
    return network.eval(), _tokenizer(path, fields)


def read_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer alone."""
    return _tokenizer(path, _fields(open_gguf(path)))


def read_context(path: Path) -> int | None:
    """The most positions the model can attend to, if the file says."""
    field = open_gguf(path).fields.get("llama.context_length")
    return int(field.contents()) if field else None


def _fields(reader: gguf.GGUFReader) -> dict[str, Any]:
    return {key: field.contents() for key, field in reader.fields.items()}


def _config(path: Path, fields: dict[str, Any], tensors: set[str]) -> LlamaConfig:
    if fields.get("general.architecture") != "llama":
        raise ModelError(
            f"{path}: architecture {fields.get('general.architecture')!r}; only llama is read "
            "from GGUF: give a folder with safetensors weights instead"
        )
    return LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=fields["llama.attention.head_count"],
        num_key_value_heads=fields["llama.attention.head_count_kv"],
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        tie_word_embeddings="output.weight" not in tensors,
        bos_token_id=fields.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=fields.get("tokenizer.ggml.eos_token_id"),
        architectures=["LlamaForCausalLM"],
    )


def _named(name: str, array: np.ndarray, config: LlamaConfig) -> tuple[str, np.ndarray]:
    parts = name.split(".")
    if parts[0] != "blk":
        return TOP[parts[0]], array
    module = parts[2]
    if module in ("attn_q", "attn_k"):
        heads = config.num_attention_heads if module == "attn_q" else config.num_key_value_heads
        array = _unpermuted(array, heads)
    return f"model.layers.{parts[1]}.{MODULES[module]}.weight", array


def _unpermuted(array: np.ndarray, heads: int) -> np.ndarray:
    """GGUF interleaves the two halves of each rotary pair; transformers keeps them apart."""
    rows, columns = array.shape
    pairs = array.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def _tokenizer(path: Path, fields: dict[str, Any]) -> PreTrainedTokenizerFast:
    if fields["tokenizer.ggml.model"] != "gpt2" or fields.get("tokenizer.ggml.pre") != "smollm":
        raise ModelError(
            f"{path}: tokenizer {fields['tokenizer.ggml.model']!r}/"
            f"{fields.get('tokenizer.ggml.pre')!r} is not read from GGUF; "
            "give a folder with tokenizer.json instead"
        )
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    backend = Tokenizer(
        models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    kinds = fields["tokenizer.ggml.token_type"]
    special = [
        AddedToken(t, special=True, normalized=False)
        for t, k in zip(tokens, kinds, strict=True)
        if k == CONTROL
    ]
    backend.add_special_tokens(special)
    named = {
        role: tokens[fields[f"tokenizer.ggml.{key}_token_id"]]
        for role, key in (
            ("bos_token", "bos"),
            ("eos_token", "eos"),
            ("unk_token", "unknown"),
            ("pad_token", "padding"),
        )
        if f"tokenizer.ggml.{key}_token_id" in fields
    }
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    tokenizer.chat_template = fields.get("tokenizer.chat_template")
    return tokenizer
