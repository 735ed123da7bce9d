"""What an audit is about: data read, models found, everything checked, nothing computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from nonmember.attacks.registry import Attack
from nonmember.audit import sources, threat
from nonmember.audit.candidates import Candidates, read_candidates
from nonmember.audit.sources import Served
from nonmember.audit.spec import Data, Spec
from nonmember.audit.spec import Target as TargetSpec
from nonmember.audit.threat import Means
from nonmember.data import texts
from nonmember.data.records import Records
from nonmember.data.split import Split
from nonmember.errors import DataError, ModelError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source
from nonmember.models.text import Encoded, Encodings, Form, encode, fingerprint, lossy
from nonmember.signals import conditioned
from nonmember.training.recipe import Recipe

FEWEST_TOKENS = 8


@dataclass(frozen=True)
class Met:
    """The n candidates as a model meets them: tokens, and how many of them are scored."""

    tokens: Int[np.ndarray, "n"]
    scored: Int[np.ndarray, "n"]
    truncated: Bool[np.ndarray, "n"]
    lossy: Bool[np.ndarray, "n"]


@dataclass(frozen=True)
class Target:
    """A model to audit, and the candidates as it meets them.

    ``source`` is None where the model is still to be fine-tuned from ``base``. ``fingerprint``
    is the tokenizer's. ``shots`` and ``member_shots`` are the records that the attacker knows.
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
    found = {name: sources.find(name, target) for name, target in spec.targets.items()}
    candidates = read_candidates(spec.data, seed=spec.seed)
    corpus = texts.read(Path(spec.data.corpus).expanduser()) if spec.data.corpus else None
    targets = tuple(
        _target(spec, name, found[name], candidates) for name, target in spec.targets.items()
    )
    return Subject(spec, candidates, corpus, targets, where, _findings(spec, candidates))


def _target(
    spec: Spec,
    name: str,
    models: tuple[Source | Served | None, Source | None],
    candidates: Candidates,
) -> Target:
    source, base = models
    asked = source or base
    assert asked is not None
    tokenizer = asked.tokenizer if isinstance(asked, Served) else causal.load_tokenizer(asked)
    form = _form(spec.data, [model for model in models if model is not None])
    encoded = Encodings(tokenizer, candidates.records, form)
    met = _met(encoded, [model for model in models if isinstance(model, Source)])
    _refuse_silence(name, met, candidates.split)
    if source is not None and base is not None:
        sources.compare_tokenizers(source.name, base, encoded)
    known = (candidates.known_non_members, candidates.known_members)
    shots, member_shots = (encode(tokenizer, side, form) for side in known)
    attacks, left_out = threat.chosen(spec, _means(models, tokenizer, shots, member_shots))
    return Target(
        name,
        source,
        base,
        spec.targets[name].recipe,
        Encodings(tokenizer, _training(spec.targets[name], candidates), form),
        encoded,
        fingerprint(tokenizer),
        shots,
        member_shots,
        met,
        attacks,
        left_out,
        _as_met(met, candidates.records, form),
    )


def _means(
    models: tuple[Source | Served | None, Source | None],
    tokenizer: Any,
    shots: Sequence[Encoded],
    member_shots: Sequence[Encoded],
) -> Means:
    """What the attacker has to go by."""
    source, base = models
    context = min((size for size in map(_context, models) if size is not None), default=None)
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


def _context(model: Source | Served | None) -> int | None:
    """How many tokens a model can attend to, if it says."""
    if model is None:
        return None
    return model.context if isinstance(model, Served) else causal.context_length(model)


def _form(data: Data, models: Sequence[Source | Served]) -> Form:
    """How records become tokens: no longer than any of the models can attend to."""
    lengths = map(_context, models)
    limit = min([data.max_tokens, *(length for length in lengths if length is not None)])
    return Form(limit, data.packed, data.long)


def _training(target: TargetSpec, candidates: Candidates) -> Records:
    """The records that the target is to be trained on here; members that are known are members."""
    if target.trained_on == "control":
        return candidates.control
    if target.trained_on is None:
        return Records.of([])
    inside = candidates.records.take(np.flatnonzero(candidates.split.member))
    return inside + candidates.known_members


def _met(encoded: Encodings, models: Sequence[Source]) -> Met:
    """Lengths of all candidates, in one pass.

    Raises:
        ModelError: the tokenizer names a token that a model does not have.
    """
    sizes = {model.name: causal.vocabulary_size(model) for model in models}
    rows = []
    for place, one in enumerate(encoded):
        highest = int(one.ids.max(initial=0))
        small = next((name for name, size in sizes.items() if size and highest >= size), None)
        if small is not None:
            raise ModelError(
                f"{small}: the tokenizer gives {encoded.records[place].id} a token {highest}, but "
                f"this model knows only {sizes[small]}; put the tokenizer of this model into its "
                "folder"
            )
        damaged = lossy(encoded.tokenizer, one)
        rows.append((len(one.ids), int(one.scored.sum()), one.truncated, damaged))
    tokens, scored, truncated, damage = np.array(rows, dtype=np.int64).T
    return Met(tokens, scored, truncated.astype(bool), damage.astype(bool))


def _refuse_silence(name: str, met: Met, split: Split) -> None:
    """A side without a token to score leaves nothing to compare."""
    for side, chosen in (("members", split.member), ("non-members", ~split.member)):
        if not met.scored[chosen].any():
            raise DataError(
                f"targets.{name}: no record of the {side} has a token to score; give longer texts, "
                "or chats in which the assistant speaks"
            )


def _as_met(met: Met, records: Records, form: Form) -> tuple[Finding, ...]:
    """What the candidates' token sequences tell a reader to beware of."""
    short, damaged = (
        [record.id for record in records.take(np.flatnonzero(marks))]
        for marks in (met.scored < FEWEST_TOKENS, met.lossy)
    )
    cut = int(met.truncated.sum())
    found = (
        checks.near_empty(short, FEWEST_TOKENS),
        checks.truncated(cut, len(records), form.limit),
        checks.lossy(damaged),
    )
    return tuple(finding for finding in found if finding is not None)


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
