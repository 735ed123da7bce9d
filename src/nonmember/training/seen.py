"""What a run was trained on, as one number that does not tell it: sums of digests.

The order of records leaves no mark on it, how often each was trained on does.
"""

import hashlib
from collections.abc import Iterable

from nonmember.models.text import Encoded, windows

RANGE = 1 << 128


def digest_of(encoded: Iterable[Encoded]) -> str:
    """Hex digest of the multiset of what is computed of records: token ids and scored marks.

    A record over the limit counts in its ``windows``; one without a scored token not at all.
    """
    return told(sum(mark_of(one) for one in encoded))


def mark_of(one: Encoded) -> int:
    """What one record adds to a digest, below 2^128."""
    return sum(mark(piece) for piece in windows(one) if piece.scored.any()) % RANGE


def mark(piece: Encoded) -> int:
    """What one forward pass of a piece adds to a digest, below 2^128."""
    made = hashlib.blake2b(piece.ids.astype("<i8").tobytes(), digest_size=16)
    made.update(piece.scored.tobytes())
    return int.from_bytes(made.digest(), "big")


def told(total: int) -> str:
    """A sum of marks as 32 hex digits."""
    return f"{total % RANGE:032x}"
