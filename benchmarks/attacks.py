"""Every attack against one leaky model: what it needs, what it finds, and what asking took.

    python benchmarks/attacks.py

The demo's fine-tuned model on the demo's quick data, with records that the attacker knows.
Nothing is reused. Prints a Markdown table and writes benchmarks/results/attacks.json.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from machine import keep

import nonmember as nm
from nonmember.audit import threat
from nonmember.audit.jobs import Job, Query, Train, Write
from nonmember.audit.language.plan import Plan, plan
from nonmember.audit.language.spec import Spec
from nonmember.audit.language.subject import Subject, inspect
from nonmember.audit.records import AttackResult
from nonmember.console.jobs import progress
from nonmember.evaluation.intervals import Interval
from nonmember.signals.catalogue import passes
from nonmember.signals.store import Store
from nonmember.verbs.audits import as_spec
from nonmember.verbs.specs import demo_spec

KNOWN, QUERIES = 12, 64
COLUMNS = ("attack", "access", "queries", "AUC", "TPR at 1 % FPR", "seconds of asking")


def spec() -> Spec:
    """The quick demo's leaky model alone; as many evaluated records, and known ones besides."""
    values = demo_spec(quick=True).model_dump()
    take, evaluation = values["data"]["take"], values["evaluation"]
    values["data"]["known"] = KNOWN
    values["data"]["take"] = {
        **take,
        "members": take["members"] + KNOWN,
        "non_members": take["non_members"] + KNOWN,
        "control": 0,
    }
    values["targets"] = {"leaky": values["targets"]["leaky"]}
    values["attacks"]["queries"] = QUERIES
    values["evaluation"] = {**evaluation, "fpr": (0.01,), "redraws": 0}
    return as_spec(values)


def row(one: AttackResult, seconds: float) -> dict[str, Any]:
    """What is kept of one attack."""
    return {
        "access": one.access,
        "queries": one.queries,
        "members": one.members,
        "non-members": one.non_members,
        "auc": _ends(one.auc),
        "tpr": {str(rate.fpr): _ends(rate.tpr) for rate in one.tpr},
        "seconds of asking": round(seconds, 1),
    }


def _ends(one: Interval) -> list[float]:
    return [round(end, 4) for end in (one.low, one.value, one.high)]


def asking(subject: Subject, todo: Plan, store: Store) -> dict[str, float]:
    """Seconds of all passes over models that each attack needs, as if it were alone.

    With what prepares the self-prompted reference, but without training the target.
    """
    seconds = {job.address: store.provenance(job.address)["seconds"] for job in todo.jobs}
    jobs = {job.address: job for job in todo.jobs}
    (target,) = subject.targets
    found = {}
    for attack in target.attacks:
        asked = passes(threat.needs_of(attack, target.attacks, subject.spec))
        spent = {job for one in asked for job in _needed(todo, target.name, one, jobs)}
        found[attack.name] = sum(seconds[address] for address in spent)
    return found


def _needed(
    todo: Plan, target: str, asked: tuple[Any, str], jobs: Mapping[str, Job]
) -> Iterator[str]:
    """Addresses of the jobs behind one pass: the queries, and what made the model they ask."""
    whose, signal = asked
    for address in todo.answers[target, whose, signal]:
        yield address
        query = jobs[address]
        if whose == "self" and isinstance(query, Query) and isinstance(query.model, Train):
            yield query.model.address
            yield from (one.address for one in query.model.materials if isinstance(one, Write))


def markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The table, strongest attack first."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS)]
    for name, one in sorted(rows.items(), key=lambda pair: -pair[1]["auc"][1]):
        rate = next((_shown(ends) for ends in one["tpr"].values()), "-")
        cells = (f"`{name}`", one["access"], one["queries"], _shown(one["auc"]), rate)
        lines.append((*map(str, cells), f"{one['seconds of asking']:.1f}"))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(ends: list[float]) -> str:
    low, value, high = ends
    return f"{value:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Audit, and keep the table with the machine's description."""
    asked = spec()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "store")
        results = nm.audit_spec(asked, Path(folder, "run"), store=store, observe=progress)
        subject = inspect(asked)
        seconds = asking(subject, plan(subject), Store(store))
    (target,) = results.targets
    rows = {one.name: row(one, seconds[one.name]) for one in target.attacks}
    found = {
        "target": target.description,
        "seed": asked.seed,
        "data": dict(results.data),
        "resamples": asked.evaluation.resamples,
        "attacks": rows,
        "left out": subject.targets[0].left_out,
    }
    keep("attacks", target.name, found)
    print(markdown(rows))


if __name__ == "__main__":
    main()
