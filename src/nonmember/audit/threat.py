"""Who attacks: which attacks an attacker with some access, knowledge and budget can run."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import FAMILIES, Attack, get, of_families
from nonmember.audit import options
from nonmember.audit.counterparts import of_diffusion
from nonmember.audit.parts import Common
from nonmember.errors import SpecError
from nonmember.signals import altered as _altered  # noqa: F401  (these fill the catalogue)
from nonmember.signals import boundary as _boundary  # noqa: F401
from nonmember.signals import classes as _classes  # noqa: F401
from nonmember.signals import conditioned as _conditioned  # noqa: F401
from nonmember.signals import diffused as _diffused  # noqa: F401
from nonmember.signals import jittered as _jittered  # noqa: F401
from nonmember.signals import repeated as _repeated  # noqa: F401
from nonmember.signals import rewritten as _rewritten  # noqa: F401
from nonmember.signals import sampled as _sampled  # noqa: F401
from nonmember.signals import trajectory as _trajectory  # noqa: F401
from nonmember.signals import views as _views  # noqa: F401
from nonmember.signals.catalogue import access, facts, load_plugins, queries
from nonmember.types import Access

load_plugins()

Kind = str
OF_CLASSIFIERS = frozenset({"labels", "input_features"})
"""What is known of inputs that are no texts; all other facts are of texts."""

Lacks = Callable[[Attack, Sequence[str]], str | None]
"""Says what an attacker lacks for an attack with these needs, and how to get it, if anything."""


def of_kind(kind: Kind) -> dict[str, Attack]:
    """The attacks on this kind of model by short name; blind ones look at its kind of inputs."""
    return {name: one for name, one in of_families(FAMILIES[kind]).items() if _looks_at(one, kind)}


def _looks_at(attack: Attack, kind: Kind) -> bool:
    if attack.family != "blind":
        return True
    told = facts(attack.needs) - {"member"}
    return not told & OF_CLASSIFIERS if kind == "language" else told <= OF_CLASSIFIERS


def asked(spec: Common) -> list[Attack]:
    """The attacks that the spec names, each once; all of its kind, if it names none."""
    families = FAMILIES[spec.kind]
    named = [get(name, families) for name in spec.attacks.run or of_kind(spec.kind)]
    return list({attack.key: attack for attack in named}.values())


def check(spec: Common) -> None:
    """Unknown attacks, signals and options fail before any file is opened.

    Raises:
        SpecError: naming what there is not.
    """
    wanted = asked(spec)
    if not any(_on_model(one) for one in wanted):
        raise SpecError(
            "attacks.run: no attack on the model; add one, see `nonmember list attacks`"
        )
    for name in spec.attacks.options:
        if get(name, FAMILIES[spec.kind]) not in wanted:
            raise SpecError(f"attacks.options.{name}: the attack is not among those that run")
    for attack in wanted:
        options.of_attack(attack, spec)
    options.check_signals(spec)


def featured(attacks: Iterable[Attack], spec: Common | None = None) -> list[Attack]:
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


def needs_of(
    attack: Attack, among: Sequence[Attack], spec: Common | None = None
) -> tuple[str, ...]:
    """The signals an attack needs; of one that combines others, theirs too."""
    if "features" not in facts(attack.needs):
        return attack.needs
    return (*attack.needs, *(need for one in featured(among, spec) for need in one.needs))


def chosen(spec: Common, lacks: Lacks) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks to run, and why each other one of the families does not.

    Raises:
        SpecError: an attack that the spec names cannot run, or none on the model can.
    """
    wanted, left_out = asked(spec), dict[str, str]()
    for attack in sorted(wanted, key=lambda one: not one.rowwise):  # ensembles know theirs
        able = [one for one in wanted if one.name not in left_out]
        why = _why_not(attack, able, spec, lacks)
        if why and spec.attacks.run is not None:
            raise SpecError(f"attack {attack.name!r} cannot run: {why}, or leave the attack out")
        if why:
            left_out[attack.name] = why
    runs = tuple(one for one in wanted if one.name not in left_out)
    if not any(_on_model(one) for one in runs):
        raise SpecError(f"attacks: none on the model can run ({_gathered(left_out)})")
    return runs, left_out


def _on_model(attack: Attack) -> bool:
    """Whether it asks the model itself, which alone can show a leak of it."""
    return attack.family != "blind" and not of_diffusion(attack)


def compares(attacks: Iterable[Attack]) -> bool:
    """Whether any of the attacks holds the target against reference models."""
    return any("ref_member" in one.needs for one in attacks)


def _gathered(left_out: Mapping[str, str]) -> str:
    """Each reason once, with the attacks that it keeps from running."""
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in reasons.items())


def _why_not(attack: Attack, able: Sequence[Attack], spec: Common, lacks: Lacks) -> str | None:
    needs = needs_of(attack, able, spec)
    if "features" in facts(attack.needs) and len(featured(able, spec)) < 2:
        return "it combines others, and fewer than two run"
    lacking = lacks(attack, needs)
    if lacking or spec.attacks.run is not None:
        return lacking
    return _over_budget(needs, spec)


def _over_budget(needs: Sequence[str], spec: Common) -> str | None:
    count = queries(needs, spec.signals.options)
    if count <= spec.attacks.queries:
        return None
    return f"it asks the model {count} times per record; allow it with --queries {count}"


def query_count(attack: Attack, among: Sequence[Attack], spec: Common) -> int:
    """Texts that the attack puts to the target per record."""
    return queries(needs_of(attack, among, spec), spec.signals.options)


def access_of(attack: Attack, among: Sequence[Attack], spec: Common | None = None) -> Access:
    """The least access to the target that the attack needs."""
    return access(needs_of(attack, among, spec))
