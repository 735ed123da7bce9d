"""What an audit is about: data read, models found, everything checked, nothing computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from nonmember import attacks as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import Attack, Family, get, of_families
from nonmember.audit.candidates import Candidates, read_candidates
from nonmember.audit.spec import Spec
from nonmember.audit.spec import Target as TargetSpec
from nonmember.data import texts
from nonmember.data.split import Split
from nonmember.data.texts import Record
from nonmember.errors import DataError, ModelError, SpecError, unknown
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.models import causal
from nonmember.models.causal import Placement
from nonmember.models.source import Source, locate
from nonmember.models.text import Encoded, encode
from nonmember.signals import language as _signals  # noqa: F401  (fills the catalogue)
from nonmember.signals.catalogue import load_plugins, queried
from nonmember.training.recipe import Recipe

load_plugins()
FAMILIES: tuple[Family, ...] = ("language", "blind")
FEWEST_TOKENS = 8
COMPARED = 200  # records on which two tokenizers must agree


@dataclass(frozen=True)
class Target:
    """A model to audit, and the candidates as it meets them.

    ``source`` is None where the model is still to be fine-tuned from ``base``.
    """

    name: str
    source: Source | None
    base: Source | None
    recipe: Recipe
    training: tuple[Encoded, ...]
    candidates: tuple[Encoded, ...]
    attacks: tuple[Attack, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Subject:
    """A spec together with everything it names."""

    spec: Spec
    candidates: Candidates
    targets: tuple[Target, ...]
    where: Placement
    findings: tuple[Finding, ...]


def inspect(spec: Spec) -> Subject:
    """Read and check all that ``spec`` names; whatever is wrong is raised here, before work.

    Raises:
        DataError, ModelError, SpecError: one sentence saying where, what, and what to do.
    """
    _check_attacks(spec)
    where = causal.placement(spec.compute.device, spec.compute.precision)
    sources = {name: _sources(name, target) for name, target in spec.targets.items()}
    candidates = read_candidates(spec.data, seed=spec.seed)
    targets = tuple(
        _target(spec, name, target, sources[name], candidates)
        for name, target in spec.targets.items()
    )
    return Subject(spec, candidates, targets, where, _findings(spec, candidates, targets))


def _asked(spec: Spec) -> list[Attack]:
    """The attacks that the spec names; all of the families, if it names none."""
    return [get(name, FAMILIES) for name in spec.attacks.run or of_families(FAMILIES)]


def _check_attacks(spec: Spec) -> None:
    """Unknown attacks and options fail before any file is opened."""
    asked = _asked(spec)
    if all(attack.family == "blind" for attack in asked):
        raise SpecError(
            "attacks.run: no attack on the model; add one, see `nonmember list attacks`"
        )
    for name in spec.attacks.options:
        if get(name, FAMILIES) not in asked:
            raise SpecError(f"attacks.options.{name}: the attack is not among those that run")
    for attack in asked:
        options_of(attack, spec)


def _sources(name: str, target: TargetSpec) -> tuple[Source | None, Source | None]:
    """The target's model, if it is there, and its base."""
    if target.model is None:
        start = locate(str(target.base))
        if start.base is not None:
            raise ModelError(
                f"targets.{name}: {start.name} is an adapter, which cannot be trained further; "
                "merge it into a folder first"
            )
        return None, start
    source = locate(target.model, base=target.base)
    if source.base is not None:
        return source, source.base
    base = locate(target.base) if target.base is not None else None
    if base is not None and base.digest == source.digest:
        raise ModelError(
            f"targets.{name}: model and base are the same; name what it was tuned from"
        )
    return source, base


def _target(
    spec: Spec,
    name: str,
    target: TargetSpec,
    sources: tuple[Source | None, Source | None],
    candidates: Candidates,
) -> Target:
    source, base = sources
    asked = source or base
    assert asked is not None
    tokenizer = causal.load_tokenizer(asked)
    lengths = [causal.context_length(model) for model in (source, base) if model is not None]
    limit = min([spec.data.max_tokens, *(length for length in lengths if length is not None)])
    encoded = encode(tokenizer, candidates.records, limit=limit)
    _refuse_unknown_tokens(asked, encoded)
    _refuse_silence(name, encoded, candidates.split)
    if source is not None and base is not None:
        _compare_tokenizers(source, base, tokenizer, candidates.records, encoded)
    chosen, left_out = _attacks(spec, has_base=base is not None)
    control = encode(tokenizer, candidates.control, limit=limit)
    members = tuple(
        one for one, inside in zip(encoded, candidates.split.member, strict=True) if inside
    )
    training = {"members": members, "control": control, None: ()}[target.trained_on]
    return Target(name, source, base, target.recipe, training, encoded, chosen, left_out)


