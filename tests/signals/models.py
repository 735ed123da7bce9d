"""Language models small enough to know everything of, and records for them."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nonmember.models.causal import CausalModel
from nonmember.models.protocols import LanguageModel
from nonmember.models.source import Source
from nonmember.models.text import Encoded

VOCABULARY = 97
STATISTICS = (
    "token_logprobs",
    "token_hit",
    "token_top_logprob",
    "token_mean_logprob",
    "token_std_logprob",
)


@dataclass
class Counting:
    """Hidden states are running means of embeddings; every call is written down."""

    embedding: Tensor
    head: Tensor
    bias: Tensor
    batches: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    buffers: set[int] = field(default_factory=set)

    @property
    def device(self) -> torch.device:
        return self.head.device

    @property
    def vocabulary(self) -> int:
        return len(self.head)

    def hidden(self, ids: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        self.batches.append(tuple(ids.shape))
        past = torch.cumsum(self.embedding[ids], dim=1)
        return past / torch.arange(1, ids.shape[1] + 1)[:, None]

    def logits(self, hidden: Tensor, *, out: Tensor | None = None) -> Tensor:
        self.rows.append(len(hidden))
        self.buffers.add(0 if out is None else out.data_ptr())
        return torch.addmm(self.bias, hidden, self.head.T, out=out)


def counting(*, bias: Tensor | None = None, scale: float = 3.0) -> Counting:
    """A model of running means with random weights; ``scale`` 0 leaves ``bias`` alone."""
    draw = torch.Generator().manual_seed(0)
    embedding, head = (torch.randn(VOCABULARY, 16, generator=draw) for _ in range(2))
    return Counting(embedding, scale * head, torch.zeros(VOCABULARY) if bias is None else bias)


def llama() -> CausalModel:
    """Two layers of a Llama with random weights, as if read from a folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        initializer_range=0.3,
    )
    network = LlamaForCausalLM(config).eval()
    source = Source("tiny", "folder", Path("tiny"), "digest", 0)
    return CausalModel(source, network, None, network.lm_head.weight.detach().float())


def record(ids: list[int] | np.ndarray, scored: list[bool] | np.ndarray | None = None) -> Encoded:
    """A record of these tokens; all but the first are scored unless said otherwise."""
    tokens = np.asarray(ids, dtype=np.int64)
    marks = np.arange(len(tokens)) > 0 if scored is None else np.asarray(scored, dtype=bool)
    return Encoded(tokens, marks, "", False)


def records(*lengths: int, seed: int = 0, share: float = 1.0) -> list[Encoded]:
    """Random records of these lengths, a ``share`` of their tokens scored."""
    rng = np.random.default_rng(seed)
    return [
        record(rng.integers(0, VOCABULARY, n), (np.arange(n) > 0) & (rng.random(n) < share))
        for n in lengths
    ]


@torch.inference_mode()
def full_softmax(model: LanguageModel, one: Encoded) -> np.ndarray:
    """The five statistics (5 T) of one record by itself, from its whole log-softmax in float64."""
    places = np.flatnonzero(one.scored)
    hidden = model.hidden(torch.from_numpy(one.ids)[None])[0, places - 1]
    logs = torch.log_softmax(model.logits(hidden).double(), dim=1).numpy()
    p, targets = np.exp(logs), one.ids[places]
    logs = np.maximum(logs, -1e4)
    mean = (p * logs).sum(axis=1)
    hit = logs.argmax(axis=1) == targets
    std = np.sqrt((p * (logs - mean[:, None]) ** 2).sum(axis=1))
    return np.stack([logs[np.arange(len(p)), targets], hit, logs.max(axis=1), mean, std])
