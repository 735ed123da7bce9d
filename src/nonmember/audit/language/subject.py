"""What an audit is about: data read, models found, everything checked, nothing computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.attacks.registry import Attack
from nonmember.audit import options, threat
from nonmember.audit.canaries import bounds, folder
from nonmember.audit.cases import about_data
from nonmember.audit.defended.ledger import Ledger
from nonmember.audit.defended.protection import Protection
from nonmember.audit.language import sources
from nonmember.audit.language.candidates import Candidates, in_order, read_candidates
from nonmember.audit.language.given import Given, References, given_of, references_of, rewriter_of
from nonmember.audit.language.means import Means, lacks
from nonmember.audit.language.met import Met, findings_of, met, refuse_silence
from nonmember.audit.language.sources import Served
from nonmember.audit.language.spec import Data, Spec
from nonmember.data import texts
from nonmember.data.near import near_texts
from nonmember.data.records import Records
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.evaluation.checks import Finding
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings, Form, encode, fingerprint
from nonmember.rewriting.registry import made
from nonmember.signals import conditioned
from nonmember.signals.catalogue import SIGNALS
from nonmember.training import dpsgd, exclude
from nonmember.training.recipe import Recipe


@dataclass(frozen=True)
class Target:
    """A model to audit, and the candidates as it meets them.

    ``source`` is None where the model is still to be fine-tuned from ``base``. ``fingerprint``
    is the tokenizer's. ``shots`` and ``member_shots`` are the records that the attacker knows.
    ``protection`` is what is done to ``training`` first; ``ledger`` says what was done to the
    records of a model that was trained elsewhere. ``references`` is what it is compared with.
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
    references: References | None = None

    @property
    def meets(self) -> str:
        """How it meets the candidates: their form, and its tokenizer."""
        return f"{self.candidates.form} {self.fingerprint}"

    @property
    def rewriter(self) -> Mapping[str, Any]:
        """Who rewrote training records: the ``rewriter`` by name and ``how`` it was set."""
        return rewriter_of(self.protection, self.ledger)

    looks = 1

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

    @property
    def private(self) -> bool:
        """Whether a training is differentially private, so that no seed may be told."""
        return any(target.recipe.epsilon is not None for target in self.targets)

    @property
    def grouped(self) -> bool:
        """Whether the records say whose they are."""
        return self.spec.data.group is not None


def inspect(spec: Spec) -> Subject:
    """Read and check all that ``spec`` names; whatever is wrong is raised here, before work.

    Raises:
        DataError, ModelError, SpecError: one sentence saying where, what, and what to do.
    """
    threat.check(spec)
    where = causal.placement(spec.compute.device, spec.compute.precision)
    given = {name: given_of(name, target, spec.seed) for name, target in spec.targets.items()}
    candidates = read_candidates(spec.data, seed=spec.seed)
    corpus = texts.read(Path(spec.data.corpus).expanduser()) if spec.data.corpus else None
    targets = tuple(_target(spec, name, found, candidates) for name, found in given.items())
    bounds.check(candidates, targets, spec.data.guess_by)
    return Subject(spec, candidates, corpus, targets, where, _findings(spec, candidates))


def _target(spec: Spec, name: str, given: Given, candidates: Candidates) -> Target:
    tokenizer, form = _tokenizer(given.models[0]), _form(spec.data, given.models)
    encoded = Encodings(tokenizer, candidates.records, form)
    as_met = met(encoded, [model for model in given.models if isinstance(model, Source)])
    refuse_silence(name, as_met, candidates.split)
    _refuse_strange(name, given, candidates, encoded)
    known = (candidates.known_non_members, candidates.known_members)
    shots, member_shots = (encode(tokenizer, side, form) for side in known)
    others = references_of(spec, name, given, candidates)
    means = _means(spec, given, tokenizer, shots, member_shots, others)
    told = lacks(spec, replace(means, **_rewrites(spec, name, given)))
    attacks, left_out = threat.chosen(spec, told)
    training = _training(spec, name, given, candidates)
    return Target(
        name=name,
        source=given.source,
        base=given.base,
        recipe=given.recipe,
        training=Encodings(tokenizer, training, form),
        candidates=encoded,
        fingerprint=fingerprint(tokenizer),
        shots=shots,
        member_shots=member_shots,
        met=as_met,
        attacks=attacks,
        left_out=left_out,
        findings=findings_of(as_met, candidates.records, form),
        protection=given.protection,
        ledger=given.ledger,
        references=others if threat.compares(attacks) else None,
    )


