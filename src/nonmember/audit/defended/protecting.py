"""Carrying a protection out: which records are exposed, what becomes of each, and the ledger."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from nonmember.audit.defended import ledger
from nonmember.audit.defended.protection import Protection, Rewriting, Step
from nonmember.audit.jobs import Plan, Protect, Selection
from nonmember.audit.language.answers import Answers
from nonmember.audit.language.facts import Facts
from nonmember.data import texts
from nonmember.data.records import Record, Records, digest_of, spoken
from nonmember.defenses.language.roles import DROP, RAW, REWRITE, Roles
from nonmember.errors import RunError
from nonmember.models import causal, embedding
from nonmember.models.text import Form, encode
from nonmember.rewriting.attempts import Outcome, Tools, accepted
from nonmember.rewriting.cache import Cache
from nonmember.rewriting.measures import Nats
from nonmember.seeds import derive
from nonmember.signals.language import token_statistics
from nonmember.signals.ragged import mean
from nonmember.signals.store import REWRITES, Store
from nonmember.types import Scores

TRAINED = "records.arrow"
NAMES = {RAW: "raw", REWRITE: "rewritten", DROP: "dropped"}
Told = Callable[[int], None]


def carry_out(job: Protect, store: Store, folder: Path, told: Told) -> dict[str, Any]:
    """Write what is to be trained on, and the ledger, to a folder.

    Returns:
        What may be told of it: counts, by role, by defense and by gate.

    Raises:
        RunError: no record is left to train on.
    """
    exposure = _exposure(job.selection, job.protection, store) if job.selection else None
    roles, by = _decided(job.protection.steps, job.records, exposure)
    outcomes = _rewritten(job, np.flatnonzero(roles == REWRITE), store, told)
    rows = _rows(job, roles, by, exposure, outcomes)
    if all(row["role"] == "dropped" for row in rows):
        raise RunError(
            f"{job.label}: none of {len(rows)} records is left to train on; rewrite or drop fewer, "
            'or set other limits, or on_reject = "keep_raw"'
        )
    ledger.write(folder / ledger.LEDGER, rows, _about(job.protection))
    Records.of(_left(job.records, rows, outcomes)).save(folder / TRAINED)
    return _told(job, rows, outcomes)


def _left(
    records: Records, rows: Sequence[Mapping[str, Any]], outcomes: Mapping[int, Outcome]
) -> Iterator[Record]:
    """The records that are trained on, in their order, as they are trained on."""
    for place, (record, row) in enumerate(zip(records, rows, strict=True)):
        new = outcomes[place].content if row["role"] == "rewritten" else None
        if row["role"] != "dropped":
            yield record if new is None else replace(record, content=new)


def trained(folder: Path) -> Records:
    """The records that a protection left to be trained on."""
    return Records.load(folder / TRAINED)


def _exposure(selection: Selection, protection: Protection, store: Store) -> Scores:
    """How exposed each record is, larger is more, by what the warm-up answered."""
    target, how = selection.target, protection.selecting
    assert how is not None
    done = Plan((), {target.name: selection.shards}, selection.answers, {})
    found = np.full(len(target.candidates), np.nan)
    for rows, fetch in Answers(target, Facts(target, None), done, store).shards():
        given = dict(how.options)
        if "seed" in given:  # or each shard would have the same draws
            given["seed"] = derive(given["seed"], rows.start) % 2**32
        found[rows] = how.selector.score(*map(fetch, how.selector.needs), **given)
    return found


def _decided(
    steps: Sequence[Step], records: Records, exposure: Scores | None
) -> tuple[Roles, list[str]]:
    """Each record's role, and the defense that gave it; every defense sees what is still raw."""
    roles, by = np.full(len(records), RAW, dtype=np.int8), np.full(len(records), "", dtype=object)
    for step in (step for step in steps if not step.idle):
        rest = np.flatnonzero(roles == RAW)
        left = None if exposure is None else exposure[rest]
        needed = (_needed(name, records.take(rest), left) for name in step.defense.needs)
        roles[rest] = step.defense.apply(*needed, **step.options)
        by[rest[roles[rest] != RAW]] = step.defense.name
    return roles, by.tolist()


def _needed(name: str, records: Records, exposure: Scores | None) -> Scores | list[str]:
    """What a defense asks for by this name, an entry per record."""
    if name == "exposure":
        return np.zeros(len(records)) if exposure is None else exposure
    if name == "texts":
        return [record.plain() for record in records]
    return ["\n".join(spoken(record.content)) for record in records]


