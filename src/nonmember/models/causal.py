"""Causal language models from local files: folders, adapters with their base, GGUF."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nonmember.errors import ModelError, SpecError
from nonmember.models import folder, generate, gguf, memory
from nonmember.models.memory import Past
from nonmember.models.protocols import Watch
from nonmember.models.source import Source

PROBE = 8  # positions on which the split model is compared with the whole one


@dataclass(frozen=True)
class Placement:
    """Where a model computes, and in which number format."""

    device: torch.device
    dtype: torch.dtype


def placement(device: str = "auto", precision: str = "auto") -> Placement:
    """bfloat16 where the hardware multiplies it natively, float32 elsewhere; CUDA where present."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    where = _device(device)
    if precision != "auto":
        return Placement(where, {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision])
    if where.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        able = torch.cpu.get_capabilities()
        native = bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return Placement(where, torch.bfloat16 if native else torch.float32)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SpecError(f"device {name!r}: PyTorch knows none such; give cpu or cuda") from None
    if device.type not in ("cpu", "cuda"):
        raise SpecError(f"device {name!r}: models run on cpu or cuda; give one of them")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SpecError(f"device {name!r}: PyTorch finds no such GPU on this machine; give cpu")
    return device


@dataclass(frozen=True)
class CausalModel:
    """A ``LanguageModel``: the network without its head, and the head in float32.

    ``adapted`` is False for the base model below an adapter: the same network in memory
    with its adapters switched off.
    """

    source: Source
    network: Any
    tokenizer: Any
    head: Tensor | None
    adapted: bool = True

    @property
    def device(self) -> torch.device:
        """Where inputs must be."""
        return next(self.network.parameters()).device

    @property
    def vocabulary(self) -> int:
        """Width of the output distribution."""
        return int(_causal(self.network).get_output_embeddings().weight.shape[0])

    @property
    def context(self) -> int | None:
        """The most positions the model can attend to, if its configuration says."""
        config = _causal(self.network).config
        return getattr(config, "max_position_embeddings", getattr(config, "n_positions", None))

    def hidden(self, ids: Tensor, *, past: Past | None = None) -> Tensor:
        """Last hidden states (b t d) of ids (b t), which follow ``past``.

        Padding on the right is not seen.
        """
        with self._adapters():
            if past is not None:
                return memory.after(_causal(self.network).base_model, ids, past)
            return hidden_states(self.network, ids)

    @torch.inference_mode()
    def remember(self, ids: Tensor) -> Past:
        """A prefix (t,) read once, for ``hidden`` of any batch that follows it."""
        with self._adapters():
            return memory.remember(_causal(self.network).base_model, ids)

    def logits(self, hidden: Tensor, *, out: Tensor | None = None) -> Tensor:
        """Logits (p v) of hidden states (p d), in float32, after the model's own scale and cap."""
        if self.head is None:
            with self._adapters():
                return output_logits(self.network, hidden)
        with _float32_sums(self.head.device, hidden.dtype):
            logits = torch.mm(hidden.float(), self.head.T, out=out)
        inner = _causal(self.network)
        bias = inner.get_output_embeddings().bias
        return _scaled(logits if bias is None else logits.add_(bias.detach()), inner.config)

    def sample(
        self,
        prompts: Sequence[np.ndarray],
        *,
        most: Sequence[int],
        temperature: float,
        top_k: int,
        seed: int | Sequence[int],
        watch: Watch | None = None,
    ) -> list[np.ndarray | None]:
        """Ids written after each prompt, at most so many and no more than its context holds.

        The token that ends a text is cut off; temperature 0 takes the likeliest each time.
        None where the model answers no numbers. Prompts may have a seed each.

        Raises:
            ModelError: a prompt that is empty or as long as the context.
        """
        body = _causal(self.network).base_model
        ends = self._ends()
        writer = generate.Writer(body, self.logits, ends, self.context, temperature, top_k)
        with self._adapters():
            return generate.write(writer, prompts, most, seed=seed, watch=watch)

    def _ends(self) -> tuple[int, ...]:
        """The tokens that end a text, by the tokenizer and by the model's own habit."""
        habit = getattr(_causal(self.network), "generation_config", None)
        told = (getattr(self.tokenizer, "eos_token_id", None), getattr(habit, "eos_token_id", None))
        listed = (one if isinstance(one, list) else [one] for one in told)
        return tuple({token for one in listed for token in one if token is not None})

    def _adapters(self) -> Any:
        return nullcontext() if self.adapted else self.network.disable_adapter()


def hidden_states(network: Any, ids: Tensor) -> Tensor:
    """Last hidden states (b t d) of right-padded ids (b t), adapters included."""
    return memory.read(_causal(network).base_model, ids)


