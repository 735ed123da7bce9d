"""The defenses that a spec names, looked up and checked: what they will do, and with what."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import Attack, of_families
from nonmember.audit.language import spec as specs
from nonmember.defenses import every as _defenses  # noqa: F401  (these fill the registries)
from nonmember.defenses import registry
from nonmember.defenses.registry import SELECTORS
from nonmember.errors import ModelError, SpecError, unknown
from nonmember.models import embedding
from nonmember.options import checked
from nonmember.rewriting import every as _rewriters  # noqa: F401
from nonmember.rewriting import registry as rewriters
from nonmember.rewriting.gates import Limits
from nonmember.rewriting.protocols import Rewriter
from nonmember.seeds import derive
from nonmember.signals.catalogue import SIGNALS, passes
from nonmember.training.recipe import Recipe


@dataclass(frozen=True)
class Step:
    """A data-stage defense and its options."""

    defense: registry.Defense
    options: Mapping[str, Any]

    @property
    def idle(self) -> bool:
        """Whether it leaves every record as it is, however exposed they are."""
        return self.options.get("ratio") == 0

    @property
    def asks(self) -> bool:
        """Whether it matters how exposed records are: not where all share one fate."""
        return "exposure" in self.defense.needs and self.options.get("ratio") not in (0, 1)


@dataclass(frozen=True)
class Selecting:
    """How it is found out which records are exposed, and when."""

    selector: Attack
    options: Mapping[str, Any]
    warmup_epochs: int
    after_warmup: Literal["restart", "continue"]
    reselect: Literal["once", "each_epoch"]

    @property
    def moving(self) -> bool:
        """Whether what is trained on differs from epoch to epoch."""
        return (self.reselect, self.after_warmup) != ("once", "restart")


@dataclass(frozen=True)
class Rewriting:
    """Who rewrites records, and what becomes of them. ``options`` are the rewriter's, as asked."""

    rewriter: Rewriter
    options: Mapping[str, Any]
    limits: Limits
    attempts: int
    on_reject: Literal["drop", "keep_raw"]
    views: int


@dataclass(frozen=True)
class Protection:
    """What is done to training records before they are trained on, in order.

    ``selecting`` is None where nothing depends on how exposed records are.
    """

    steps: tuple[Step, ...]
    selecting: Selecting | None
    rewriting: Rewriting | None

    @property
    def moving(self) -> bool:
        """Whether what is trained on differs from epoch to epoch."""
        how, by = self.selecting, self.rewriting
        return (how is not None and how.moving) or (by is not None and by.views > 1)

    @property
    def idle(self) -> bool:
        """Whether it leaves every record as it is: then the training is the undefended one."""
        return all(step.idle for step in self.steps)


def protection(defenses: Sequence[specs.Defense], recipe: Recipe, seed: int) -> Protection | None:
    """What the data-stage defenses among these do; None if there are none.

    Args:
        defenses: as asked for.
        recipe: of the training, defended.
        seed: root of all randomness.

    Raises:
        SpecError: naming the defense and what is wrong with it.
        ModelError: a model that a rewriter or a gate needs is not there.
    """
    _refuse_repeated([one.name for one in defenses])
    chosen = [one for one in defenses if registry.get(one.name, "language").stage == "data"]
    if not chosen:
        return None
    steps = tuple(Step(registry.get(one.name, "language"), _options(one)) for one in chosen)
    going_by = [one for one in chosen if "exposure" in registry.get(one.name, "language").needs]
    rewriting = [one for one in chosen if registry.get(one.name, "language").rewrites]
    for what, several in (("go by how exposed records are", going_by), ("rewrite", rewriting)):
        if len(several) > 1:
            names = " and ".join(one.name for one in several)
            raise SpecError(f"defenses: {names} both {what}; keep one of them")
    for one in (one for one in chosen if one not in going_by):
        _refuse_idle(one, {"selector", "warmup_epochs", "after_warmup", "reselect"})
    for one in (one for one in chosen if one not in rewriting):
        _refuse_idle(one, {"rewriter"})
    selecting = _selecting(going_by[0], recipe, seed) if going_by else None
    by = _rewriting(rewriting[0].rewriter) if rewriting else None
    found = Protection(steps, selecting if _shown(steps, selecting) else None, by)
    _refuse_unfit(found, recipe)
    return found


def _shown(steps: Sequence[Step], selecting: Selecting | None) -> bool:
    """Whether it matters what a warm-up shows, or that the training begins with one."""
    begins = selecting is not None and selecting.moving
    return any(
        step.asks or (begins and not step.idle and "exposure" in step.defense.needs)
        for step in steps
    )


