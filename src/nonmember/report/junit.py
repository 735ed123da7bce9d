"""What a gate found, as JUnit XML: one test case for each condition on each target."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from nonmember.report.gate.outcomes import NAME, TEXT, Outcome, one_line

SAID = {"failed": "failure", "invalid": "error", "unjudged": "error"}
"""What is not judged is an error: consumers count what is skipped as passed."""


def junit(outcomes: Sequence[Outcome], title: str) -> bytes:
    """A ``testsuites`` document that CI services read.

    Args:
        outcomes: of the gate.
        title: of the run, the name of the suite.
    """
    counts = _counts(outcomes)
    root = Element("testsuites", {"name": "nonmember gate", **counts})
    suite = SubElement(root, "testsuite", {"name": one_line(title, NAME), **counts})
    for one in outcomes:
        place = {
            "classname": one_line(one.target, NAME),
            "name": one_line(one.condition.text, TEXT),
        }
        case = SubElement(suite, "testcase", {**place, "time": "0"})
        if one.state in SAID:
            about = {"type": one.state, "message": one_line(one.why, TEXT)}
            SubElement(case, SAID[one.state], about).text = one_line(one.line(), 2 * TEXT)
        else:
            SubElement(case, "system-out").text = one_line(one.line(), 2 * TEXT)
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    said = [SAID.get(one.state) for one in outcomes]
    return {
        "tests": str(len(said)),
        "failures": str(said.count("failure")),
        "errors": str(said.count("error")),
        "skipped": "0",
        "time": "0",
    }
