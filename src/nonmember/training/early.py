"""Early stopping: whether another epoch is worth it, by records that are not trained on."""

from collections.abc import Sequence

import torch
from torch import nn

from nonmember.errors import DataError
from nonmember.models.text import Encoded
from nonmember.training.update import Loss, scored_windows


def over(losses: Sequence[float]) -> bool:
    """Whether the last epoch did not lower the loss of what is held back, nats per token."""
    return len(losses) > 1 and not losses[-1] < losses[-2]


@torch.no_grad()
def mean_loss(network: nn.Module, loss: Loss, watched: Sequence[Encoded], size: int) -> float:
    """Mean loss in nats per token, without dropout, ``size`` pieces at a time.

    Raises:
        DataError: nothing of these records is scored.
    """
    pieces = [piece for one in watched for piece in scored_windows(one)]
    if not pieces:
        raise DataError(
            "training: no record that is held back has a token to score; hold back more"
        )
    network.eval()
    parts = [loss(pieces[start : start + size]) for start in range(0, len(pieces), size)]
    network.train()
    return sum(float(part) for part, _ in parts) / sum(count for _, count in parts)
