"""What an attacker on a fine-tuned classifier has to go by, and what that keeps from running."""

from collections.abc import Sequence

from nonmember.attacks.registry import Attack
from nonmember.audit.threat import Lacks
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.signals.catalogue import access, passes
from nonmember.types import ACCESS, Access

NO_PARENT = (
    "it asks the model that this one was fine-tuned from, which is not here; leave model out to "
    "have both trained"
)


def asks_parents(attack: Attack) -> bool:
    """Whether an attack asks pre-trained models, and not what became of them."""
    return "parents" in {whose for whose, _ in passes(attack.needs)}


def lacks(spec: TransferSpec, allowed: Access, *, parent: bool) -> Lacks:
    """What keeps attacks from running.

    Args:
        spec: what is asked.
        allowed: how the target answers.
        parent: whether the model that it was fine-tuned from is there.
    """
    least = min(allowed, spec.attacks.access, key=ACCESS.index)

    def lacking(attack: Attack, needs: Sequence[str]) -> str | None:
        if asks_parents(attack):
            return None if parent else NO_PARENT
        needed = access(needs)
        if ACCESS.index(needed) > ACCESS.index(least):
            return f"it needs {needed}, and the attacker has {least}"
        return None

    return lacking
