"""What became of each member in the training of a target, and what is seen of each kind."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from nonmember.audit.cases import Ground, within
from nonmember.audit.defended import ledger
from nonmember.audit.defended.choosing import by_exposure, referenced
from nonmember.audit.defended.ledger import RANK
from nonmember.audit.figures import figures
from nonmember.audit.jobs import Material, Plan, Protect, Train
from nonmember.audit.language.subject import Subject, Target
from nonmember.audit.records import ROLES, DefenseResult, RoleResult
from nonmember.audit.verdict import surest, tells
from nonmember.data.records import Records
from nonmember.defenses import registry
from nonmember.errors import RunError, UnresolvableError
from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.models.text import Encodings
from nonmember.seeds import derive
from nonmember.signals.store import Store
from nonmember.types import Scores

HELD_BACK = "held back"  # by early stopping, or never drawn by DP-SGD
Became = np.ndarray
"""The role of each candidate as a string; "" of non-members, or where nothing is known."""

Fate = tuple[str, str]
"""What became of a record, and by which defense."""


class Fates(NamedTuple):
    """Of each candidate, its role and the name of the defense that gave it; "" where none."""

    role: Became
    by: np.ndarray


def fates(target: Target, subject: Subject, todo: Plan, store: Store) -> Fates:
    """What became of each candidate, and by whom; all are "" where nothing was done to any."""
    member, digests = subject.candidates.split.member, subject.candidates.records.digests
    found = np.full((len(member), 2), "", dtype=object)
    if target.ledger is not None:
        found[member, 0] = target.ledger.of(digests[member])
        found[member, 1] = target.ledger.about["defense"]
    job = todo.trained.get(target.name)
    known = _by_digest(target, _trained(job, store)) if job is not None else {}
    for place in np.flatnonzero(member) if known else ():
        own = known.get(digests[place].tobytes(), ("", ""))
        found[place] = _exposing((tuple(found[place]), own))
    return Fates(found[:, 0].astype("<U9"), found[:, 1])


def _exposing(several: Sequence[Fate]) -> Fate:
    """The fate that counts: the one that exposes the record most."""
    return max(several, key=lambda one: RANK[one[0]])


def _by_digest(target: Target, trained: Sequence[Fate]) -> dict[bytes, Fate]:
    """Copies of one text count as the one that is most exposed."""
    records, found = target.training.records, dict[bytes, Fate]()
    assert isinstance(records, Records)
    for fate, mark in zip(trained, records.digests if trained else (), strict=True):
        key = mark.tobytes()
        found[key] = _exposing((found.get(key, ("", "")), fate))
    return found


def _trained(job: Train, store: Store) -> list[Fate]:
    """What became of each training record over all epochs; nothing where all are raw."""
    out = set(store.provenance(job.address).get(HELD_BACK, ()))
    if not out and not _protections(job):
        return []
    alike = {one.address if isinstance(one, Protect) else "": one for one in job.materials}
    epochs = (_left(_fates(one, store), out) for one in alike.values())
    return [_exposing(each) for each in zip(*epochs, strict=True)]


def _protections(job: Train) -> list[Protect]:
    """What protected its records, each once."""
    every = (one for one in job.materials if isinstance(one, Protect))
    return [*{one.address: one for one in every}.values()]


def _fates(material: Material, store: Store) -> list[Fate]:
    """What becomes of each training record, in their order, where this is trained on."""
    if isinstance(material, Protect):
        rows = ledger.table(store.folder(material.address) / ledger.LEDGER)
        named = rows["role"].to_pylist(), rows["defense"].to_pylist()
        return [*zip(*named, strict=True)]
    assert isinstance(material, Encodings)
    return [("raw", "")] * len(material)


def _left(every: Sequence[Fate], out: Set[int]) -> Iterator[Fate]:
    """Dropped are those, too, that are ``out`` by their place in what was left."""
    places = count()
    for fate in every:
        held = fate[0] != "dropped" and next(places) in out
        yield ("dropped", HELD_BACK) if held else fate


def ground_of(
    target: Target, subject: Subject, told: Sequence[DefenseResult], became: Fates
) -> Ground:
    """Who is judged, and by which attacks.

    Raises:
        RunError: no member is left.
    """
    split, there = subject.candidates.split, became.role != "dropped"
    if not (split.member & there).any():
        raise RunError(
            f"targets.{target.name}: every member was dropped from its training, so there is "
            "nothing to attack; drop fewer"
        )
    exposing = [one.name for one in told if by_exposure([one])]
    lost = int((~there & np.isin(became.by.astype(str), exposing)).sum())
    on_model = [one for one in target.attacks if one.family != "blind"]
    able = (one.name for one in on_model if not lost or referenced(one.needs))
    return Ground(there, within(split, there), lost, frozenset(able))


def by_role(
    target: Target, subject: Subject, scores: Mapping[str, Scores], roles: Became
) -> tuple[RoleResult, ...]:
    """Every attack's figures on the members of each role, against all non-members.

    Intervals that are simultaneous hold for all attacks on all roles at once.
    """
    split, ask = subject.candidates.split, subject.spec.evaluation
    there = [role for role in ROLES if (roles == role).any()]
    among = target.attacks * len(there)
    found = []
    for role in there:
        inside = ~split.member | (roles == role)
        rows = inside if role == "dropped" else roles != "dropped"  # as learned attacks were fitted
        part = within(split, rows)
        for attack in target.attacks:
            own = np.where(inside, scores[attack.name], np.nan)[rows]
            seed = derive(subject.spec.seed, attack.key, role)
            try:
                made = figures(attack, own, part, ask, among=among, seed=seed)
            except UnresolvableError:
                continue
            members = int((part.member & ~np.isnan(own)).sum())
            found.append(
                RoleResult(role, attack.name, members, made.auc, made.simultaneous, made.tpr)
            )
    return tuple(found)


def findings(
    target: Target, found: Sequence[RoleResult], roles: Became, *, chosen: bool
) -> list[Finding]:
    """What a reader must know of the members of each role.

    ``chosen`` says whether they have their roles for how exposed they are.
    """
    able = {
        one.name
        for one in target.attacks
        if one.family != "blind" and (referenced(one.needs) or not chosen)
    }
    judged = [one for one in found if one.attack in able]
    told: list[Finding | None] = [checks.roles_unjudged()] if found and not judged else []
    for role in (role for role in ROLES if role != "dropped"):
        best = surest(one for one in judged if one.role == role)
        if best is not None and tells(best):
            told.append(checks.exposed(role, best.members, best.attack, best.simultaneous))
    told.append(checks.kept_raw(int((roles == "kept").sum())))
    return [one for one in told if one is not None]


def defenses(
    target: Target, subject: Subject, todo: Plan, store: Store
) -> tuple[DefenseResult, ...]:
    """What each defense of a target's training did, over all of its epochs."""
    job = todo.trained.get(target.name)
    if job is None:
        return _elsewhere(target, subject)
    trained = _trained(job, store) or [("raw", "")] * len(target.training)
    work = _work(_protections(job), store)
    held_by = "dp_lora" if job.recipe.epsilon is not None else "early_stopping"
    found = []
    for one in subject.spec.targets[target.name].defenses:
        options = {**registry.get(one.name, "language").options, **one.options}
        if registry.get(one.name, "language").stage == "training":
            spent = store.provenance(job.address).get("privacy") if one.name == "dp_lora" else None
            roles = _counted(trained, HELD_BACK) if one.name == held_by else {}
            found.append(DefenseResult(one.name, "training", options, roles, spent=spent))
        else:
            found.append(_of_data(one.name, options, target, trained, work))
    return tuple(found)


