"""Llama models with a byte-level tokenizer, read from a GGUF file into transformers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from nonmember.errors import ModelError
from nonmember.models.source import Header, Packed, open_gguf

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
INSTEAD = "give a folder with safetensors weights instead"


def read(path: Path, dtype: torch.dtype) -> LlamaForCausalLM:
    """The model, dequantised to ``dtype``.

    Raises:
        ModelError: another architecture, or not all of one.
    """
    header, network = open_gguf(path), outline(path)
    config = network.config
    try:
        weights = {
            _name(path, one.name): _restored(one, config).to(dtype) for one in header.tensors
        }
        surplus = network.load_state_dict(weights, strict=False, assign=True).unexpected_keys
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{path}: its tensors do not fit its header ({_last(error)}); {INSTEAD}"
        ) from None
    if surplus:
        raise ModelError(f"{path}: its header tells of no {surplus[0]}; it is not a whole model")
    # Made on the meta device, the rotary tables hold nothing.
    network.model.rotary_emb = type(network.model.rotary_emb)(config)
    network.tie_weights()
    left = [name for name, parameter in network.named_parameters() if parameter.is_meta]
    if left:
        raise ModelError(f"{path}: the file lacks {', '.join(left[:3])}; it is not a whole model")
    return network.eval()


def outline(path: Path) -> LlamaForCausalLM:
    """The model without its weights, on the meta device, where nothing is initialised.

    Raises:
        ModelError: another architecture.
    """
    with _whole(path):
        config = _config(path, open_gguf(path))
    with torch.device("meta"):
        return LlamaForCausalLM(config)


def read_tokenizer(path: Path) -> PreTrainedTokenizerFast:
    """The tokenizer.

    Raises:
        ModelError: another kind than SmolLM's.
    """
    with _whole(path):
        return _tokenizer(path, open_gguf(path).fields)


def read_context(path: Path) -> int | None:
    """The most positions the model can attend to, if the file says."""
    return open_gguf(path).fields.get("llama.context_length")


def read_vocabulary(path: Path) -> int | None:
    """How many tokens the model knows, if the file says."""
    tokens = open_gguf(path).fields.get("tokenizer.ggml.tokens")
    return None if tokens is None else len(tokens)


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Say what is wrong with a header: an entry is missing, or contradicts others."""
    try:
        yield
    except ModelError:
        raise
    except KeyError as missing:
        raise ModelError(f"{path}: the file lacks {missing}; it is not a whole model") from None
    except Exception as error:
        raise ModelError(f"{path}: its header makes no sense ({_last(error)}); {INSTEAD}") from None


def _config(path: Path, header: Header) -> LlamaConfig:
    fields = header.fields
    _refuse_relatives(path, fields)
    heads = fields["llama.attention.head_count"]
    return LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=heads,
        num_key_value_heads=fields.get("llama.attention.head_count_kv", heads),
        head_dim=fields.get("llama.attention.key_length"),
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={
            "rope_type": "default",
            "rope_theta": fields.get("llama.rope.freq_base", 10000.0),
        },
        tie_word_embeddings=all(tensor.name != "output.weight" for tensor in header.tensors),
        bos_token_id=fields.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=fields.get("tokenizer.ggml.eos_token_id"),
        architectures=["LlamaForCausalLM"],
    )


def _refuse_relatives(path: Path, fields: Mapping[str, Any]) -> None:
    """Other architectures, and llamas that compute otherwise, would be read wrongly."""
    if fields.get("general.architecture") != "llama":
        raise ModelError(
            f"{path}: architecture {fields.get('general.architecture')!r} is not read from GGUF, "
            f"only llama is; {INSTEAD}"
        )
    if fields.get("llama.rope.scaling.type", "none") != "none":
        raise ModelError(f"{path}: scaled rotary positions are not read from GGUF; {INSTEAD}")


def _name(path: Path, name: str) -> str:
    """What transformers calls the tensor."""
    match name.removesuffix(".weight").split("."):
        case [top] if top in TOP:
            return TOP[top]
        case ["blk", number, module] if module in MODULES:
            return f"model.layers.{number}.{MODULES[module]}.weight"
    raise ModelError(f"{path}: its tensor {name} is no plain llama's; {INSTEAD}")


def _restored(tensor: Packed, config: LlamaConfig) -> torch.Tensor:
    """The tensor in float32, its rows in transformers' order."""
    array = gguf.quants.dequantize(tensor.bytes(), tensor.form)
    if tensor.name.endswith("attn_q.weight"):
        array = _unpermuted(array, config.num_attention_heads)
    elif tensor.name.endswith("attn_k.weight"):
        array = _unpermuted(array, config.num_key_value_heads)
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _unpermuted(array: np.ndarray, heads: int) -> np.ndarray:
    """GGUF interleaves the two halves of each rotary pair; transformers keeps them apart."""
    rows, columns = array.shape
    pairs = array.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.swapaxes(1, 2).reshape(rows, columns)


def _tokenizer(path: Path, fields: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    if fields["tokenizer.ggml.model"] != "gpt2" or fields.get("tokenizer.ggml.pre") != "smollm":
        raise ModelError(
            f"{path}: tokenizer {fields['tokenizer.ggml.model']!r}/"
            f"{fields.get('tokenizer.ggml.pre')!r} is not read from GGUF; "
            "give a folder with tokenizer.json instead"
        )
    tokens = fields["tokenizer.ggml.tokens"]
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
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=_backend(fields, tokens), **named)
    tokenizer.chat_template = fields.get("tokenizer.chat_template")
    return tokenizer


def _backend(fields: Mapping[str, Any], tokens: list[str]) -> Tokenizer:
    """Byte-level BPE that cuts digits one by one, as SmolLM's."""
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
    if fields.get("tokenizer.ggml.add_bos_token"):
        first = fields["tokenizer.ggml.bos_token_id"]
        backend.post_processor = processors.TemplateProcessing(
            single=[tokens[first], "$A"], special_tokens=[(tokens[first], first)]
        )
    return backend


def _last(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()
