"""What an audit is about: data read, models found, everything checked, nothing computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import ledger as ledgers
from nonmember.audit import sources, threat
from nonmember.audit.candidates import Candidates, in_order, read_candidates
from nonmember.audit.ledger import Ledger
from nonmember.audit.met import Met, findings_of, met, refuse_silence
from nonmember.audit.protection import Protection, defended, protection
from nonmember.audit.sources import Served
from nonmember.audit.spec import Data, Spec
from nonmember.audit.spec import Target as TargetSpec
from nonmember.audit.threat import Means
from nonmember.data import texts
from nonmember.data.records import Records
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings, Form, encode, fingerprint
from nonmember.rewriting.registry import made
from nonmember.signals import conditioned
from nonmember.training import dpsgd
from nonmember.training.recipe import Recipe


@dataclass(frozen=True)
class Target:
    """A model to audit, and the candidates as it meets them.

    ``source`` is None where the model is still to be fine-tuned from ``base``. ``fingerprint``
    is the tokenizer's. ``shots`` and ``member_shots`` are the records that the attacker knows.
    ``protection`` is what is done to ``training`` first; ``ledger`` says what was done to the
    records of a model that was trained elsewhere.
    """

    name: str
    source: Source | Served | None
    base: Source | None
    recipe: Recipe
    training: Encodings
    candidates: Encodings
    fingerprint: str
    shots: tuple[Encoded, ...]
    member_shots: tuple[Encoded, ...]
    met: Met
    attacks: tuple[Attack, ...]
    left_out: Mapping[str, str]
    findings: tuple[Finding, ...]
    protection: Protection | None = None
    ledger: Ledger | None = None

    @property
    def rewriter(self) -> Mapping[str, Any]:
        """Who rewrote training records: the ``rewriter`` by name and ``how`` it was set."""
        return _rewriter(self.protection, self.ledger)

    @property
    def prompts_per_text(self) -> int:
        """How often the target is asked about one text: once per token if it answers labels."""
        by_token = isinstance(self.source, Served) and self.source.access == "label"
        return max(1, int(np.median(self.met.scored))) if by_token else 1


@dataclass(frozen=True)
class Subject:
    """A spec together with everything it names."""

    spec: Spec
    candidates: Candidates
    corpus: Records | None
    targets: tuple[Target, ...]
    where: Placement
    findings: tuple[Finding, ...]


def inspect(spec: Spec) -> Subject:
    """Read and check all that ``spec`` names; whatever is wrong is raised here, before work.

    Raises:
        DataError, ModelError, SpecError: one sentence saying where, what, and what to do.
    """
    threat.check(spec)
    where = causal.placement(spec.compute.device, spec.compute.precision)
    given = {name: _given(name, target, spec.seed) for name, target in spec.targets.items()}
    candidates = read_candidates(spec.data, seed=spec.seed)
    corpus = texts.read(Path(spec.data.corpus).expanduser()) if spec.data.corpus else None
    targets = tuple(_target(spec, name, found, candidates) for name, found in given.items())
    return Subject(spec, candidates, corpus, targets, where, _findings(spec, candidates))


@dataclass(frozen=True)
class _Given:
    """What is known of a target before any record is read."""

    source: Source | Served | None
    base: Source | None
    recipe: Recipe
    protection: Protection | None
    ledger: Ledger | None

    @property
    def models(self) -> list[Source | Served]:
        """The target and its base, as far as they are there."""
        return [one for one in (self.source, self.base) if one is not None]


def _rewriter(guard: Protection | None, ledger: Ledger | None) -> Mapping[str, Any]:
    """Who rewrote training records, and how it was set; nothing where nobody did."""
    if guard is not None and guard.rewriting is not None and not guard.idle:
        by = guard.rewriting
        return {"rewriter": by.rewriter.name, "how": dict(by.options)}
    about = ledger.about if ledger is not None else {}
    return {name: about[name] for name in ("rewriter", "how") if about.get("rewriter")}


def _given(name: str, target: TargetSpec, seed: int) -> _Given:
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
    return _Given(*sources.find(name, target), recipe, guard, ledger)


def _target(spec: Spec, name: str, given: _Given, candidates: Candidates) -> Target:
    asked, form = given.models[0], _form(spec.data, given.models)
    tokenizer = asked.tokenizer if isinstance(asked, Served) else causal.load_tokenizer(asked)
    encoded = Encodings(tokenizer, candidates.records, form)
    as_met = met(encoded, [model for model in given.models if isinstance(model, Source)])
    refuse_silence(name, as_met, candidates.split)
    _refuse_strange(name, given, candidates, encoded)
    known = (candidates.known_non_members, candidates.known_members)
    shots, member_shots = (encode(tokenizer, side, form) for side in known)
    means = _means(given, tokenizer, shots, member_shots)
    attacks, left_out = threat.chosen(spec, replace(means, **_rewrites(spec, name, given)))
    training = Encodings(tokenizer, _training(spec, name, candidates), form)
    _refuse_budget(name, given.recipe, len(training))
    return Target(
        name,
        given.source,
        given.base,
        given.recipe,
        training,
        encoded,
        fingerprint(tokenizer),
        shots,
        member_shots,
        as_met,
        attacks,
        left_out,
        findings_of(as_met, candidates.records, form),
        given.protection,
        given.ledger,
    )


def _refuse_budget(name: str, recipe: Recipe, records: int) -> None:
    """A privacy budget that no noise can meet is refused before any work.

    Raises:
        SpecError: naming the target.
    """
    if recipe.epsilon is not None:
        try:
            dpsgd.noise_multiplier(records, recipe)
        except SpecError as error:
            raise SpecError(f"targets.{name}: {error}") from None


def _refuse_strange(name: str, given: _Given, candidates: Candidates, encoded: Encodings) -> None:
    """A base that cuts texts otherwise, or a ledger that does not know every member.

    Raises:
        ModelError, DataError: naming the base, or the target.
    """
    if given.source is not None and given.base is not None:
        sources.compare_tokenizers(given.source.name, given.base, encoded)
    if given.ledger is None:
        return
    known = given.ledger.of(candidates.records.digests[candidates.split.member]) != ""
    if not known.all():
        raise DataError(
            f"targets.{name}.ledger: knows {int(known.sum())} of the {len(known)} members; give "
            "the records as they were before `nonmember protect`, and that run's private folder"
        )


def _means(
    given: _Given,
    tokenizer: Any,
    shots: Sequence[Encoded],
    member_shots: Sequence[Encoded],
) -> Means:
    """What the attacker has to go by."""
    source, base = given.source, given.base
    contexts = map(_context, given.models)
    context = min((size for size in contexts if size is not None), default=None)
    sides = [side for side in (shots, member_shots) if any(one.scored.any() for one in side)]
    return Means(
        access=source.access if isinstance(source, Served) else "weights",
        base=base is not None,
        non_members=any(one.scored.any() for one in shots),
        members=any(one.scored.any() for one in member_shots),
        gives=source.gives if isinstance(source, Served) else None,
        tunable=base is None or base.base is None,
        fitting=all(conditioned.fits(tokenizer, side, context) for side in sides),
    )


def _rewrites(spec: Spec, name: str, given: _Given) -> dict[str, Any]:
    """What an attacker knows of rewrites: whether there are any, and where theirs are made.

    Raises:
        SpecError, ModelError: a ledger's rewriter is not to be had here, naming the target.
    """
    by = _rewriter(given.protection, given.ledger)
    if not by or "rewriter" in spec.signals.options.get("rewrites", {}):
        return {"rewritten": bool(by)}
    try:
        return {"rewritten": True, "sends_to": made(by["rewriter"], by["how"] or {}).sends_to}
    except (SpecError, ModelError) as error:
        raise type(error)(
            f"targets.{name}: {error}; or name another in signals.options.rewrites.rewriter"
        ) from None


def _context(model: Source | Served) -> int | None:
    """How many tokens a model can attend to, if it says."""
    return model.context if isinstance(model, Served) else causal.context_length(model)


def _form(data: Data, models: Sequence[Source | Served]) -> Form:
    """How records become tokens: no longer than any of the models can attend to."""
    lengths = map(_context, models)
    limit = min([data.max_tokens, *(length for length in lengths if length is not None)])
    return Form(limit, data.packed, data.long)


def _training(spec: Spec, name: str, candidates: Candidates) -> Records:
    """The records that the target is to be trained on here; members that are known are members.

    Where any target is defended all are trained in one order, so that the defense alone differs.
    """
    trained_on = spec.targets[name].trained_on
    if trained_on is None:
        return Records.of([])
    inside = candidates.records.take(np.flatnonzero(candidates.split.member))
    every = candidates.control if trained_on == "control" else inside + candidates.known_members
    return in_order(every) if any(one.defenses for one in spec.targets.values()) else every


def _findings(spec: Spec, candidates: Candidates) -> tuple[Finding, ...]:
    """What the data alone tell a reader to beware of."""
    copies: list[str] = []
    for side in (candidates.split.member, ~candidates.split.member):
        own = candidates.records.take(np.flatnonzero(side))
        copies += [own[i].id for i in texts.duplicates(own)]
    outsiders = int((~candidates.split.member).sum())
    found = (
        checks.duplicates(copies),
        *(checks.resolution(fpr, outsiders) for fpr in spec.evaluation.fpr),
    )
    return tuple(finding for finding in found if finding is not None)
