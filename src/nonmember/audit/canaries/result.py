"""What canaries show of one target: lower bounds of epsilon beside the accountant's claim."""

from dataclasses import dataclass

from nonmember.evaluation.epsilon import Bound


@dataclass(frozen=True)
class Claim:
    """The privacy that a target is said to have, and by whom."""

    epsilon: float
    delta: float
    by: str


@dataclass(frozen=True)
class CanaryResult:
    """An audit in one run: what guessing at ``canaries`` coins says of a target's privacy.

    ``inserted`` of them came up. ``attack`` guessed; ``chosen`` says how it was chosen. The first
    of ``bounds`` is held against ``claimed`` and decides whether that is ``refuted``; the others
    are beside it, each at its own level. ``attacks`` are by whose scores each of them is.
    ``trained_here`` says whether the audit itself gave the
    canaries to the target; if not, it has its owner's word for that alone.
    """

    canaries: int
    inserted: int
    form: str
    attack: str
    chosen: str
    bounds: tuple[Bound, ...]
    claimed: Claim | None
    refuted: bool
    trained_here: bool
    attacks: tuple[str, ...] = ()