def output_logits(network: Any, hidden: Tensor) -> Tensor:
    """Logits (p v) of hidden states (p d), multiplied in the network's own number format."""
    inner = _causal(network)
    return _scaled(inner.get_output_embeddings()(hidden).float(), inner.config)


def load(source: Source, where: Placement) -> CausalModel:
    """Load a model for scoring: evaluation mode, weights in ``where.dtype``.

    Raises:
        ModelError: the files do not hold a causal language model that can be read exactly.
    """
    tokenizer = load_tokenizer(source)
    network = _network(source, where).to(where.device).eval()
    output = _causal(network).get_output_embeddings()
    head = output.weight.detach().float() if type(output) is nn.Linear else None
    model = CausalModel(source, network, tokenizer, head)
    _check(model)
    return model


def base_of(model: CausalModel) -> CausalModel:
    """The model below an adapter, sharing its memory."""
    if model.source.base is None:
        raise ModelError(f"{model.source.name}: not an adapter, so there is no base below it")
    return replace(model, source=model.source.base, adapted=False)


def load_tokenizer(source: Source) -> Any:
    """The tokenizer alone; an adapter without one uses its base's."""
    if source.kind == "gguf":
        return gguf.read_tokenizer(source.path)
    if source.base is not None and not any(source.path.glob("tokenizer*.json")):
        return load_tokenizer(source.base)
    return folder.read_tokenizer(source)


def outline(source: Source) -> Any:
    """The network without its weights, and without an adapter's: what it is made of, by name.

    Raises:
        ModelError: the files do not hold a causal language model that can be read exactly.
    """
    if source.base is not None:
        return outline(source.base)
    return gguf.outline(source.path) if source.kind == "gguf" else folder.outline(source)


def context_length(source: Source) -> int | None:
    """The most positions the model can attend to, if its configuration says."""
    if source.base is not None:
        return context_length(source.base)
    return gguf.read_context(source.path) if source.kind == "gguf" else folder.read_context(source)


def vocabulary_size(source: Source) -> int | None:
    """How many tokens the model knows, if its configuration says."""
    if source.base is not None:
        return vocabulary_size(source.base)
    if source.kind == "gguf":
        return gguf.read_vocabulary(source.path)
    return folder.read_vocabulary(source)


def save(network: Any, tokenizer: Any, place: Path) -> None:
    """Write a model or adapter as transformers and peft read it: safetensors and JSON."""
    folder.write(network, tokenizer, place)


def _network(source: Source, where: Placement) -> Any:
    if source.kind == "gguf":
        return gguf.read(source.path, where.dtype)
    if source.base is not None:
        return folder.read_adapter(source, _network(source.base, where))
    return folder.read(source, where.dtype)


@contextmanager
def _float32_sums(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Multiply float32 operands as bfloat16 while they hold bfloat16 values, summing in float32.

    The products are then exact, and no logit is rounded to bfloat16's 0.125 near 20; on a
    CPU with bfloat16 units this takes a third of float32's time.
    """
    backend: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = backend.fp32_precision
    if device.type == "cpu" and dtype == torch.bfloat16:
        backend.fp32_precision = "bf16"
    try:
        yield
    finally:
        backend.fp32_precision = before


def _causal(network: Any) -> Any:
    """The causal language model itself, below any adapter wrapper."""
    return network.get_base_model() if hasattr(network, "get_base_model") else network


def _scaled(logits: Tensor, config: Any) -> Tensor:
    """What some families do to logits after the head: Cohere, Granite, Gemma."""
    if getattr(config, "logit_scale", None):
        logits *= config.logit_scale
    if getattr(config, "logits_scaling", None):
        logits /= config.logits_scaling
    cap = getattr(config, "final_logit_softcapping", None)
    return torch.tanh(logits / cap) * cap if cap else logits


@torch.inference_mode()
def _check(model: CausalModel) -> None:
    """Refuse an architecture whose logits the split model does not reproduce."""
    ids = torch.arange(PROBE, device=model.device)[None] % model.vocabulary
    whole = model.network(input_ids=ids, use_cache=False).logits[0].float()
    split = model.logits(model.hidden(ids)[0])
    share = 1e-3 if model.network.dtype == torch.float32 else 0.03
    slack = share * float(whole.abs().max()) if whole.isfinite().all() else 0.0
    if whole.shape != split.shape or not torch.allclose(whole, split, rtol=0, atol=slack + 1e-3):
        kind = type(_causal(model.network)).__name__
        raise ModelError(
            f"{model.source.name}: the logits of {kind} are not its head's output, or not finite; "
            "this architecture cannot be audited yet"
        )
