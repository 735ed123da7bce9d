"""What an attacker on a language model has to go by, and what that keeps from running."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from nonmember.attacks.registry import Attack
from nonmember.audit.language.spec import Spec
from nonmember.audit.threat import Lacks
from nonmember.models import embedding
from nonmember.signals.catalogue import SIGNALS, access, facts, passes, queried
from nonmember.signals.language import STATISTICS
from nonmember.types import ACCESS, Access

ADAPTIVE = {"rewritten", "semantic_neighbours", "kept_tokens", "mixture"}
"""Attacks that are told what a defense has done; on an undefended model others see more."""


@dataclass(frozen=True)
class Means:
    """What an attacker has: how the target answers, its base, and known records.

    ``tunable`` says whether a reference can be tuned from the base, ``fitting`` whether any
    known record of each side fits before a text. ``gives`` are the only arrays that the target
    answers; None: all of its access. ``rewritten`` says whether the target was trained on
    rewrites, and the attacker knows whose; ``sends_to`` where these are made, if not here.
    ``references`` is how many reference models the attacker trains.
    """

    access: Access
    base: bool
    non_members: bool
    members: bool
    gives: frozenset[str] | None = None
    tunable: bool = True
    fitting: bool = True
    rewritten: bool = False
    sends_to: str | None = None
    references: int = 0


def lacks(spec: Spec, means: Means) -> Lacks:
    """What keeps attacks from running, for an attacker with these means."""

    def lacking(attack: Attack, needs: Sequence[str]) -> str | None:
        found = _lacking(needs, spec, means) or _uploading(needs, spec, means)
        if found or spec.attacks.run is not None:
            return found
        if attack.name in ADAPTIVE and not means.rewritten:
            return "it is for models trained on rewrites; name it with --attack"
        return None

    return lacking


def _lacking(needs: Sequence[str], spec: Spec, means: Means) -> str | None:
    """What an attacker with these means lacks for these signals."""
    allowed = min(means.access, spec.attacks.access, key=ACCESS.index)
    needed = access(needs)
    mute = ", ".join(sorted(_unanswered(needs, means)))
    reasons = {
        f"it needs {needed}, and the attacker has {allowed}": (
            ACCESS.index(needed) > ACCESS.index(allowed)
        ),
        **_without_models({whose for whose, _ in passes(needs)}, means),
        **_without_records(needs, means),
        f"it compares tokens by their meaning; {embedding.INSTALL}": (
            "token_embedding" in facts(needs) and not embedding.installed()
        ),
        f"it needs {mute}, which the endpoint does not answer": bool(mute),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _without_models(models: Set[str], means: Means) -> dict[str, bool]:
    """Which other models are asked that there are not."""
    return {
        "it compares with the base model; name it with --base": (
            not means.base and not models.isdisjoint({"base", "self", "reference"})
        ),
        "its reference is tuned from the base, which is an adapter; merge it into a folder": (
            not means.tunable and "self" in models
        ),
        "it compares with reference models; train some with --references": (
            not means.references and "reference" in models
        ),
    }


def _without_records(needs: Sequence[str], means: Means) -> dict[str, bool]:
    """Which known records are used that there are not."""
    asking = passes(needs)
    inputs = {name for _, signal in asking for name in SIGNALS[signal].inputs}
    aside = "that the attacker knows; set some aside with --known"
    tuned = "self" in {whose for whose, _ in asking}
    return {
        f"it needs non-members {aside}": not means.non_members and ("shots" in inputs or tuned),
        f"it needs members {aside}": not means.members and "member_shots" in inputs,
        "it puts known records before a text, and none fits; set --max-tokens lower": (
            not means.fitting and not inputs.isdisjoint({"shots", "member_shots"})
        ),
    }


def _uploading(needs: Sequence[str], spec: Spec, means: Means) -> str | None:
    """A defender who had some records rewritten elsewhere has not said that all may go there."""
    asking = {signal for _, signal in passes(needs)}
    named = "rewriter" in spec.signals.options.get("rewrites", {})
    if means.sends_to is None or named or "rewrites" not in asking:
        return None
    return (
        f"it would send every record to {means.sends_to} to be rewritten; allow that by naming the "
        "rewriter in signals.options.rewrites"
    )


def _unanswered(needs: Sequence[str], means: Means) -> set[str]:
    """Statistics of the target's tokens that it does not give."""
    if means.gives is None:
        return set()
    asked = {q.name for q in queried(needs) if q.whose == "target"}
    return {name for name in asked & set(STATISTICS) if name not in means.gives}
