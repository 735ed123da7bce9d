"""Language models small enough to know everything of, and records for them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tiny
import torch
from torch import Tensor

from nonmember.data.records import Completion, Message, Record
from nonmember.models.causal import CausalModel
from nonmember.models.protocols import LanguageModel
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Form, encode
from nonmember.seeds import generator

VOCABULARY = tiny.VOCABULARY
STATISTICS = (
    "token_logprobs",
    "token_hit",
    "token_top_id",
    "token_top_logprob",
    "token_mean_logprob",
    "token_std_logprob",
)
WORDS = ("The", "cat", "sat", "on", "the", "mat", "and", "a", "dog", "in", "Paris", "said", "No.")


@cache
def tokenizer() -> Any:
    """The tiny models' own: bytes, some merges, three specials, a chat template."""
    return tiny.tokenizer()


@dataclass(frozen=True)
class Prefix:
    """What running means keep of a prefix: its sum and its length."""

    total: Tensor
    length: int
    again: bool


@dataclass
class Counting:
    """Hidden states are running means of embeddings; every call is written down.

    What it writes is drawn from nothing but the prompt, the seed and how often it wrote.
    """

    embedding: Tensor
    head: Tensor
    bias: Tensor
    tokenizer: Any = field(default_factory=tokenizer)
    context: int | None = None
    again: bool = False
    batches: list[tuple[int, int]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    buffers: set[int] = field(default_factory=set)
    remembered: list[list[int]] = field(default_factory=list)
    begun: list[list[np.ndarray]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return self.head.device

    @property
    def vocabulary(self) -> int:
        return len(self.head)

    def hidden(self, ids: Tensor, *, past: Any = None) -> Tensor:
        assert not torch.is_grad_enabled()
        self.batches.append(tuple(ids.shape))
        total, count = (torch.zeros(()), 0) if past is None else (past.total, past.length)
        summed = total + torch.cumsum(self.embedding[ids], dim=1)
        return summed / (count + torch.arange(1, ids.shape[1] + 1)[:, None])

    def remember(self, ids: Tensor) -> Prefix:
        self.remembered.append(ids.tolist())
        return Prefix(self.embedding[ids].sum(dim=0), len(ids), self.again)

    def logits(self, hidden: Tensor, *, out: Tensor | None = None) -> Tensor:
        self.rows.append(len(hidden))
        self.buffers.add(0 if out is None else out.data_ptr())
        return torch.addmm(self.bias, hidden, self.head.T, out=out)

    def sample(
        self,
        prompts: Sequence[np.ndarray],
        *,
        most: Sequence[int],
        temperature: float,
        top_k: int,
        seed: int,
        watch: Any = None,
    ) -> list[np.ndarray]:
        assert temperature > 0 and top_k > 0
        self.begun.append(list(prompts))
        met: Counter[str] = Counter()
        written = []
        for prompt, count in zip(prompts, most, strict=True):
            key = prompt.tobytes().hex()
            draw = generator(seed, key, met[key])
            met[key] += 1
            written.append(draw.integers(3, VOCABULARY, draw.integers(count + 1)))
            if watch is not None:
                watch(len(prompt) + count)
        return written


@dataclass
class Answering:
    """A model that only answers, and only some: those of another, behind a wall."""

    inner: Counting
    names: tuple[str, ...] = ("token_logprobs", "token_hit")
    asked: list[list[Encoded]] = field(default_factory=list)
    access: str = "logprobs"

    @property
    def tokenizer(self) -> Any:
        return self.inner.tokenizer

    @property
    def context(self) -> int | None:
        return self.inner.context

    def statistics(self, encoded: Sequence[Encoded], *, watch: Any = None) -> dict[str, np.ndarray]:
        from nonmember.signals.language import of_positions

        self.asked.append(list(encoded))
        found = of_positions(self.inner, encoded, watch=watch)
        return {name: found[name] for name in self.names}

    def sample(self, prompts: Sequence[np.ndarray], **how: Any) -> list[np.ndarray]:
        return self.inner.sample(prompts, **how)


def counting(
    *, bias: Tensor | None = None, scale: float = 3.0, context: int | None = None
) -> Counting:
    """A model of running means with random weights; ``scale`` 0 leaves ``bias`` alone."""
    draw = torch.Generator().manual_seed(0)
    embedding, head = (torch.randn(VOCABULARY, 16, generator=draw) for _ in range(2))
    bias = torch.zeros(VOCABULARY) if bias is None else bias
    return Counting(embedding, scale * head, bias, context=context)


def llama(**settings: Any) -> CausalModel:
    """Two layers of a Llama with random weights, as if read from a folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        **{
            "vocab_size": VOCABULARY,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "initializer_range": 0.3,
            **settings,
        }
    )
    network = LlamaForCausalLM(config).eval()
    source = Source("tiny", "folder", Path("tiny"), "digest", 0)
    return CausalModel(source, network, tokenizer(), network.lm_head.weight.detach().float())


def record(ids: list[int] | np.ndarray, scored: list[bool] | np.ndarray | None = None) -> Encoded:
    """A record of these tokens; all but the first are scored unless said otherwise."""
    tokens = np.asarray(ids, dtype=np.int64)
    marks = np.arange(len(tokens)) > 0 if scored is None else np.asarray(scored, dtype=bool)
    text = tokenizer().decode(tokens, clean_up_tokenization_spaces=False)
    return Encoded(tokens, marks, text, False, text, Form(1000))


def records(*lengths: int, seed: int = 0, share: float = 1.0) -> list[Encoded]:
    """Random tokens as records of these lengths, a ``share`` of them scored."""
    rng = np.random.default_rng(seed)
    return [
        record(rng.integers(3, VOCABULARY, n), (np.arange(n) > 0) & (rng.random(n) < share))
        for n in lengths
    ]


def sentences(*counts: int, seed: int = 0) -> list[str]:
    """Texts of so many random words."""
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, count)) for count in counts]


def texts(*counts: int, seed: int = 0, form: Form | None = None) -> list[Encoded]:
    """Texts of so many random words, as the tokenizer cuts them."""
    return read(sentences(*counts, seed=seed), form=form)


def read(contents: Sequence[Any], form: Form | None = None, by: Any = None) -> list[Encoded]:
    """Texts, completions or chats as the tokenizer cuts them."""
    found = [Record(str(i), content) for i, content in enumerate(contents)]
    return list(encode(by or tokenizer(), found, form or Form(1000)))


def chat(question: str, *turns: str) -> tuple[Message, ...]:
    """A chat of these turns, which the user begins."""
    roles = ("user", "assistant") * (1 + len(turns))
    return tuple(map(Message, roles, (question, *turns)))


def mixed() -> list[Encoded]:
    """Records of all sorts, long and short, with nothing and with one token in them."""
    asked = chat("which one?", "The cat on the mat. No.", "and now?", "a dog in Paris")
    told = Completion("The dog said ", "No. a cat sat in Paris")
    return read([*sentences(20, 3, 60, 9), "", "a", asked, told, *sentences(40, seed=1)])


@torch.inference_mode()
def full_softmax(model: LanguageModel, one: Encoded) -> np.ndarray:
    """The statistics (6 T) of one record by itself, from its whole log-softmax in float64."""
    places = np.flatnonzero(one.scored)
    hidden = model.hidden(torch.from_numpy(one.ids)[None])[0, places - 1]
    logs = torch.log_softmax(model.logits(hidden).double(), dim=1).numpy()
    p, targets = np.exp(logs), one.ids[places]
    logs = np.maximum(logs, -1e4)
    mean = (p * logs).sum(axis=1)
    top = logs.argmax(axis=1)
    std = np.sqrt((p * (logs - mean[:, None]) ** 2).sum(axis=1))
    return np.stack(
        [logs[np.arange(len(p)), targets], top == targets, top, logs.max(axis=1), mean, std]
    )
