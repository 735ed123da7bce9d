"""What an attacker on a fine-tuned classifier has to go by, and what that keeps from running."""

from collections.abc import Sequence

from nonmember.attacks.registry import Attack
from nonmember.audit import options, threat
from nonmember.audit.threat import Lacks
from nonmember.audit.transfer.spec import TransferSpec
from nonmember.errors import SpecError
from nonmember.signals.catalogue import access, passes
from nonmember.types import ACCESS, Access

NO_PARENT = (
    "it asks the model that this one was fine-tuned from, which is not here; leave model out to "
    "have both trained"
)
OF_THE_LARGEST = "transfer.max_confidence"
"""The attack that looks at no more than the largest probability, whatever is there."""


def asks_parents(attack: Attack) -> bool:
    """Whether an attack asks pre-trained models, and not what became of them."""
    return "parents" in {whose for whose, _ in passes(attack.needs)}


def as_seen(spec: TransferSpec) -> TransferSpec:
    """The same spec, in which attacks look at no more probabilities than an attacker sees.

    Raises:
        SpecError: an attack is asked to look at more.
    """
    most, given = spec.attacks.k, dict(spec.attacks.options)
    if most is None:
        return spec
    for attack in (one for one in threat.asked(spec) if "k" in one.options):
        name = attack.key if attack.key in given else attack.name
        own = options.of_attack(attack, spec)["k"]
        if own is not None and own > most:
            raise SpecError(
                f"attacks.options.{name}: k = {own}, and the attacker sees {most}; give no more"
            )
        given[name] = {"k": most, **given.get(name, {})}
    attacks = spec.attacks.model_copy(update={"options": given})
    return spec.model_copy(update={"attacks": attacks})


def needed(attack: Attack, needs: Sequence[str], spec: TransferSpec) -> Access:
    """The least access to the target with which an attack can run, as its options have it."""
    told = access(needs)
    if told != "scores":
        return told
    few = attack.key == OF_THE_LARGEST or options.of_attack(attack, spec).get("k") is not None
    return "topk" if few else told


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
        least_needed = needed(attack, needs, spec)
        if ACCESS.index(least_needed) > ACCESS.index(least):
            return f"it needs {least_needed}, and the attacker has {least}"
        return None

    return lacking