def _refuse_repeated(names: Sequence[str]) -> None:
    """A defense's second turn would be taken for its first.

    Raises:
        SpecError: one is named twice.
    """
    again = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if again is not None:
        raise SpecError(f"defenses: {again} is named twice; keep one of them")


def _refuse_unfit(found: Protection, recipe: Recipe) -> None:
    """What a recipe cannot bear: a selection outside its budget, or epochs of different sizes.

    Raises:
        SpecError: saying which.
    """
    if recipe.epsilon is not None and not found.idle:
        raise SpecError(
            "defenses: what becomes of a record depends on the others too, and epsilon does not "
            "cover that; leave out dp_lora, or the defenses of the data stage"
        )
    if found.moving and (recipe.epsilon is not None or recipe.hold_back):
        raise SpecError(
            "defenses: early_stopping and dp_lora need the same records in every epoch; leave out "
            "views, reselect and after_warmup"
        )


def defended(recipe: Recipe, defenses: Sequence[specs.Defense]) -> Recipe:
    """The recipe as the training-stage defenses among these change it, one after the other.

    Raises:
        SpecError: naming the defense and what is wrong with it.
    """
    for one in defenses:
        found = registry.get(one.name, "language")
        if found.stage == "training":
            _refuse_idle(one, set(specs.Defense.model_fields) - {"name", "options"})
            recipe = found.apply(recipe, **_options(one))
    return recipe


def _refuse_idle(asked: specs.Defense, settings: set[str]) -> None:
    """What a defense has no use for was set in error."""
    idle = sorted(settings & asked.model_fields_set)
    if idle:
        raise SpecError(
            f"defenses.{asked.name}: {', '.join(idle)} changes nothing here; leave it out"
        )


def _options(asked: specs.Defense) -> dict[str, Any]:
    found = registry.get(asked.name, "language")
    return checked(found.apply, found.options, asked.options, f"defenses.{asked.name}.options")


def _selecting(asked: specs.Defense, recipe: Recipe, seed: int) -> Selecting:
    where = f"defenses.{asked.name}"
    selector = selector_named(asked.selector)
    if asked.warmup_epochs >= recipe.epochs and asked.warmup_epochs > 0:
        raise SpecError(
            f"{where}: warmup_epochs = {asked.warmup_epochs} is the whole training of "
            f"{recipe.epochs}; warm up for fewer"
        )
    if asked.warmup_epochs == 0 and any(need.startswith("base_") for need in selector.needs):
        raise SpecError(
            f"{where}: {asked.selector} compares the warm-up with the base, and without "
            "warmup_epochs they are the same; give 1 or more, or another selector"
        )
    if asked.warmup_epochs == 0 and asked.after_warmup == "continue":
        raise SpecError(f"{where}: there is no warm-up to continue; give warmup_epochs")
    options = dict(selector.options)
    if "seed" in options:
        options["seed"] = derive(seed, "selector", selector.name) % 2**32
    return Selecting(selector, options, asked.warmup_epochs, asked.after_warmup, asked.reselect)


def selector_named(name: str) -> Attack:
    """What gives records' exposure: a selector, or any attack that sees one record at a time.

    Raises:
        SpecError: there is none; the message names the closest.
    """
    if name in SELECTORS:
        one = SELECTORS[name]  # on the warm-up, it is an attack
        return Attack("language", one.name, one.exposure, "", one.needs, one.options)
    known = of_families(("language",))
    if name not in known:
        raise SpecError(unknown("selector", name, [*SELECTORS, *known]))
    found = known[name]
    asked = passes(found.needs)
    inputs = {name for _, signal in asked for name in SIGNALS[signal].inputs}
    shown = inputs & {"shots", "member_shots"}
    if not found.rowwise or shown or "self" in {whose for whose, _ in asked}:
        raise SpecError(
            f"selector {name!r}: compares records, or needs known ones or a reference; give one of "
            f"{', '.join(SELECTORS)}, or an attack that scores each record from its own signals"
        )
    return found


def _rewriting(asked: specs.Rewriting) -> Rewriting:
    code = asked.options.get("kind") == "code"  # programs are judged as such, whoever rewrites
    limits = replace(rewriters.get("code" if code else asked.name).limits, **_limits(asked.limits))
    if not embedding.installed():
        raise ModelError(
            f"rewriter {asked.name}: rewrites are compared with their originals by their meaning; "
            f"{embedding.INSTALL}"
        )
    return Rewriting(
        rewriters.made(asked.name, asked.options),
        asked.options,
        limits,
        asked.attempts,
        asked.on_reject,
        asked.views,
    )


def _limits(given: Mapping[str, Any]) -> dict[str, Any]:
    found = checked(Limits, asdict(Limits()), given, "rewriter.limits")
    return {name: found[name] for name in given}
