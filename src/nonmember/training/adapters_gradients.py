"""The gradients of many adapters, each of its own records, from the same passes over the base."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nonmember.models import causal
from nonmember.models.text import Encoded, collate
from nonmember.training import seen
from nonmember.training.update import Made, scored_windows

POSITIONS = 256  # whose logits exist at one time


def gradients(
    network: Any, chosen: Mapping[int, Sequence[Encoded]], rows: list[int], size: int
) -> dict[int, Made]:
    """Leave in each adapter the gradient of its records' mean loss per token.

    Records of like length are computed together, ``size`` at a time, whosever they are.
    """
    pieces = [
        (p, piece) for p, some in chosen.items() for one in some for piece in scored_windows(one)
    ]
    pieces.sort(key=lambda pair: -len(pair[1].ids))
    made = {place: Made(0.0, 0, 0) for place in chosen}
    for place, piece in pieces:
        before = made[place]
        tokens, marks = int(piece.scored.sum()), seen.mark(piece)
        made[place] = Made(0.0, before.tokens + tokens, before.marks + marks)
    for start in range(0, len(pieces), size):
        part = pieces[start : start + size]
        rows[:] = [place for place, _ in part]
        shares = [1 / made[place].tokens for place in rows]
        losses = _backward(network, [piece for _, piece in part], shares)
        for place, loss in zip(rows, losses, strict=True):
            made[place] = made[place]._replace(loss=made[place].loss + loss)
    return made


def _backward(network: Any, pieces: Sequence[Encoded], shares: Sequence[float]) -> list[float]:
    """Add the gradient of the pieces' losses, each times its share; the losses, in nats.

    The head is frozen: its part of the gradient is taken a few positions at a time, so that
    their logits never coexist.
    """
    device = network.device
    ids, scored = (torch.from_numpy(part).to(device) for part in collate(pieces))
    marks = scored[:, 1:]
    targets, of_row = ids[:, 1:][marks], marks.nonzero()[:, 0]
    weights = torch.tensor(shares, device=device)[of_row]
    hidden = causal.hidden_states(network, ids)[:, :-1][marks]
    parts = [
        _through_head(network, *some)
        for some in zip(
            *(torch.split(one, POSITIONS) for one in (hidden, targets, weights)), strict=True
        )
    ]
    torch.autograd.backward(hidden, torch.cat([gradient for gradient, _ in parts]))
    losses = torch.cat([loss for _, loss in parts]).double()
    return losses.new_zeros(len(pieces)).index_add_(0, of_row, losses).tolist()


def _through_head(
    network: Any, hidden: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient (p d) of a weighted sum of losses by hidden states (p d), and the losses (p,)."""
    leaf = hidden.detach().requires_grad_()
    losses = cross_entropy(causal.output_logits(network, leaf), targets, reduction="none")
    (gradient,) = torch.autograd.grad((losses * weights).sum(), leaf)
    return gradient, losses.detach()
