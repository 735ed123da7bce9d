"""The gradient of one update, computed some records at a time."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nonmember.models.text import Encoded, windows
from nonmember.training.seen import mark

Loss = Callable[[Sequence[Encoded]], tuple[Tensor, int]]
"""Summed loss of some records, in nats, and the number of tokens it sums over."""


class Made(NamedTuple):
    """What an update was made of: its summed loss in nats, the tokens summed over, its marks."""

    loss: float
    tokens: int
    marks: int


Backward = Callable[[Sequence[Encoded], int], Made]
"""Leaves the gradient of some records in the weights, for the update of this number."""


def backward(loss: Loss, chosen: Sequence[Encoded], size: int) -> Made:
    """Leave the gradient of the mean loss per token in the weights, ``size`` pieces at a time."""
    pieces = [piece for one in chosen for piece in scored_windows(one)]
    tokens = sum(int(piece.scored.sum()) for piece in pieces)
    total, marks = 0.0, 0
    for start in range(0, len(pieces), size):
        given = pieces[start : start + size]
        part, count = loss(given)
        marks += sum(map(mark, given))
        if count:
            torch.autograd.backward(part / tokens)
            total += float(part.detach())
    return Made(total, tokens, marks)


def scored_windows(one: Encoded) -> list[Encoded]:
    """The forward passes that train on a record."""
    return [piece for piece in windows(one) if piece.scored.any()]
