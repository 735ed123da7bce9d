"""What one forward pass over a text yields, reduced over the vocabulary where it is computed."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from nonmember.errors import ModelError
from nonmember.models.protocols import LanguageModel
from nonmember.models.text import Encoded, collate
from nonmember.signals.catalogue import signal
from nonmember.signals.derive import LOGPROB_FLOOR
from nonmember.types import Access

ROWS_AT_ONCE = 64  # positions whose logits exist at one time: three arrays of 64 x vocabulary


STATISTICS: dict[str, Access] = {
    "token_logprobs": "logprobs",
    "token_hit": "label",
    "token_top_logprob": "topk",
    "token_mean_logprob": "dist",
    "token_std_logprob": "dist",
}


@signal(provides=STATISTICS, version=1)
@torch.inference_mode()
def token_statistics(
    model: LanguageModel,
    encoded: Sequence[Encoded],
    *,
    batch_tokens: int = 2048,
    watch: Callable[[int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Per scored token: log p, whether it was the likeliest, and moments of log p under p.

    Scored tokens stand side by side, so that position j of a row is the j-th scored token
    of the record. Arrays are float32 (n t), in nats, NaN past the last scored token.

    Args:
        model: what is asked.
        encoded: n records.
        batch_tokens: positions in one forward pass, padding included; changes no number
            beyond rounding.
        watch: told the tokens done after each pass.

    Raises:
        ModelError: the model answers NaN.
    """
    # At least one column: a file of none cannot be mapped.
    width = max([1, *(int(one.scored.sum()) for one in encoded)])
    out = {name: np.full((len(encoded), width), np.nan, dtype=np.float32) for name in STATISTICS}
    spare = tuple(
        torch.empty(ROWS_AT_ONCE, model.vocabulary, device=model.device) for _ in range(3)
    )
    for batch in _batches(encoded, batch_tokens):
        hidden, targets = _positions(model, [encoded[i] for i in batch])
        rows, tokens = (torch.split(one, ROWS_AT_ONCE) for one in (hidden, targets))
        parts = zip(rows, tokens, strict=True)
        found = torch.cat([_reduced(model, h, t, spare) for h, t in parts], dim=1)
        if found.isnan().any():
            raise ModelError(
                f"{int(found.isnan().any(dim=0).sum())} tokens got NaN from the model; "
                "its weights are damaged, or need --precision float32"
            )
        _scatter(out, batch, [encoded[i].scored for i in batch], found.cpu().numpy())
        if watch is not None:
            watch(sum(len(encoded[i].ids) for i in batch))
    return out


def _batches(encoded: Sequence[Encoded], batch_tokens: int) -> Iterator[list[int]]:
    """Positions of records of like length, as many as fit the budget; unscorable ones left out."""
    order = sorted(
        (i for i, one in enumerate(encoded) if one.scored.any()), key=lambda i: -len(encoded[i].ids)
    )
    while order:
        rows = max(1, batch_tokens // len(encoded[order[0]].ids))
        yield order[:rows]
        order = order[rows:]


def _positions(model: LanguageModel, batch: Sequence[Encoded]) -> tuple[Tensor, Tensor]:
    """Hidden states that predict the scored tokens (p d), and those tokens (p,)."""
    ids, scored = collate(batch)
    where = torch.from_numpy(scored[:, 1:]).to(model.device)
    tokens = torch.from_numpy(ids).to(model.device)
    return model.hidden(tokens)[:, :-1][where], tokens[:, 1:][where]


def _reduced(
    model: LanguageModel, hidden: Tensor, targets: Tensor, spare: tuple[Tensor, ...]
) -> Tensor:
    """The five statistics (5 p) of the next-token distributions at p positions."""
    logits, weights, product = (buffer[: len(targets)] for buffer in spare)
    logits = model.logits(hidden, out=logits)
    top, likeliest = logits.max(dim=1, keepdim=True)
    picked = logits.gather(1, targets[:, None])[:, 0] - top[:, 0]
    shifted = logits.sub_(top).clamp_(min=LOGPROB_FLOOR)
    torch.exp(shifted, out=weights)
    norm = weights.sum(dim=1)
    torch.mul(weights, shifted, out=product)
    first = product.sum(dim=1) / norm
    second = product.mul_(shifted).sum(dim=1) / norm
    log_norm = norm.log()
    return torch.stack(
        [
            (picked - log_norm).clamp(min=LOGPROB_FLOOR),
            (likeliest[:, 0] == targets).float(),
            -log_norm,
            first - log_norm,
            (second - first.square()).clamp(min=0).sqrt(),
        ]
    )


def _scatter(
    out: dict[str, np.ndarray],
    batch: Sequence[int],
    scored: Sequence[np.ndarray],
    found: np.ndarray,
) -> None:
    start = 0
    for record, marks in zip(batch, scored, strict=True):
        count = int(marks.sum())
        for array, values in zip(out.values(), found, strict=True):
            array[record, :count] = values[start : start + count]
        start += count
