"""What one forward pass over a text yields, reduced over the vocabulary where it is computed."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from nonmember.models.protocols import LanguageModel, Past, Remote, Watch
from nonmember.models.text import Encoded, collate, windows
from nonmember.signals.catalogue import signal
from nonmember.types import LOGPROB_FLOOR, Access

STATISTICS_VERSION = 2
"""Of the numbers below. Bump it when they change: whatever is made of them adds it to its own
version, so that its cached arrays move too. Versions only grow, and so does their sum."""

TOKENS_AT_ONCE = 2048  # positions of one forward pass, padding included
ATTENDED_AT_ONCE = 32_768  # positions whose keys and values one layer holds
ROWS_AT_ONCE = {"cpu": 64, "cuda": 512}  # positions whose logits exist at one time
REDUCED_AT_ONCE = 8  # of them on a CPU: what is made of their logits stays in its cache
BLOCK = 256  # logits whose greatest is found together

STATISTICS: dict[str, Access] = {
    "token_logprobs": "logprobs",
    "token_hit": "label",
    "token_top_id": "label",
    "token_top_logprob": "topk",
    "token_mean_logprob": "dist",
    "token_std_logprob": "dist",
}


@signal(provides=STATISTICS, version=STATISTICS_VERSION)
def token_statistics(
    model: LanguageModel | Remote,
    encoded: Sequence[Encoded],
    *,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """Per scored token: log p, the likeliest token, and moments of log p under p.

    Scored tokens stand side by side, so that position j of a row is the j-th scored token
    of the record. Arrays are float32 (n t), NaN past the last scored token: log p of the
    token, of the likeliest one, mean and standard deviation of log p in nats; the
    likeliest token's number, and whether it is the token itself. Records longer than their
    form's limit are read in windows. A model that only answers gives those that it answers.
    A record for any token of which the model answers NaN has none at all: part of it would
    pass for the whole.

    Args:
        model: what is asked.
        encoded: n records.
        watch: told the tokens done after each pass.
    """
    pieces = [windows(one) for one in encoded]
    flat = list(chain.from_iterable(pieces))
    if isinstance(model, Remote):
        given = model.statistics(flat, watch=watch)
        found = {name: np.asarray(given[name]) for name in STATISTICS if name in given}
    else:
        found = of_positions(model, flat, watch=watch)
    return {name: joined(array, pieces) for name, array in found.items()}


@torch.inference_mode()
def of_positions(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    *,
    past: Past | None = None,
    batch_tokens: int = TOKENS_AT_ONCE,
    watch: Watch | None = None,
) -> dict[str, np.ndarray]:
    """The statistics (n t) of records that are each read in one pass, after ``past`` if given.

    The size of a batch, ``batch_tokens`` positions, changes no number beyond rounding.
    """
    out = _empty(encoded)
    rows = ROWS_AT_ONCE[model.device.type]
    spare = torch.empty(rows, model.vocabulary, device=model.device)
    for batch in _batches(encoded, batch_tokens, past):
        hidden, targets = _positions(model, [encoded[i] for i in batch], past)
        parts = zip(torch.split(hidden, rows), torch.split(targets, rows), strict=True)
        found = torch.cat([_reduced(model, h, t, spare) for h, t in parts], dim=1)
        _scatter(out, batch, [encoded[i].scored for i in batch], found.cpu().numpy())
        if watch is not None:
            watch(sum(len(encoded[i].ids) for i in batch))
    return out


def _empty(encoded: Sequence[Encoded]) -> dict[str, np.ndarray]:
    # At least one column: a file of none cannot be mapped.
    width = max([1, *(int(one.scored.sum()) for one in encoded)])
    return {name: np.full((len(encoded), width), np.nan, dtype=np.float32) for name in STATISTICS}


def _batches(
    encoded: Sequence[Encoded], batch_tokens: int, past: Past | None
) -> Iterator[list[int]]:
    """Positions of records of like length, as many as fit the budget; unscorable ones left out.

    A prefix counts with every row that reads it again, and in what every row attends to.
    """
    before = 0 if past is None else past.length
    again = before if past is not None and past.again else 0
    order = sorted(
        (i for i, one in enumerate(encoded) if one.scored.any()), key=lambda i: -len(encoded[i].ids)
    )
    while order:
        longest = len(encoded[order[0]].ids)
        rows = min(batch_tokens // (again + longest), ATTENDED_AT_ONCE // (before + longest))
        rows = max(1, rows)
        yield order[:rows]
        order = order[rows:]


def _positions(
    model: LanguageModel, batch: Sequence[Encoded], past: Past | None
) -> tuple[Tensor, Tensor]:
    """Hidden states that predict the scored tokens (p d), and those tokens (p,)."""
    ids, scored = collate(batch)
    where = torch.from_numpy(scored[:, 1:]).to(model.device)
    tokens = torch.from_numpy(ids).to(model.device)
    hidden = model.hidden(tokens) if past is None else model.hidden(tokens, past=past)
    return hidden[:, :-1][where], tokens[:, 1:][where]


def _reduced(model: LanguageModel, hidden: Tensor, targets: Tensor, spare: Tensor) -> Tensor:
    """The six statistics (6 p) of the next-token distributions at p positions."""
    logits = model.logits(hidden, out=spare[: len(targets)])
    rows = len(targets) if logits.is_cuda else REDUCED_AT_ONCE
    parts = zip(torch.split(logits, rows), torch.split(targets, rows), strict=True)
    return torch.cat([_statistics(one, wanted) for one, wanted in parts], dim=1)


def _statistics(logits: Tensor, targets: Tensor) -> Tensor:
    """The six statistics (6 p) of the distributions that ``logits`` (p v), used up, tell."""
    top = _likeliest(logits)
    shifted = logits.sub_(logits.gather(1, top))
    picked = shifted.gather(1, targets[:, None])[:, 0]
    first, second, norm = _moments(shifted, top)
    if first.isnan().any():  # impossible tokens: zero times minus infinity
        first, second, norm = _moments(shifted.clamp_(min=LOGPROB_FLOOR), top)
    return torch.stack(
        [
            (picked - norm).clamp(min=LOGPROB_FLOOR),
            (top[:, 0] == targets).float(),
            top[:, 0].float(),
            -norm,
            first - norm,
            (second - first.square()).clamp(min=0).sqrt(),
        ]
    )


def _likeliest(logits: Tensor) -> Tensor:
    """Places (p 1) of the greatest of each row, of equal ones the first.

    The greatest of each block, then its place in that block: a tenth of the time it takes to
    carry places along all the way.
    """
    whole = logits.shape[1] // BLOCK * BLOCK
    if not whole:
        return logits.argmax(dim=1, keepdim=True)
    blocks = logits[:, :whole].view(len(logits), -1, BLOCK)
    greatest = blocks.amax(dim=2)
    block = greatest.argmax(dim=1)
    rows = torch.arange(len(logits), device=logits.device)
    place = (block * BLOCK + blocks[rows, block].argmax(dim=1))[:, None]
    if whole == logits.shape[1]:
        return place
    over, far = logits[:, whole:].max(dim=1, keepdim=True)
    return torch.where(over > logits.gather(1, place), far + whole, place)


def _moments(shifted: Tensor, top: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and mean square under p of logits less the greatest, and minus log p of the greatest."""
    p = shifted.softmax(dim=1)
    norm = -p.gather(1, top)[:, 0].log()
    first = torch.linalg.vecdot(p, shifted)
    return first, torch.linalg.vecdot(p.mul_(shifted), shifted), norm


def _scatter(
    out: Mapping[str, np.ndarray],
    batch: Sequence[int],
    scored: Sequence[np.ndarray],
    found: np.ndarray,
) -> None:
    start = 0
    for record, marks in zip(batch, scored, strict=True):
        own = found[:, start : start + int(marks.sum())]
        start += own.shape[1]
        for array, values in zip(out.values(), own, strict=True):
            array[record, : own.shape[1]] = np.nan if np.isnan(own).any() else values


def joined(array: np.ndarray, pieces: Sequence[Sequence[Encoded]]) -> np.ndarray:
    """Rows of records (n t) from those of their pieces, which follow one another."""
    counts = [[int(piece.scored.sum()) for piece in one] for one in pieces]
    whole = np.full((len(pieces), max([1, *map(sum, counts)])), np.nan, dtype=np.float32)
    rows = iter(array)
    for row, parts in zip(whole, counts, strict=True):
        found = [next(rows)[:count] for count in parts]
        row[: sum(parts)] = np.concatenate(found)
        row[:] = np.nan if np.isnan(row[: sum(parts)]).any() else row
    return whole
