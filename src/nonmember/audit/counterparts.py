"""Which targets of a run are held against each other, and by which attacks.

Never each against each: a target that something stands before, against the same weights with
nothing before them, and against these behind the defense that costs nothing; one that was
trained with a defense, against the one that was trained alike without it; any other, against
the first that is not defended.
"""

from collections.abc import Iterable, Iterator, Sequence

from nonmember.attacks.registry import Attack
from nonmember.audit.records import AttackResult, TargetResult

LABEL = "label"  # the access of an attack that reads nothing but predicted classes
INFERENCE = "inference"  # the stage of a defense that stands before a trained model
TRIVIAL = "constant_confidence"
ABOUT_DIFFUSION = {"diffusion_error"}
"""Signals of the diffusion model itself, which say nothing of what the classifier answers."""


def on_model(target: TargetResult) -> list[AttackResult]:
    """The attacks that ask the target itself."""
    return [one for one in target.attacks if not (one.blind or one.of_parent or of_diffusion(one))]


def of_diffusion(attack: AttackResult | Attack) -> bool:
    """Whether it asks the diffusion model alone, whatever the classifier answers."""
    return bool(attack.needs) and ABOUT_DIFFUSION.issuperset(attack.needs)


def surest(attacks: Iterable[AttackResult]) -> AttackResult | None:
    """That whose AUC is surest to be large: by the lower end of its simultaneous interval."""
    return max(
        attacks, key=lambda one: (one.simultaneous.low, one.simultaneous.value), default=None
    )


def by_scores(target: TargetResult) -> AttackResult | None:
    """The surest of the attacks that read more than labels."""
    return surest(one for one in on_model(target) if one.access != LABEL)


def before(target: TargetResult) -> tuple[str, ...]:
    """The defenses that stand before a target, by name."""
    return tuple(one.name for one in target.defenses if one.stage == INFERENCE)


def weights(target: TargetResult) -> str:
    """Which weights a target has, by content; "" where that is not known."""
    model = target.provenance.get("model")
    return str(model.get("digest", "")) if isinstance(model, dict) else ""


def same_model(target: TargetResult, targets: Sequence[TargetResult]) -> Iterator[TargetResult]:
    """The other targets of the same weights."""
    mine = weights(target)
    return (one for one in targets if one is not target and mine and weights(one) == mine)


def bare(target: TargetResult, targets: Sequence[TargetResult]) -> TargetResult | None:
    """The same model with nothing before it."""
    return next((one for one in same_model(target, targets) if not before(one)), None)


def trivial(target: TargetResult, targets: Sequence[TargetResult]) -> TargetResult | None:
    """The same model behind the defense that costs nothing, alone."""
    return next((one for one in same_model(target, targets) if before(one) == (TRIVIAL,)), None)


def counterparts(target: TargetResult, targets: Sequence[TargetResult]) -> list[TargetResult]:
    """What a target is held against; nothing, of the first that is not defended."""
    if before(target):
        found = [one for one in (bare(target, targets), trivial(target, targets)) if one]
        if found:
            return found
    alike = target.utility.against if target.utility else None
    plain = next((one for one in targets if not one.defenses), targets[0])
    other = next((one for one in targets if one.name == alike), plain)
    return [] if other is target else [other]


def attacks(first: TargetResult, second: TargetResult) -> list[tuple[AttackResult, AttackResult]]:
    """By what two targets are compared: the attack that is surest of either, each its own.

    Where something stands before one of them, also the surest that read more than labels.
    """
    found = [_strongest(first), _strongest(second)]
    pairs = [found]
    if before(first) or before(second):
        pairs.append([by_scores(first), by_scores(second)])
    chosen = {(one.name, two.name): (one, two) for one, two in pairs if one and two}
    return [*chosen.values()]


def _strongest(target: TargetResult) -> AttackResult | None:
    """The one that the target's verdict names; none where no attack may carry a verdict."""
    return next((one for one in target.attacks if one.name == target.strongest), None)