def _counted(trained: Sequence[Fate], *by: str) -> dict[str, int]:
    """What became of the training records whose role these gave."""
    return dict(Counter(role for role, one in trained if one in by))


@dataclass(frozen=True)
class _Work:
    """What all protections of a training together took; ``about`` is what each says of it."""

    about: Sequence[Mapping[str, Any]]
    rejected: Mapping[str, int]

    def sum(self, name: str) -> Any:
        return sum(one[name] for one in self.about)


def _work(protections: Sequence[Protect], store: Store) -> _Work:
    failed: set[tuple[int, str]] = set()
    for one in protections:
        rows = ledger.table(store.folder(one.address) / ledger.LEDGER).to_pylist()
        for place, row in enumerate(rows):
            if row["attempts"] and row["role"] in ("kept", "dropped"):
                failed |= {(place, gate) for gate in row["failed"] or ["not rewritten"]}
    counts = Counter(gate for _, gate in sorted(failed))
    return _Work([store.provenance(one.address) for one in protections], counts)


def _of_data(
    name: str, options: Mapping[str, Any], target: Target, trained: Sequence[Fate], work: _Work
) -> DefenseResult:
    """What a defense did to the records before they were trained on."""
    found, protection = registry.get(name, "language"), target.protection
    if not work.about:  # it left all as it was
        return DefenseResult(name, found.stage, options, _counted(trained, ""))
    about = work.about[0]
    options = about["options"][name]
    by = protection and protection.selecting
    if by and "exposure" in found.needs:
        options = {**options, "selector": by.selector.name}
    roles, seconds = _counted(trained, name), work.sum("seconds")
    if not found.rewrites:
        return DefenseResult(name, found.stage, options, roles, seconds=seconds)
    to, attempts = about["sent to"], work.sum("attempts")
    return DefenseResult(
        name,
        found.stage,
        options,
        _counted(trained, name, ""),
        about["rewriter"],
        attempts,
        work.rejected,
        None if to is None else (to, attempts),
        work.sum("tokens read"),
        work.sum("tokens written"),
        seconds,
    )


def _elsewhere(target: Target, subject: Subject) -> tuple[DefenseResult, ...]:
    """Of a model trained elsewhere, what its ledger says of the members here."""
    if target.ledger is None:
        return ()
    marks = subject.candidates.records.digests[subject.candidates.split.member]
    roles = target.ledger.of(marks)
    there: dict[str, int] = {
        role: int((roles == role).sum()) for role in ROLES if (roles == role).any()
    }
    about = target.ledger.about
    return (DefenseResult(about["defense"], "data", about["options"], there, about["rewriter"]),)
