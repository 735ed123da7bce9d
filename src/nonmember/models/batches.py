"""How many inputs a network is shown at once where it only answers."""

from collections.abc import Sequence
from math import prod

import torch

ROWS = 1024
FEWEST = 64
NUMBERS = 1 << 24  # of the inputs of a batch: what memory holds anywhere
CACHED = 1 << 16  # the same on a CPU, whose cache holds what layers of images make of as many


def rows_at_once(shape: Sequence[int], device: torch.device | str = "cpu") -> int:
    """Inputs in one batch, each of this shape.

    A CPU takes up to twice as long for an image among a thousand as among 64, and as long for a
    small row of a table.
    """
    each = max(1, prod(shape))
    most = max(1, min(ROWS, NUMBERS // each))
    if torch.device(device).type != "cpu":
        return most
    return min(most, max(FEWEST, CACHED // each))
