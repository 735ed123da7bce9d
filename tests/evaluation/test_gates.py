"""Findings that take the evidence away: when, under which code, and no more often than chance."""

import numpy as np
import pytest

from nonmember.evaluation import gates
from nonmember.evaluation.intervals import Interval, detectable_auc

APART = Interval(0.51, 0.6, 0.69, 0.95)
FOUND = [
    (gates.calibrated(["a", "b"], 1), "E132", "error"),
    (gates.base_has_seen(APART), "E133", "error"),
    (gates.base_has_seen(Interval(0.3, 0.4, 0.49, 0.95)), "E133", "error"),
    (gates.too_near(11, 100), "E134", "error"),
    (gates.powerless(1.0, 5, 5), "E135", "error"),
    (gates.weak(0.8, 30, 30), "E136", "warning"),
    (gates.alarming(5, 20, 0.95), "E137", "error"),
]
SILENT = [
    gates.calibrated([], 0),
    gates.base_has_seen(Interval(0.5, 0.6, 0.7, 0.95)),
    gates.too_near(10, 100),
    gates.powerless(0.99, 5, 5),
    gates.weak(0.75, 30, 30),
    gates.alarming(4, 20, 0.95),
    gates.alarming(0, 0, 0.95),
]


@pytest.mark.parametrize(("finding", "code", "severity"), FOUND)
def test_every_gate_closes_under_its_code(finding, code, severity):
    assert (finding.code, finding.severity) == (code, severity)


@pytest.mark.parametrize("finding", SILENT)
def test_no_gate_closes_without_cause(finding):
    assert finding is None


def test_a_weak_audit_is_told_how_many_records_would_do():
    least = detectable_auc(30, 30)
    told = gates.weak(0.75 + 1e-9, 30, 30)
    assert told is not None
    (count,) = (int(word) for word in told.message.split() if word.isdigit() and int(word) > 80)
    again = detectable_auc(count, count)
    # The same reach, with so many of either side, is at 0.6.
    grown = 0.5 + (0.75 - 0.5) * (again - 0.5) / (least - 0.5)
    assert grown == pytest.approx(0.6, abs=0.002)


def test_a_control_as_it_should_be_is_hardly_ever_blamed():
    """Of 20 draws with alarms in a twentieth; two standard errors of 4,000 simulations."""
    alarms = np.random.default_rng(0).binomial(20, 0.05, size=4000)
    blamed = np.mean([gates.alarming(int(count), 20, 0.95) is not None for count in alarms])
    assert blamed <= gates.CERTAIN + 2 * np.sqrt(gates.CERTAIN * (1 - gates.CERTAIN) / 4000)
