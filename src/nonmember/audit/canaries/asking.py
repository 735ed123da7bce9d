"""What a spec says of canaries, and what cannot be asked together with them."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol, runtime_checkable

from pydantic import Field

from nonmember.audit.parts import Part

EVERY = "all"
"""As the attack to guess by: every one that can, each at its share of the error."""

SIDES = ("members", "non_members", "pool", "take")


class Claimed(Part):
    """What an accountant says of a model that was trained elsewhere: (epsilon, delta)-privacy."""

    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5


@runtime_checkable
class Sides(Protocol):
    """How a spec names members and non-members."""

    members: str | None
    non_members: str | None
    pool: str | None
    take: Any
    canaries: str | None
    guess_by: str | None


def one_way(data: Sides, alone: Mapping[str, Any]) -> None:
    """Refuse sides that are named in no way or in several.

    Args:
        data: of a spec.
        alone: what canaries decide themselves, by the spec's names; empty where not said.

    Raises:
        ValueError: saying what to give.
    """
    if data.canaries == "":
        raise ValueError("canaries names no folder; give one that nonmember canaries wrote")
    files, pool = (data.members, data.non_members), (data.pool, data.take)
    ways = [any(files), any(pool), data.canaries is not None]
    if sum(ways) != 1 or any(files) != all(files) or any(pool) != all(pool):
        raise ValueError(
            "give members and non_members (two files), or pool and take, or canaries (a folder)"
        )
    if data.guess_by is not None and data.canaries is None:
        raise ValueError("guess_by names who guesses at canaries; give canaries, or leave it out")
    idle = [name for name, value in alone.items() if value]
    if idle and data.canaries is not None:
        raise ValueError(
            f"{', '.join(idle)}: the canaries' folder decides that, and their coins must not; "
            "leave it out"
        )


def refuse_claim(name: str, claimed: Claimed | None, canaries: str | None, *, there: bool) -> None:
    """Refuse a claim that nothing is held against, or of a target that is trained here.

    Raises:
        ValueError: naming the target.
    """
    if claimed is not None and canaries is None:
        raise ValueError(
            f"targets.{name}.claimed is held against what canaries show; give data.canaries"
        )
    if claimed is not None and not there:
        raise ValueError(
            f"targets.{name}.claimed is of a model trained elsewhere; the accountant of one "
            "trained here says it itself"
        )
