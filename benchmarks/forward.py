"""The cost and the accuracy of reducing logits where they are computed; a part of suite.py.

What is compared: the forward pass and nothing else, with logits summed in float32 as the
library has them; the library's statistics of every token; and the forward pass and nothing
else in the weights' own number format, which is how models are commonly run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from machine import interleaved, ratios, rounded, spread
from torch import Tensor

from nonmember.data.corpora import python_functions
from nonmember.models import causal
from nonmember.models.causal import CausalModel, Placement
from nonmember.models.source import locate
from nonmember.models.text import Encoded, Encodings, Form, collate
from nonmember.seeds import generator
from nonmember.signals.language import token_statistics

MODEL, SEED = "smollm2", 0
TEXTS, TOKENS, REPETITIONS = 64, 256, 7
CHECKED = 8  # texts on which the accuracy is measured
BATCH_TOKENS, ROWS = 2048, 64  # as token_statistics has them by default

Batch = tuple[Tensor, Tensor]
Head = Callable[[Tensor], object]
Arrays = Mapping[str, np.ndarray]


def functions(tokenizer: Any, count: int, tokens: int) -> tuple[Encoded, ...]:
    """Python functions that fill so many tokens, cut to them; drawn from the standard library."""
    every = Encodings(tokenizer, python_functions(), Form(tokens))
    order = generator(SEED, "functions").permutation(len(every))
    drawn = (every[int(place)] for place in order)
    found = tuple(islice((one for one in drawn if len(one.ids) == tokens), count))
    assert len(found) == count, f"the library has {len(found)} functions of {tokens} tokens"
    return found


def measure() -> dict[str, Any]:
    """Seconds of the three ways in turns, their ratios, and how far two of them are off."""
    model = causal.load(locate(MODEL), causal.placement())
    texts = functions(model.tokenizer, TEXTS, TOKENS)
    batches = _batches(texts, model)
    ways = {
        "bare": lambda: _bare(model, batches, _float32_head(model)),
        "statistics": lambda: token_statistics(model, texts),
        "bare, weights' format": lambda: _bare(model, batches, _own_head(model)),
    }
    _bare(model, batches[:1], _float32_head(model))  # the first pass of a process is slower
    seconds = interleaved(ways, REPETITIONS)
    total = sum(len(one.ids) for one in texts)
    return {
        **circumstances(model),
        "texts": TEXTS,
        "tokens per text": TOKENS,
        "repetitions": REPETITIONS,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "tokens per second": {
            name: round(total / spread(times)["median"]) for name, times in seconds.items()
        },
        "statistics / bare": ratios(seconds["statistics"], seconds["bare"]),
        "statistics / bare, weights' format": ratios(
            seconds["statistics"], seconds["bare, weights' format"]
        ),
        "accuracy": accuracy(model, texts[:CHECKED]),
    }


def circumstances(model: CausalModel) -> dict[str, Any]:
    """What a figure of this model depends on besides the machine."""
    return {
        "model": MODEL,
        "weights' format": str(model.network.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "seed": SEED,
    }


def _batches(texts: Sequence[Encoded], model: CausalModel) -> list[Batch]:
    """Ids and marks of scored tokens, in the batches that ``token_statistics`` makes."""
    order = sorted(texts, key=lambda one: -len(one.ids))
    rows = BATCH_TOKENS // len(order[0].ids)  # they are equally long, so that all are full
    parts = (order[start : start + rows] for start in range(0, len(order), rows))
    pairs = (map(torch.from_numpy, collate(part)) for part in parts)
    return [(ids.to(model.device), scored.to(model.device)) for ids, scored in pairs]


@torch.inference_mode()
def _bare(model: CausalModel, batches: Sequence[Batch], head: Head) -> None:
    """Logits of every scored position, a few at a time, and nothing made of them."""
    for batch in batches:
        for rows in torch.split(_positions(model, batch), ROWS):
            head(rows)


def _positions(model: CausalModel, batch: Batch) -> Tensor:
    """Hidden states that predict the scored tokens, (p d)."""
    ids, scored = batch
    return model.hidden(ids)[:, :-1][scored[:, 1:]]


def _float32_head(model: CausalModel) -> Head:
    """Logits as the library has them, into one buffer."""
    buffer = torch.empty(ROWS, model.vocabulary, device=model.device)
    return lambda rows: model.logits(rows, out=buffer[: len(rows)])


def _own_head(model: CausalModel) -> Head:
    """Logits in the weights' number format, into one buffer."""
    weight = model.network.get_output_embeddings().weight.detach()
    buffer = torch.empty(ROWS, model.vocabulary, device=model.device, dtype=weight.dtype)
    return lambda rows: torch.mm(rows, weight.T, out=buffer[: len(rows)])


def accuracy(model: CausalModel, texts: Sequence[Encoded]) -> dict[str, Any]:
    """How far the statistics are off, from logits summed in float32 and from coarse ones.

    Against float32 weights reduced in float64, which is all there is to err in; and against
    the same hidden states reduced in float64, which leaves what the head and the reduction do.
    """
    found = {
        "float32 sums": token_statistics(model, texts),
        # Without its float32 copy of the head, a model multiplies in the weights' format.
        "logits in the weights' format": token_statistics(replace(model, head=None), texts),
    }
    same = _exact(model, texts)
    fine = causal.load(model.source, Placement(model.device, torch.float32))
    truth = {"float32 weights": _exact(fine, texts), "the same hidden states": same}
    return {
        f"against {name}": {way: _errors(arrays, true) for way, arrays in found.items()}
        for name, true in truth.items()
    }


@torch.inference_mode()
def _exact(model: CausalModel, texts: Sequence[Encoded]) -> dict[str, np.ndarray]:
    """The statistics by their definitions in float64, from the model's hidden states on."""
    assert model.head is not None
    weight, found = model.head.double().T, []
    for batch in _batches(texts, model):
        both = (_positions(model, batch), batch[0][:, 1:][batch[1][:, 1:]])
        pairs = zip(*(torch.split(one, ROWS) for one in both), strict=True)
        found += [_defined((rows.double() @ weight).log_softmax(dim=1), own) for rows, own in pairs]
    stacked = torch.cat(found, dim=1).reshape(5, len(texts), -1).cpu().numpy()
    names = ("logprobs", "hit", "top_logprob", "mean_logprob", "std_logprob")
    return {f"token_{name}": array for name, array in zip(names, stacked, strict=True)}


def _defined(logprobs: Tensor, tokens: Tensor) -> Tensor:
    """The five statistics (5 p) of distributions (p v) and the tokens that came (p,)."""
    weights = logprobs.exp()
    mean = (weights * logprobs).sum(dim=1)
    top, likeliest = logprobs.max(dim=1)
    return torch.stack(
        [
            logprobs.gather(1, tokens[:, None])[:, 0],
            (likeliest == tokens).double(),
            top,
            mean,
            (weights * (logprobs - mean[:, None]).square()).sum(dim=1).sqrt(),
        ]
    )


def _errors(found: Arrays, true: Arrays) -> dict[str, Any]:
    """Absolute errors in nats, and how often a token was wrongly held to be the likeliest."""
    off = {name: np.abs(found[name] - array) for name, array in true.items()}
    hit = off.pop("token_hit") > 0
    return {
        **{n: {"mean": rounded(e.mean()), "max": rounded(e.max())} for n, e in off.items()},
        "tokens": int(hit.size),
        "false hits": int((hit & (true["token_hit"] == 0)).sum()),
        "missed hits": int((hit & (true["token_hit"] == 1)).sum()),
    }
