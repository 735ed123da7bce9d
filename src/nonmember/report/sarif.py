"""A run's findings, and the conditions of a gate that were not passed, as SARIF 2.1.0."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from nonmember.audit.records import Results
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.codes import CODES
from nonmember.report.gate.outcomes import NAME, TEXT, Outcome, one_line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RUN = "the run"

Row = tuple[str, str, str, str]
"""Rule, level, whose, and what is said."""


def sarif(results: Results, outcomes: Sequence[Outcome], place: str) -> bytes:
    """A SARIF log: a rule for each finding's code and each condition, a result for each case.

    Findings keep their severity as their level; a condition that failed, could not be judged or
    has no evidence is an error. Which records a finding is about is left out.

    Args:
        results: the run.
        outcomes: of the gate.
        place: where ``results.json`` lies, as a path; relative to the repository, for services
            that show results beside files.
    """
    rows = [*_found(results), *_gated(outcomes)]
    rules = _rules(rows, outcomes)
    order = {rule["id"]: number for number, rule in enumerate(rules)}
    driver = {"name": "nonmember", "version": version("nonmember"), "rules": rules}
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_result(row, order[row[0]], place) for row in rows],
            }
        ],
    }
    return json.dumps(log, indent=1).encode() + b"\n"


def _found(results: Results) -> Iterator[Row]:
    for finding in results.findings:
        yield _finding(finding, RUN)
    for target in results.targets:
        for finding in target.findings:
            yield _finding(finding, target.name)


def _finding(finding: Finding, whose: str) -> Row:
    return finding.code, finding.severity, whose, finding.message


def _gated(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for one in outcomes:
        if one.state != "passed":
            yield _condition(one), "error", one.target, f"{one.state}: {one.why}"


def _condition(outcome: Outcome) -> str:
    return f"gate: {one_line(outcome.condition.text, TEXT)}"


def _rules(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What rows refer to, and conditions that passed: what was asked is told too."""
    levels = dict.fromkeys(map(_condition, outcomes), "error")
    levels |= {rule: level for rule, level, _, _ in rows}
    return [
        {
            "id": rule,
            "shortDescription": {"text": CODES.get(rule, rule)},
            "defaultConfiguration": {"level": level},
        }
        for rule, level in levels.items()
    ]


def _result(row: Row, rule: int, place: str) -> dict[str, Any]:
    code, level, whose, said = row
    name = one_line(whose, NAME)
    return {
        "ruleId": code,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": f"{name}: {one_line(said, TEXT)}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place)},
                    "region": {"startLine": 1},
                },
                "logicalLocations": [{"name": name}],
            }
        ],
        "partialFingerprints": {
            "nonmember/v1": hashlib.sha256(f"{code}\n{whose}\n{said}".encode()).hexdigest()
        },
    }
