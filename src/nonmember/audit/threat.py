"""Who attacks: which attacks an attacker with this access, knowledge and budget can run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import Attack, Family, get, of_families
from nonmember.audit import options
from nonmember.audit.spec import Spec
from nonmember.errors import SpecError
from nonmember.models import embedding
from nonmember.signals import altered as _altered  # noqa: F401  (these fill the catalogue)
from nonmember.signals import conditioned as _conditioned  # noqa: F401
from nonmember.signals import repeated as _repeated  # noqa: F401
from nonmember.signals import rewritten as _rewritten  # noqa: F401
from nonmember.signals import sampled as _sampled  # noqa: F401
from nonmember.signals.catalogue import (
    SIGNALS,
    access,
    facts,
    load_plugins,
    passes,
    queried,
    queries,
)
from nonmember.signals.language import STATISTICS
from nonmember.types import ACCESS, Access

load_plugins()
ADAPTIVE = {"rewritten", "semantic_neighbours", "kept_tokens", "mixture"}
"""Attacks that are told what a defense has done; on an undefended model others see more."""

FAMILIES: tuple[Family, ...] = ("language", "blind")


@dataclass(frozen=True)
class Means:
    """What an attacker has: how the target answers, its base, and known records.

    ``tunable`` says whether a reference can be tuned from the base, ``fitting`` whether any
    known record of each side fits before a text. ``gives`` are the only arrays that the target
    answers; None: all of its access. ``rewritten`` says whether the target was trained on
    rewrites, and the attacker knows whose; ``sends_to`` where these are made, if not here.
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


def asked(spec: Spec) -> list[Attack]:
    """The attacks that the spec names, each once; all of the families, if it names none."""
    named = [get(name, FAMILIES) for name in spec.attacks.run or of_families(FAMILIES)]
    return list({attack.key: attack for attack in named}.values())


def check(spec: Spec) -> None:
    """Unknown attacks, signals and options fail before any file is opened.

    Raises:
        SpecError: naming what there is not.
    """
    wanted = asked(spec)
    if all(attack.family == "blind" for attack in wanted):
        raise SpecError(
            "attacks.run: no attack on the model; add one, see `nonmember list attacks`"
        )
    for name in spec.attacks.options:
        if get(name, FAMILIES) not in wanted:
            raise SpecError(f"attacks.options.{name}: the attack is not among those that run")
    for attack in wanted:
        options.of_attack(attack, spec)
    options.check_signals(spec)


def featured(attacks: Iterable[Attack], spec: Spec | None = None) -> list[Attack]:
    """The attacks whose scores an ensemble combines.

    All that look at a record at a time; under a budget of queries, the cheapest that keep
    within it together.
    """
    able = [one for one in attacks if one.rowwise and one.family != "blind"]
    if spec is None or spec.attacks.run is not None:
        return able
    able.sort(key=lambda one: queries(one.needs, spec.signals.options))
    kept: list[Attack] = []
    for one in able:
        needs = [need for other in (*kept, one) for need in other.needs]
        if not _over_budget(needs, spec):
            kept.append(one)
    return kept


def needs_of(attack: Attack, among: Sequence[Attack], spec: Spec | None = None) -> tuple[str, ...]:
    """The signals an attack needs; of one that combines others, theirs too."""
    if "features" not in facts(attack.needs):
        return attack.needs
    return (*attack.needs, *(need for one in featured(among, spec) for need in one.needs))


def chosen(spec: Spec, means: Means) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks to run, and why each other one of the families does not.

    Raises:
        SpecError: an attack that the spec names cannot run, or none on the model can.
    """
    wanted, left_out = asked(spec), dict[str, str]()
    for attack in sorted(wanted, key=lambda one: not one.rowwise):  # ensembles know theirs
        able = [one for one in wanted if one.name not in left_out]
        why = _why_not(attack, able, spec, means)
        if why and spec.attacks.run is not None:
            raise SpecError(f"attack {attack.name!r} cannot run: {why}, or leave the attack out")
        if why:
            left_out[attack.name] = why
    runs = tuple(one for one in wanted if one.name not in left_out)
    if all(one.family == "blind" for one in runs):
        raise SpecError(f"attacks: none on the model can run ({_gathered(left_out)})")
    return runs, left_out


def _gathered(left_out: Mapping[str, str]) -> str:
    """Each reason once, with the attacks that it keeps from running."""
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def _why_not(attack: Attack, able: Sequence[Attack], spec: Spec, means: Means) -> str | None:
    needs = needs_of(attack, able, spec)
    if "features" in facts(attack.needs) and len(featured(able, spec)) < 2:
        return "it combines others, and fewer than two run"
    lacking = _lacking(needs, spec, means) or _uploading(needs, spec, means)
    if lacking or spec.attacks.run is not None:
        return lacking
    if attack.name in ADAPTIVE and not means.rewritten:
        return "it is for models trained on rewrites; name it with --attack"
    return _over_budget(needs, spec)


def _lacking(needs: Sequence[str], spec: Spec, means: Means) -> str | None:
    """What an attacker with these means lacks for these signals."""
    asking = passes(needs)
    inputs = {name for _, signal in asking for name in SIGNALS[signal].inputs}
    models = {whose for whose, _ in asking}
    allowed = min(means.access, spec.attacks.access, key=ACCESS.index)
    needed = access(needs)
    aside = "that the attacker knows; set some aside with --known"
    mute = ", ".join(sorted(_unanswered(needs, means)))
    reasons = {
        f"it needs {needed}, and the attacker has {allowed}": (
            ACCESS.index(needed) > ACCESS.index(allowed)
        ),
        "it compares with the base model; name it with --base": (
            not means.base and not models.isdisjoint({"base", "self"})
        ),
        f"it needs non-members {aside}": (
            not means.non_members and ("shots" in inputs or "self" in models)
        ),
        f"it needs members {aside}": not means.members and "member_shots" in inputs,
        "it puts known records before a text, and none fits; set --max-tokens lower": (
            not means.fitting and not inputs.isdisjoint({"shots", "member_shots"})
        ),
        "its reference is tuned from the base, which is an adapter; merge it into a folder": (
            not means.tunable and "self" in models
        ),
        f"it compares tokens by their meaning; {embedding.INSTALL}": (
            "token_embedding" in facts(needs) and not embedding.installed()
        ),
        f"it needs {mute}, which the endpoint does not answer": bool(mute),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


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


def _over_budget(needs: Sequence[str], spec: Spec) -> str | None:
    count = queries(needs, spec.signals.options)
    if count <= spec.attacks.queries:
        return None
    return f"it puts {count} texts to the model per record; allow it with --queries {count}"


def query_count(attack: Attack, among: Sequence[Attack], spec: Spec) -> int:
    """Texts that the attack puts to the target per record."""
    return queries(needs_of(attack, among, spec), spec.signals.options)


def access_of(attack: Attack, among: Sequence[Attack], spec: Spec | None = None) -> Access:
    """The least access to the target that the attack needs."""
    return access(needs_of(attack, among, spec))
