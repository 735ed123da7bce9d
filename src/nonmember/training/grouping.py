"""Which models of the store are fitted together, and where their checkpoints are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from nonmember.models.architecture import Architecture
from nonmember.models.source import digest
from nonmember.signals.store import Store
from nonmember.training.addresses import Model

TOGETHER = 64  # models in one fit, and
WEIGHTS = 1 << 26  # weights of them all, which are held until they are written
WRITERS = 16  # threads that write them


def most(architecture: Architecture) -> int:
    """How many models of an architecture may be fitted together."""
    return max(1, min(TOGETHER, WEIGHTS // max(1, architecture.size)))


def groups(
    kind: str, models: Sequence[Model], store: Store, size: int
) -> Iterator[Sequence[Model]]:
    """Those to be fitted together, ``size`` at most: of each group what is missing.

    A group that was interrupted is gone on with whole, even if some of it is in the store: its
    checkpoint is that of all of them.
    """
    for first in range(0, len(models), size):
        group = models[first : first + size]
        missing = [model for model in group if not store.has(model.address)]
        if missing:
            yield group if any(scratch(kind, group, store).iterdir()) else missing


def scratch(kind: str, group: Sequence[Model], store: Store) -> Path:
    """Where the checkpoints of a fit go, by what is fitted together."""
    return store.scratch(digest(kind, *(model.address for model in group)))
