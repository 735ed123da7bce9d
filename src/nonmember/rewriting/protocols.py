"""All that the rest of the library may assume of whoever rewrites texts."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

Watch = Callable[[int], None]
"""Told how many more texts are done, after each step."""


class Rewrite(NamedTuple):
    """A new text, or None and the reason, which says nothing of the text itself.

    Tokens are a model's, read and written; a rewriter that follows rules has none.
    """

    text: str | None
    why: str = ""
    tokens_read: int = 0
    tokens_written: int = 0


@runtime_checkable
class Rewriter(Protocol):
    """Says the same in other words. What it answers depends on a text and its seed only."""

    @property
    def name(self) -> str:
        """Under which it is registered."""

    @property
    def identity(self) -> str:
        """All that decides its answers besides text and seed: version, options, weights."""

    @property
    def sends_to(self) -> str | None:
        """Where the texts go; None if they stay on this machine."""

    def rewrite(
        self, texts: Sequence[str], seeds: Sequence[int], *, watch: Watch | None = None
    ) -> list[Rewrite]:
        """One rewrite for each text, in order, drawn by its seed."""
