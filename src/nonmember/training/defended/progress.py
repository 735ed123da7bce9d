"""Progress towards a number of updates that is only nearly known beforehand."""

from collections.abc import Callable


class Evened:
    """Tells a watch of updates as they are done, and in all exactly as many as were planned."""

    def __init__(self, watch: Callable[[int], None] | None, planned: int) -> None:
        self._watch, self._left = watch, planned

    def __call__(self, done: int) -> None:
        """So many are done."""
        told = min(done, self._left)
        self._left -= told
        if told and self._watch is not None:
            self._watch(told)

    def end(self) -> None:
        """All are done."""
        self(self._left)
