"""What a target and its references are made from, before any record is met by them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nonmember.audit.defended import ledger as ledgers
from nonmember.audit.defended.ledger import Ledger
from nonmember.audit.defended.protection import Protection, defended, protection
from nonmember.audit.language import sources
from nonmember.audit.language.candidates import Candidates
from nonmember.audit.language.sources import Served
from nonmember.audit.language.spec import Spec, Target
from nonmember.errors import ModelError, SpecError
from nonmember.models.source import Source
from nonmember.seeds import derive
from nonmember.training.membership import LEAST, balanced
from nonmember.training.recipe import Recipe
from nonmember.types import RefMember


@dataclass(frozen=True)
class References:
    """m adapters over the target's base, and whom of the n candidates each is tuned on, (m n)."""

    recipe: Recipe
    member: RefMember


@dataclass(frozen=True)
class Given:
    """A target's models, how it is trained, and what is done to its records first."""

    source: Source | Served | None
    base: Source | None
    recipe: Recipe
    protection: Protection | None
    ledger: Ledger | None

    @property
    def models(self) -> list[Source | Served]:
        """The target and its base, as far as they are there."""
        return [one for one in (self.source, self.base) if one is not None]


def rewriter_of(guard: Protection | None, ledger: Ledger | None) -> Mapping[str, Any]:
    """Who rewrote training records, and how it was set; nothing where nobody did."""
    if guard is not None and guard.rewriting is not None and not guard.idle:
        by = guard.rewriting
        return {"rewriter": by.rewriter.name, "how": dict(by.options)}
    about = ledger.about if ledger is not None else {}
    return {name: about[name] for name in ("rewriter", "how") if about.get("rewriter")}


def given_of(name: str, target: Target, seed: int) -> Given:
    """Its models, defenses and ledger, found and checked.

    Raises:
        DataError, SpecError, ModelError: naming the target, and what is wrong with it.
    """
    try:
        recipe = defended(target.recipe, target.defenses)
        guard = protection(target.defenses, recipe, seed)
    except (SpecError, ModelError) as error:
        raise type(error)(f"targets.{name}: {error}") from None
    ledger = ledgers.read(Path(target.ledger).expanduser()) if target.ledger else None
    return Given(*sources.find(name, target), recipe, guard, ledger)


def references_of(spec: Spec, name: str, given: Given, candidates: Candidates) -> References | None:
    """The reference models that are asked for, where there is a base to tune them from.

    Raises:
        ModelError, SpecError: they cannot be tuned from this base, or not so.
    """
    how, base = spec.references, given.base
    if not how.count or base is None:
        return None
    if base.base is not None:
        raise ModelError(
            f"targets.{name}: {base.name} is an adapter, which references cannot be tuned from; "
            "merge it into a folder first, or leave references out"
        )
    if how.recipe.method != "lora":
        raise SpecError('references.recipe.method: references are adapters; give "lora"')
    if how.count < LEAST:
        raise SpecError(
            f"references.count: {how.count} cannot tell chance from membership; use at least "
            f"{LEAST}, and 16 or more for lira"
        )
    seed = derive(spec.seed, "references")
    return References(how.recipe, balanced(candidates.split.group, how.count, seed=seed))