def _rewritten(job: Protect, places: np.ndarray, store: Store, told: Told) -> dict[int, Outcome]:
    """What became of each record that is to be rewritten, by its place."""
    how = job.protection.rewriting
    if how is None or not len(places):
        return {}
    tools = Tools(
        embed=embedding.load_embedder(job.where.device).embed,
        nats=_base_nats(job) if how.limits.fluency is not None else None,
        cache=Cache(store.root / REWRITES),
        taken=frozenset(one.tobytes() for one in texts.digests(job.records)),
    )
    found = accepted(
        [record.content for record in job.records.take(places)],
        how.rewriter,
        how.limits,
        secret=job.secret,
        attempts=how.attempts,
        tools=tools,
        watch=told,
    )
    return dict(zip(places.tolist(), found, strict=True))


def _base_nats(job: Protect) -> Nats:
    """Mean nats per token of texts under the base model, which is read once."""
    model = causal.load(job.base, job.where)

    def nats(some: Sequence[str]) -> np.ndarray:
        form = Form(job.encoded.form.limit)
        encoded = encode(model.tokenizer, [Record("", text) for text in some], form)
        return -mean(token_statistics(model, encoded)["token_logprobs"])

    return nats


def _rows(
    job: Protect,
    roles: Roles,
    by: Sequence[str],
    exposure: Scores | None,
    outcomes: Mapping[int, Outcome],
) -> list[dict[str, Any]]:
    """The ledger, a row for each record."""
    key = ledger.key_of(job.secret)
    how, rows = job.protection.rewriting, []
    for place, (record, mark) in enumerate(zip(job.records, job.records.digests, strict=True)):
        outcome = outcomes.get(place)
        role = NAMES[int(roles[place])] if outcome is None else _became(outcome, how)
        raw = ledger.keyed(key, mark.tobytes())
        new = outcome.content if outcome is not None and role == "rewritten" else None
        now = raw if new is None else ledger.keyed(key, digest_of(new))
        rows.append(
            {
                "record": record.id,
                "role": role,
                "defense": by[place],
                "exposure": None if exposure is None else float(exposure[place]),
                "attempts": outcome.attempts if outcome else 0,
                "failed": list(outcome.failed) if outcome else [],
                "why": outcome.why if outcome else "",
                "raw": raw,
                "trained": None if role == "dropped" else now,
                "measures": _measures(outcome),
            }
        )
    return rows


def _became(outcome: Outcome, how: Rewriting | None) -> str:
    """The role of a record that was to be rewritten."""
    if outcome.content is not None:
        return "rewritten"
    return "kept" if how is not None and how.on_reject == "keep_raw" else "dropped"


def _measures(outcome: Outcome | None) -> str | None:
    if outcome is None or outcome.measures is None:
        return None
    found = asdict(outcome.measures)
    unmeasured = {
        name: None for name, one in found.items() if isinstance(one, float) and isnan(one)
    }
    return json.dumps({**found, **unmeasured})


def _about(protection: Protection) -> dict[str, Any]:
    """What an auditor of the model must know to attack it as well as can be."""
    how, by = protection.rewriting, protection.selecting
    options = {name: value for step in protection.steps for name, value in step.options.items()}
    return {
        "defense": ", ".join(step.defense.name for step in protection.steps),
        "options": {**options, **({"selector": by.selector.name} if by else {})},
        "rewriter": how and how.rewriter.name,
        "how": how and dict(how.options),
    }


def _told(
    job: Protect, rows: Sequence[Mapping[str, Any]], outcomes: Mapping[int, Outcome]
) -> dict[str, Any]:
    """What may be told: counts and settings, of nobody in particular."""
    how = job.protection.rewriting
    rejected = Counter(gate for one in outcomes.values() for gate in _failed(one))
    return {
        "records": len(rows),
        "copies": len(texts.duplicates(job.records)),
        "roles": dict(Counter(row["role"] for row in rows)),
        "by": {
            step.defense.name: dict(
                Counter(row["role"] for row in rows if row["defense"] == step.defense.name)
            )
            for step in job.protection.steps
        },
        "options": {step.defense.name: dict(step.options) for step in job.protection.steps},
        "rewriter": how and how.rewriter.name,
        "limits": how and asdict(how.limits),
        "to rewrite": len(outcomes),
        "accepted": sum(one.content is not None for one in outcomes.values()),
        "attempts": sum(one.attempts for one in outcomes.values()),
        "rejected": dict(rejected),
        "sent to": how and how.rewriter.sends_to,
        "tokens read": sum(one.tokens_read for one in outcomes.values()),
        "tokens written": sum(one.tokens_written for one in outcomes.values()),
    }


def _failed(outcome: Outcome) -> tuple[str, ...]:
    """The gates that a rejected record's last rewrite failed, or that there was none."""
    if outcome.content is not None:
        return ()
    return outcome.failed or ("not rewritten",)
