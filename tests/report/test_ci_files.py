"""JUnit and SARIF of a gate: what their readers need is there, whatever foreign names hold."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from report import sample

from nonmember.audit.records import Results
from nonmember.evaluation import codes
from nonmember.evaluation.checks import Finding
from nonmember.report.gate.conditions import parse
from nonmember.report.gate.outcomes import Outcome, judge
from nonmember.report.junit import junit
from nonmember.report.sarif import sarif

CONDITIONS = ("auc ci_low > 0.6", "tpr@fpr=0.001 > 0.1", "auc > 0.9999")
HOSTILE = "]]></failure><x a='\"&\x00\x1b\ufffe\u202e\n" + "y" * 100_000

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
RULE = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "shortDescription": TEXT,
        "defaultConfiguration": {"type": "object", "properties": {"level": LEVEL}},
    },
    "additionalProperties": False,
}
LOCATION = {
    "type": "object",
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "properties": {"uri": {"type": "string", "pattern": "^[A-Za-z0-9._~/%-]+$"}},
                },
                "region": {
                    "type": "object",
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": TEXT,
        "locations": {"type": "array", "items": LOCATION, "minItems": 1},
        "partialFingerprints": {
            "type": "object",
            "additionalProperties": {"type": "string"},
        },
    },
    "additionalProperties": False,
}
SARIF = {  # what SARIF 2.1.0 requires of the parts that are written
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"rules": {"type": "array", "items": RULE}},
                            }
                        },
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {"type": "array", "items": RESULT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


@cache
def hostile() -> Results:
    finding = Finding("E102", "warning", HOSTILE, ("a secret id",))
    base = replace(sample.leaky(), name=HOSTILE, findings=(finding,))
    return replace(sample.results(base, sample.clean()), title=HOSTILE, findings=())


def outcomes(results: Results) -> tuple[Outcome, ...]:
    return judge([parse(text) for text in CONDITIONS], results)


@pytest.mark.parametrize("results", [sample.results(), hostile()], ids=["plain", "hostile"])
def test_junit_has_a_case_for_each_condition_on_each_target(results: Results) -> None:
    found = outcomes(results)
    content = junit(found, results.title)
    root = ElementTree.fromstring(content)
    (suite,) = root
    cases = list(suite)
    assert [case.get("name") for case in cases] == [one.condition.text for one in found]
    states = ["passed" if case[0].tag == "system-out" else case[0].get("type") for case in cases]
    assert states == [one.state for one in found]
    assert set(states) == {"failed", "unjudged", "passed"}
    tags = [case[0].tag for case in cases]
    for element in (root, suite):
        counts = [element.get(name) for name in ("tests", "failures", "errors", "skipped")]
        numbers = (len(cases), tags.count("failure"), tags.count("error"), 0)
        assert counts == list(map(str, numbers))
    assert len(content) < 20_000 and b"\x1b" not in content and b"secret" not in content


@pytest.mark.parametrize("results", [sample.results(), hostile()], ids=["plain", "hostile"])
def test_sarif_has_what_its_schema_requires(results: Results) -> None:
    content = sarif(results, outcomes(results), "runs/my run/results.json")
    log = json.loads(content)
    jsonschema.validate(log, SARIF)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for one in run["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["message"]["text"].isprintable() and len(one["message"]["text"]) < 1000
    assert b"secret" not in content


def levels(log: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in log["runs"][0]["results"]:
        found.setdefault(one["ruleId"], []).append(one["level"])
    return found


def test_findings_and_what_was_not_passed_are_results_with_their_level() -> None:
    results = sample.results()
    found = levels(json.loads(sarif(results, outcomes(results), "results.json")))
    for finding in (*results.findings, *results.targets[0].findings):
        assert finding.severity in found[finding.code]
    assert found["gate: auc ci_low > 0.6"] == ["error"]  # of the leaky model alone
    assert found["gate: tpr@fpr=0.001 > 0.1"] == ["error", "error"]
    assert "gate: auc > 0.9999" not in found


def test_a_code_is_explained_wherever_its_finding_is_made() -> None:
    alarm = Finding("E131", "error", "the claim is refuted")
    results = replace(sample.results(), findings=(alarm,))
    log = json.loads(sarif(results, (), "results.json"))
    rules = {rule["id"]: rule for rule in log["runs"][0]["tool"]["driver"]["rules"]}
    told = rules["E131"]["shortDescription"]["text"]
    assert told == "a model has shown more than its claimed privacy allows"
    assert rules["E102"]["shortDescription"]["text"].startswith("records whose text stands")


def test_every_code_that_a_finding_may_have_is_explained() -> None:
    source = Path(codes.__file__).parents[1]
    used = {
        code
        for path in source.rglob("*.py")
        if path != Path(codes.__file__)
        for code in re.findall(r'Finding\(\s*"(E\d+)"', path.read_text("utf-8"))
    }
    assert {"E101", "E126", "E127", "E139"} < used
    assert used == set(codes.CODES)
