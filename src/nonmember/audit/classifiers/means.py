"""What an attacker on a classifier has to go by, and what that keeps from running."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nonmember.attacks.registry import Attack
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.threat import Lacks
from nonmember.signals.catalogue import access, passes, queried
from nonmember.types import ACCESS, Access

PLAIN = "class_logits"  # the one extractor that a file of answers can stand for
ALTERING = {"view_logits", "jitter_logits", "hop_skip_jump"}
STUDENTS = "loss_trajectory"
OF_DIFFUSION = "diffusion_error"  # which is asked of the diffusion model alone
REGENERATING = {"diffused_hits", OF_DIFFUSION}


@dataclass(frozen=True)
class Means:
    """What an attacker has: how the target answers, and whom it is compared with.

    ``asks`` says whether other inputs than the candidates can be put to it, ``arrays`` whether
    inputs are numbers. ``population`` and ``references`` are how many there are of each, and
    ``diffusion`` whether there is a model that regenerates inputs.
    """

    access: Access
    asks: bool
    arrays: bool
    population: int
    references: int
    diffusion: bool = False


def lacks(spec: ClassifierSpec, means: Means) -> Lacks:
    """What keeps attacks from running, for an attacker with these means."""
    allowed = min(means.access, spec.attacks.access, key=ACCESS.index)

    def lacking(_attack: Attack, needs: Sequence[str]) -> str | None:
        needed = access(needs)
        if ACCESS.index(needed) > ACCESS.index(allowed):
            return f"it needs {needed}, and the attacker has {allowed}"
        return next((reason for reason, holds in _reasons(means, needs) if holds), None)

    return lacking


def _reasons(means: Means, needs: Sequence[str]) -> Iterator[tuple[str, bool]]:
    """Whatever an attack with these needs could lack besides access, and whether it does."""
    models = {whose for whose, _ in passes(needs)}
    mine = {name for whose, name in passes(needs) if whose == "target"}
    of = {question.of for question in queried(needs)}
    yield (
        "it compares with reference models; train some with --references and --architecture",
        not means.references and "reference" in models,
    )
    yield (
        "it needs non-members that the attacker knows; set some aside with --population",
        not means.population and "population" in of,
    )
    yield (
        "it asks about altered inputs, and there is only a file of answers; give the model",
        not means.asks and bool(mine - {PLAIN, OF_DIFFUSION}),
    )
    yield (
        "it needs students distilled from the model, which no audit trains; use Python",
        STUDENTS in mine,
    )
    yield (
        "it regenerates inputs, and no diffusion model is at hand; give one in a spec, or use "
        "nonmember fence",
        not means.diffusion and bool(mine & REGENERATING),
    )
    yield (
        "it alters inputs, and texts are not altered",
        not means.arrays and bool(mine & ALTERING),
    )
