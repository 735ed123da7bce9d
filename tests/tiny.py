"""Tiny models on disk, made of the same files as real ones: seeded, built in milliseconds."""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
import transformers as hf
from peft import LoraConfig, PeftConfig, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers.utils import logging

VOCABULARY = 300
CONTEXT = 64
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LINES = (
    "the cat sat on the mat and the dog sat on the log",
    "an entry of the ledger: account 4071 was paid 1250 on the 3rd",
    "said the user to the assistant, and the assistant to the user",
)

THEIR_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "model.layers": "blk",
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}

Build = Callable[..., Path]


@cache
def _trained() -> str:
    """A byte-level BPE with split digits, as SmolLM's: the bytes, some merges, three specials."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    return str(backend.to_str())


def tokenizer(*, bos: bool = False, template: str | None = TEMPLATE) -> Any:
    """The tokenizer all tiny models share; with ``bos``, every text begins with <|endoftext|>."""
    backend = Tokenizer.from_str(_trained())
    if bos:
        backend.post_processor = processors.TemplateProcessing(
            single=[SPECIAL[0], "$A"], special_tokens=[(SPECIAL[0], 0)]
        )
    made = hf.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[2],
        unk_token=SPECIAL[0],
        pad_token=SPECIAL[2],
    )
    made.chat_template = template
    return made


def _written(folder: Path, kind: str, seed: int, settings: dict[str, Any]) -> Path:
    config = getattr(hf, f"{kind}Config")(
        vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=2, pad_token_id=2, **settings
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = hf.AutoModelForCausalLM.from_config(config)
        for name, weight in network.named_parameters():
            if name.endswith("bias"):  # they start at zero, which would hide a forgotten one
                torch.nn.init.normal_(weight, std=0.1)
    with _no_bars():
        network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def _read(folder: Path) -> Any:
    with _no_bars():
        return hf.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@contextmanager
def _no_bars() -> Iterator[None]:
    logging.disable_progress_bar()
    yield
    logging.enable_progress_bar()


def _like_llama(kind: str, **settings: Any) -> Build:
    plain: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.2,
        "tie_word_embeddings": True,
    }

    def build(folder: Path, *, seed: int = 0, **more: Any) -> Path:
        return _written(folder, kind, seed, {**plain, **settings, **more})

    return build


def gpt2(folder: Path, *, seed: int = 0, **more: Any) -> Path:
    """Learned positions, fused projections, tied embeddings, dropout in the config."""
    plain = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
    return _written(folder, "GPT2", seed, {**plain, "initializer_range": 0.2, **more})


llama = _like_llama("Llama")
ARCHITECTURES: dict[str, Build] = {
    "llama": llama,
    "untied": _like_llama("Llama", tie_word_embeddings=False),
    "gpt2": gpt2,
    "gemma2": _like_llama("Gemma2", head_dim=8, final_logit_softcapping=1.5),
    "granite": _like_llama("Granite", logits_scaling=3.0),
    "cohere": _like_llama("Cohere", logit_scale=0.25),
    "phi": _like_llama("Phi", tie_word_embeddings=False),
}
"""Name -> builder: between them, all that can happen to logits after the head."""


def adapter(
    folder: Path, base: Path, *, seed: int = 1, embeddings: bool = False, **settings: Any
) -> Path:
    """A LoRA adapter that does something: its second factors do not start at zero.

    With ``embeddings``, a copy of the base's is saved beside them.
    """
    plain = {"r": 4, "target_modules": "all-linear", "init_lora_weights": False}
    config = LoraConfig(**{**plain, **settings}, task_type="CAUSAL_LM")
    _adapted(base, config, seed).save_pretrained(folder, save_embedding_layers=embeddings)
    return folder


def prompt(folder: Path, base: Path) -> Path:
    """An adapter of another sort: trained vectors that stand before the text."""
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)
    _adapted(base, config, 0).save_pretrained(folder, save_embedding_layers=False)
    return folder


def _adapted(base: Path, config: PeftConfig, seed: int) -> Any:
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(seed)
        return get_peft_model(_read(base), config)


def to_gguf(path: Path, folder: Path, *, form: str = "F32", **override: Any) -> Path:
    """The llama in ``folder`` as llama.cpp's converter writes it, matrices stored as ``form``.

    ``override`` replaces header fields, dots spelled as double underscores; None leaves one out.
    """
    config = json.loads((folder / "config.json").read_text())
    network = _read(folder)
    writer = gguf.GGUFWriter(path, override.pop("general__architecture", "llama"))
    header = {**_header(config), **vocabulary()}
    header.update({key.replace("__", "."): value for key, value in override.items()})
    for key, value in header.items():
        _add(writer, key, value)
    for name, array in tensors(network, config).items():
        kind = gguf.GGMLQuantizationType["F32" if array.ndim == 1 else form]
        packed = gguf.quants.quantize(array, kind)
        writer.add_tensor(name, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _header(config: dict[str, Any]) -> dict[str, Any]:
    return {
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.block_count": config["num_hidden_layers"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "llama.rope.freq_base": float(config["rope_parameters"]["rope_theta"]),
    }


def vocabulary() -> dict[str, Any]:
    trained = json.loads(_trained())["model"]
    tokens = sorted(trained["vocab"], key=trained["vocab"].__getitem__)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in SPECIAL else 1 for token in tokens],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in trained["merges"]],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": TEMPLATE,
    }


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif value is not None:
        writer.add_array(key, value)


def tensors(network: Any, config: dict[str, Any]) -> dict[str, np.ndarray]:
    """Weights under llama.cpp's names, rows of q and k as it interleaves them."""
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    found = {}
    for full, weight in network.named_parameters():
        name, array = full, weight.detach().numpy()
        for ours, theirs in THEIR_NAMES.items():
            name = name.replace(ours, theirs)
        count = next((count for part, count in heads.items() if part in name), None)
        if count is not None:
            rows, columns = array.shape
            array = array.reshape(count, 2, rows // count // 2, columns).swapaxes(1, 2)
            array = array.reshape(rows, columns)
        found[name] = np.ascontiguousarray(array)
    return found