def _refuse_unknown_tokens(asked: Source, encoded: Sequence[Encoded]) -> None:
    """A tokenizer that is not the model's own may name tokens that the model does not have."""
    size = causal.vocabulary_size(asked)
    highest = max((int(one.ids.max()) for one in encoded if len(one.ids)), default=0)
    if size is not None and highest >= size:
        raise ModelError(
            f"{asked.name}: its tokenizer gives token {highest}, but the model knows only {size}; "
            "put the model's own tokenizer into its folder"
        )


def _refuse_silence(name: str, encoded: Sequence[Encoded], split: Split) -> None:
    """A side without a token to score leaves nothing to compare."""
    speaks = np.array([one.scored.any() for one in encoded])
    for side, chosen in (("members", split.member), ("non-members", ~split.member)):
        if not speaks[chosen].any():
            raise DataError(
                f"targets.{name}: no record of the {side} has a token to score; give longer texts, "
                "or chats in which the assistant speaks"
            )


def _compare_tokenizers(
    source: Source,
    base: Source,
    tokenizer: Any,
    records: Sequence[Record],
    encoded: Sequence[Encoded],
) -> None:
    """Token by token comparison needs one tokenizer; refuse a base that cuts texts otherwise."""
    other = causal.load_tokenizer(base)
    other.chat_template = tokenizer.chat_template  # the base meets chats as the target does
    for record, mine in zip(records[:COMPARED], encoded, strict=False):
        (theirs,) = encode(other, [record], limit=max(1, len(mine.ids)))
        if not np.array_equal(mine.ids, theirs.ids):
            raise ModelError(
                f"{base.name}: its tokenizer cuts {record.id} into other tokens than that of "
                f"{source.name}; name the base that the target was fine-tuned from"
            )


def _attacks(spec: Spec, *, has_base: bool) -> tuple[tuple[Attack, ...], dict[str, str]]:
    """The attacks to run, and why each other one of the families cannot."""
    asked = _asked(spec)
    unable = (
        [] if has_base else [a for a in asked if any(q.whose == "base" for q in queried(a.needs))]
    )
    why = "it compares with the base model; name it with --base"
    if unable and spec.attacks.run is not None:
        raise SpecError(f"attack {unable[0].name!r} cannot run: {why}, or leave the attack out")
    chosen = tuple(attack for attack in asked if attack not in unable)
    return chosen, {attack.name: why for attack in unable}


def _findings(spec: Spec, candidates: Candidates, targets: Sequence[Target]) -> tuple[Finding, ...]:
    """What the data alone tell a reader to beware of."""
    ids = [record.id for record in candidates.records]
    copies: list[str] = []
    for side in (candidates.split.member, ~candidates.split.member):
        own = [candidates.records[i] for i in np.flatnonzero(side)]
        copies += [own[i].id for i in texts.duplicates(own)]
    encoded = targets[0].candidates
    short = [ids[i] for i, one in enumerate(encoded) if one.scored.sum() < FEWEST_TOKENS]
    cut = sum(one.truncated for one in encoded)
    found = (
        checks.duplicates(copies),
        checks.near_empty(short, FEWEST_TOKENS),
        *(
            checks.resolution(fpr, int((~candidates.split.member).sum()))
            for fpr in spec.evaluation.fpr
        ),
        checks.truncated(cut, len(ids), max((len(one.ids) for one in encoded), default=0)),
    )
    return tuple(finding for finding in found if finding is not None)


def options_of(attack: Attack, spec: Spec) -> dict[str, Any]:
    """The attack's options as this audit sets them, under its short or its full name.

    Raises:
        SpecError: an option that the attack does not have, or a value that it cannot take.
    """
    given = {
        option: value
        for name in (attack.name, attack.key)
        for option, value in spec.attacks.options.get(name, {}).items()
    }
    return {**attack.options, **{o: _value(attack, o, value) for o, value in given.items()}}


def _value(attack: Attack, option: str, value: Any) -> Any:
    where = f"attacks.options.{attack.name}"
    if option not in attack.options:
        raise SpecError(f"{where}: {unknown('option', option, attack.options)}")
    kind = signature(attack.score, eval_str=True).parameters[option].annotation
    if kind is Parameter.empty:
        return value
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise SpecError(f"{where}.{option}: {said} (got {value!r}); mend it there") from None
