"""Finished runs by hand: scores of a planted leak, the figures of them, and the folder of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from report import sample_classifier as classifier

from nonmember.audit import records
from nonmember.audit.comparing import Side
from nonmember.audit.records import AttackResult, TargetResult
from nonmember.data.split import Split
from nonmember.evaluation import roc
from nonmember.types import Scores

FPRS = (0.1,)
ATTACKS = ("loss", "entropy", "lira_offline")


def split(n: int) -> Split:
    """So many members, then as many others, each a group of its own."""
    return Split(np.arange(2 * n) < n, np.arange(2 * n))


def scores(
    n: int, leak: float, *, seed: int, shared: float = 0.8, attacks: Sequence[str] = ATTACKS
) -> dict[str, Scores]:
    """Of each attack; members score ``leak`` higher, and records go together between models."""
    common = np.random.default_rng([seed, 0]).normal(size=2 * n)
    rng = np.random.default_rng([seed, 1 + int(1000 * leak)])
    return {
        name: np.sqrt(shared) * common
        + np.sqrt(1 - shared) * rng.normal(size=2 * n)
        + leak * split(n).member
        for name in attacks
    }


def attack(name: str, own: Scores, at: Split) -> AttackResult:
    """The figures of these scores, quickly."""
    plain = replace(classifier.leaky().attacks[0], name=name, needs=("logits",), access="scores")
    there = ~np.isnan(own)
    values, member, group = own[there], at.member[there], at.group[there]
    drawn = roc.bootstrap(values, member, group, fprs=FPRS, times=20)
    return replace(
        plain,
        auc=roc.auc(values, member),
        simultaneous=roc.auc(values, member, level=0.99),
        tpr=tuple(roc.tpr_at_fpr(values, member, drawn, fpr=fpr) for fpr in FPRS),
        members=int(member.sum()),
        non_members=int((~member).sum()),
    )


def side(name: str, own: Mapping[str, Scores], at: Split, **change: Any) -> Side:
    """A target of which these attacks found what their scores say."""
    attacks = tuple(attack(each, values, at) for each, values in own.items())
    strongest = max(attacks, key=lambda one: one.simultaneous.low).name
    found = replace(classifier.leaky(), name=name, attacks=attacks, strongest=strongest, **change)
    return Side(found, own)


def folder(
    place: Path,
    sides: Sequence[Side],
    at: Split,
    *,
    keys: Mapping[str, Sequence[Any]] | None = None,
    order: np.ndarray | None = None,
    **change: Any,
) -> Path:
    """A run's folder, its records in this order; ``keys`` are ids and digests of one's own."""
    targets: list[TargetResult] = [one.found for one in sides]
    (place / "private").mkdir(parents=True)
    plain = classifier.results(*targets)
    sizes = {"members": int(at.member.sum()), "non-members": int((~at.member).sum())}
    results = replace(plain, **{"data": {**plain.data, **sizes}, **change})
    (place / "results.json").write_bytes(records.dump(results))
    (place / "report.html").write_text(f"<!doctype html><title>{len(sides)}</title>page")
    n = len(at.member)
    columns: dict[str, Any] = {
        "record": [f"secret-id-{i}" for i in range(n)],
        "digest": [f"{i:032x}" for i in range(n)],
        **(keys or {}),
        "group": at.group,
        "member": at.member,
        "label": np.zeros(n, dtype=np.int64),
    }
    columns |= {
        f"{one.found.name}.{name}": own for one in sides for name, own in one.scores.items()
    }
    table = pa.table(columns)
    pq.write_table(table.take(np.arange(n) if order is None else order), place / PARQUET)
    return place


PARQUET = Path("private") / "records.parquet"
