"""What a defender has beside the classifier: examples that take part in no evaluation."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from nonmember.data.examples import Examples

Arrays = dict[str, np.ndarray]
Remember = Callable[[str, Callable[[], Arrays]], Arrays]
"""Gives what was made under this name before, or makes it."""


def afresh(_name: str, make: Callable[[], Arrays]) -> Arrays:
    """Made each time."""
    return make()


@dataclass(frozen=True)
class Calibration:
    """Examples by which a defense is set, and its secret.

    ``members`` were trained on and ``non_members`` were not; ``public`` examples are neither,
    and no attack is judged on any of the three. ``secret`` keys whatever is drawn per input:
    who has it can draw the same. What is fitted is asked of ``remember``, so that it is once.
    """

    members: Examples
    non_members: Examples
    public: Examples
    secret: bytes = field(repr=False)
    remember: Remember = afresh