def _refuse_recipe(name: str, given: Given, records: int) -> None:
    """A budget that no noise can meet, or a module to exclude that the base has not.

    Raises:
        SpecError: naming the target.
    """
    try:
        if given.recipe.epsilon is not None:
            dpsgd.noise_multiplier(records, given.recipe)
        if given.base is not None:
            exclude.check(given.base, given.recipe)
    except (SpecError, ModelError) as error:
        raise SpecError(f"targets.{name}: {error}") from None


def _refuse_strange(name: str, given: Given, candidates: Candidates, encoded: Encodings) -> None:
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
    spec: Spec,
    given: Given,
    tokenizer: Any,
    shots: Sequence[Encoded],
    member_shots: Sequence[Encoded],
    others: References | None,
) -> Means:
    """What the attacker has to go by."""
    source, base = given.source, given.base
    contexts = map(_context, given.models)
    context = min((size for size in contexts if size is not None), default=None)
    fitting = (
        conditioned.fits(tokenizer, side, context, **options.of_signal(SIGNALS[name], spec))
        for name, side in (("prefix", shots), ("prefix_member", member_shots))
        if any(one.scored.any() for one in side)
    )
    return Means(
        access=source.access if isinstance(source, Served) else "weights",
        base=base is not None,
        non_members=any(one.scored.any() for one in shots),
        members=any(one.scored.any() for one in member_shots),
        gives=source.gives if isinstance(source, Served) else None,
        tunable=base is None or base.base is None,
        fitting=all(fitting),
        references=0 if others is None else len(others.member),
    )


def _rewrites(spec: Spec, name: str, given: Given) -> dict[str, Any]:
    """What an attacker knows of rewrites: whether there are any, and where theirs are made.

    Raises:
        SpecError, ModelError: a ledger's rewriter is not to be had here, naming the target.
    """
    by = rewriter_of(given.protection, given.ledger)
    if not by or "rewriter" in spec.signals.options.get("rewrites", {}):
        return {"rewritten": bool(by)}
    try:
        return {"rewritten": True, "sends_to": made(by["rewriter"], by["how"] or {}).sends_to}
    except (SpecError, ModelError) as error:
        raise type(error)(
            f"targets.{name}: {error}; or name another in signals.options.rewrites.rewriter"
        ) from None


def _tokenizer(model: Source | Served) -> Any:
    return model.tokenizer if isinstance(model, Served) else causal.load_tokenizer(model)


def _context(model: Source | Served) -> int | None:
    """How many tokens a model can attend to, if it says."""
    return model.context if isinstance(model, Served) else causal.context_length(model)


def _form(data: Data, models: Sequence[Source | Served]) -> Form:
    """How records become tokens: no longer than any of the models can attend to."""
    lengths = map(_context, models)
    limit = min([data.max_tokens, *(length for length in lengths if length is not None)])
    return Form(limit, data.packed, data.long)


def _training(spec: Spec, name: str, given: Given, candidates: Candidates) -> Records:
    """The records that the target is to be trained on here; members that are known are members.

    Where any target is defended all are trained in one order, so that the defense alone differs.
    """
    trained_on = spec.targets[name].trained_on
    if trained_on is None:
        return Records.of([])
    inside = candidates.records.take(np.flatnonzero(candidates.split.member))
    every = candidates.control if trained_on == "control" else inside + candidates.known_members
    if candidates.canaries is not None:
        every = folder.trained_on(candidates.canaries)
    _refuse_recipe(name, given, len(every))
    return in_order(every) if any(one.defenses for one in spec.targets.values()) else every


def _near(candidates: Candidates) -> list[tuple[str, str, float]]:
    """Members that are nearly a non-member, and that one."""
    sides = [
        candidates.records.take(np.flatnonzero(side))
        for side in (candidates.split.member, ~candidates.split.member)
    ]
    inside, outside = sides
    found = near_texts(*([one.plain() for one in side] for side in sides))
    return [(inside[n.member].id, outside[n.non_member].id, n.similarity) for n in found]


def _findings(spec: Spec, candidates: Candidates) -> tuple[Finding, ...]:
    """What the data alone tell a reader to beware of.

    Of canaries, which differ, only what names none: who is near whom across the split is a coin.
    """
    if candidates.canaries is not None:
        return about_data(spec, candidates.split, (), ())
    return about_data(spec, candidates.split, _copies(candidates), _near(candidates))


def _copies(candidates: Candidates) -> list[str]:
    """Those that repeat another on their side."""
    copies: list[str] = []
    for side in (candidates.split.member, ~candidates.split.member):
        own = candidates.records.take(np.flatnonzero(side))
        copies += [own[i].id for i in texts.duplicates(own)]
    return copies
