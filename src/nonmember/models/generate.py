"""What a model writes after a prompt: the same for one seed, whoever shares its batch."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from nonmember.errors import ModelError
from nonmember.models import memory
from nonmember.models.protocols import Watch
from nonmember.seeds import generator

VERSION = 1
"""Of what is written: part of the address of all that is made of it. Bump it when that changes."""

UNANSWERED = -2  # in the place of a token: no numbers to draw one from
TOKENS_AT_ONCE = 8192  # that a batch may have to remember
ROWS_AT_ONCE = 64

Reader = Generator[Tensor, tuple[Tensor, Tensor], None]
"""Gives the hidden states (b d) after what each row says; is sent the next token of every row,
and the marks of the rows that go on."""


@dataclass(frozen=True)
class Writer:
    """A model that writes, and how: its parts, the tokens that end a text, its longest text."""

    body: Any
    logits: Callable[[Tensor], Tensor]
    ends: tuple[int, ...]
    context: int | None
    temperature: float
    top_k: int


@torch.inference_mode()
def write(
    writer: Writer,
    prompts: Sequence[np.ndarray],
    most: Sequence[int],
    *,
    seed: int | Sequence[int],
    watch: Watch | None = None,
) -> list[np.ndarray | None]:
    """Ids written after each prompt, at most so many, up to and without a token that ends it.

    A text goes no further than the context. It is None where the model's logits cease to be
    numbers on the way: part of it would pass for the whole.

    Tokens are drawn from the ``top_k`` likeliest at ``temperature`` (at 0: the likeliest) by
    numbers that follow from the seed, the prompt and how often that prompt came before with
    that seed: a prompt in other company gets the same text, up to the rounding of logits. The
    seed is one for all prompts, or one for each.

    Raises:
        ModelError: a prompt that is empty or as long as the context.
    """
    most = _capped(writer.context, [len(prompt) for prompt in prompts], most)
    luck = _luck(prompts, most, seed)
    out: list[np.ndarray | None] = [np.zeros(0, dtype=np.int64) for _ in prompts]
    able = memory.remembers(writer.body)
    for batch in _batches([len(prompt) for prompt in prompts], most):
        begun = [prompts[i] for i in batch]
        reader = _remembering(writer.body, begun) if able else _rereading(writer.body, begun)
        found = _together(writer, reader, [luck[i] for i in batch])
        for place, ids in zip(batch, found, strict=True):
            out[place] = None if UNANSWERED in ids else ids[ids >= 0]
        if watch is not None:
            watch(sum(len(prompts[i]) + most[i] for i in batch))
    return out


def _capped(context: int | None, lengths: Sequence[int], most: Sequence[int]) -> Sequence[int]:
    """How much may be written after prompts of these lengths."""
    if min(lengths, default=1) < 1:
        raise ModelError("a model cannot begin from nothing; give prompts of at least one token")
    if context is None:
        return most
    if max(lengths, default=0) >= context:
        raise ModelError(
            f"a prompt of {max(lengths)} tokens fills the model's context of {context}; "
            "give shorter prompts"
        )
    return [min(count, context - n) for count, n in zip(most, lengths, strict=True)]


def _luck(
    prompts: Sequence[np.ndarray], most: Sequence[int], seed: int | Sequence[int]
) -> list[np.ndarray]:
    """The uniform numbers that decide each token of each text."""
    seeds = seed if isinstance(seed, Sequence) else [seed] * len(prompts)
    met: Counter[tuple[int, bytes]] = Counter()
    found = []
    for prompt, count, own in zip(prompts, most, seeds, strict=True):
        key = prompt.tobytes()
        found.append(generator(own, key.hex(), met[own, key]).random(count))
        met[own, key] += 1
    return found


def _batches(lengths: Sequence[int], most: Sequence[int]) -> Iterator[list[int]]:
    """Places of prompts of like length, as many as may be remembered together."""
    order = sorted(
        (i for i, count in enumerate(most) if count > 0),
        key=lambda i: (lengths[i] + most[i], lengths[i], i),
        reverse=True,
    )
    while order:
        longest = lengths[order[0]] + most[order[0]]
        rows = max(1, min(ROWS_AT_ONCE, TOKENS_AT_ONCE // longest))
        yield order[:rows]
        order = order[rows:]


def _together(writer: Writer, reader: Reader, luck: Sequence[np.ndarray]) -> np.ndarray:
    """What a batch writes (b s), -1 from where it ends or goes unanswered."""
    most = torch.tensor([len(one) for one in luck])
    drawn = torch.zeros(len(luck), int(most.max()), dtype=torch.float64)
    for row, one in enumerate(luck):
        drawn[row, : len(one)] = torch.from_numpy(one)
    hidden = next(reader)
    device, out = hidden.device, torch.full(drawn.shape, -1)
    drawn, most, out = (one.to(device) for one in (drawn, most, out))
    alive, ends = (
        torch.arange(len(luck), device=device),
        torch.tensor(writer.ends, device=device, dtype=torch.long),
    )
    for step in range(drawn.shape[1]):
        tokens = _drawn(writer, writer.logits(hidden), drawn[alive, step])
        tokens = tokens.masked_fill(torch.isin(tokens, ends), -1)
        out[alive, step] = tokens
        going = (tokens >= 0) & (most[alive] > step + 1)
        if not going.any():
            break
        hidden, alive = reader.send((tokens, going)), alive[going]
    return out.cpu().numpy()


def _drawn(writer: Writer, logits: Tensor, luck: Tensor) -> Tensor:
    """The token of each row (b,) at which the cumulated probability passes its number."""
    values, ids = logits.topk(min(writer.top_k, logits.shape[1]), dim=1)
    answered = values[:, 0].isfinite()  # NaN comes before any number
    if writer.temperature == 0:
        return logits.max(dim=1).indices.masked_fill(~answered, UNANSWERED)
    # In the order of ids: where two are equally likely, rounding does not swap their places.
    ids, order = ids.sort(dim=1)
    scaled = values.gather(1, order).double() / writer.temperature
    reached = scaled.softmax(dim=1).cumsum(dim=1)
    place = (reached <= luck[:, None] * reached[:, -1:]).sum(dim=1, keepdim=True)
    tokens = ids.gather(1, place.clamp(max=ids.shape[1] - 1))[:, 0]
    return tokens.masked_fill(~answered, UNANSWERED)


def _remembering(body: Any, prompts: Sequence[np.ndarray]) -> Reader:
    """Reads each different prompt once, and after that one token of each row at a time."""
    different = {prompt.tobytes(): prompt for prompt in prompts}
    device, longest = next(body.parameters()).device, max(map(len, prompts))
    ids = torch.zeros(len(different), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(different.values()):
        ids[row, longest - len(prompt) :] = torch.from_numpy(prompt)
        mask[row, longest - len(prompt) :] = 1
    ids, mask, cache = ids.to(device), mask.to(device), DynamicCache()
    hidden = memory.proceed(body, ids, cache, mask)[:, -1]
    keys = list(different)
    rows = torch.tensor([keys.index(prompt.tobytes()) for prompt in prompts], device=device)
    cache.batch_select_indices(rows)
    mask = mask[rows]
    tokens, going = yield hidden[rows]
    while True:
        if not going.all():
            cache.batch_select_indices(going.nonzero()[:, 0])
        mask = torch.nn.functional.pad(mask[going], (0, 1), value=1)
        hidden = memory.proceed(body, tokens[going, None], cache, mask)
        tokens, going = yield hidden[:, -1]


def _rereading(body: Any, prompts: Sequence[np.ndarray]) -> Reader:
    """Reads all that a row says again for each token: for models that keep something else."""
    device = next(body.parameters()).device
    rows = [torch.from_numpy(prompt).to(device) for prompt in prompts]
    while True:
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        last = torch.tensor([len(row) - 1 for row in rows], device=device)
        hidden = memory.read(body, ids)
        tokens, going = yield hidden[torch.arange(len(rows), device=device), last]
        pairs = zip(rows, tokens[:, None], going.tolist(), strict=True)
        rows = [torch.cat([row, token]) for row, token, goes in pairs if goes]
