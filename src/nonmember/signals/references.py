"""What many reference models say of the same texts: adapters over one base, asked together."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from nonmember.models import adapters, causal
from nonmember.models.causal import Placement
from nonmember.models.protocols import Watch
from nonmember.models.source import Source
from nonmember.models.text import Encoded, windows
from nonmember.signals.language import TOKENS_AT_ONCE, joined, of_positions
from nonmember.types import RefTokenLogprobs


def score_adapters(
    base: Source,
    folders: Sequence[Path],
    where: Placement,
    encoded: Sequence[Encoded],
    *,
    batch_tokens: int = TOKENS_AT_ONCE,
    watch: Watch | None = None,
) -> RefTokenLogprobs:
    """Log p of every scored token by each of m adapters, nats, float32 (m n t).

    Each text stands m times in a batch, so that the base is read once for all. Rows and
    numbers are those of ``token_statistics`` of each adapter alone, up to rounding.

    Args:
        base: below the adapters.
        folders: of the m adapters; of one recipe, as ``fit_adapters`` leaves them.
        where: the device and number format of the base; adapters keep their own.
        encoded: n records.
        batch_tokens: positions of one pass, all adapters' together; it changes no number
            beyond rounding.
        watch: told the tokens done after each pass, those of each adapter.

    Raises:
        ModelError: the base cannot be loaded, or an adapter is not one of its, or of another
            shape than the others.
    """
    count = len(folders)
    model = causal.load(base, where)
    found, scale = adapters.read_all(base, folders, where.device)
    pieces = [windows(one) for one in encoded]
    every = [piece for piece in chain.from_iterable(pieces) for _ in range(count)]
    with adapters.in_turn(model.network, found, scale):
        # Batches are of records of like length, of equally long ones in the order given.
        rows = of_positions(model, every, batch_tokens=batch_tokens, watch=watch)
    of_each = (rows["token_logprobs"][place::count] for place in range(count))
    return np.stack([joined(one, pieces) for one in of_each])
