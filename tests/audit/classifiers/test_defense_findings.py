"""What is told of defenses that are set by too few, or dearly paid for."""

from pathlib import Path

import numpy as np
import pytest

import nonmember as nm
from nonmember.audit.classifiers.defense_findings import costly, few_to_learn_by
from nonmember.evaluation.intervals import Interval

MLP = {
    "trained_on": "members",
    "architecture": "mlp",
    "options": {"width": 32, "depth": 1},
    "recipe": {"epochs": 30, "learning_rate": 0.01},
}
MEMGUARD = {"name": "memguard", "options": {"epochs": 2}}
AT_CHANCE = {"name": "relaxloss", "options": {"level": 2.2}}
SPEC = {
    "kind": "classifier",
    "data": {
        "pool": "noisy-digits",
        "take": {"members": 100, "non_members": 100},
        "calibration": 0.2,
        "population": 0,
    },
    "targets": {
        "bare": MLP,
        "noisy": {**MLP, "defenses": [MEMGUARD]},
        "weak": {**MLP, "defenses": [AT_CHANCE]},
    },
    "references": {"count": 0},
    "attacks": {"run": ["loss"]},
    "evaluation": {"fpr": [0.1], "resamples": 200, "redraws": 0},
}


@pytest.mark.parametrize(("members", "others", "found"), [(100, 100, 0), (99, 400, 1), (300, 5, 1)])
def test_either_side_can_be_too_few_to_learn_by(members: int, others: int, found: int) -> None:
    told = [*few_to_learn_by("memguard", members, others)]
    assert len(told) == found
    for one in told:
        assert (one.code, one.severity) == ("E138", "warning")
        assert f"from {members} of them and {others} non-members" in one.message
        assert "data.calibration, until 100 of either side" in one.message


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ((-0.3, -0.2, -0.1), 1),
        ((-0.09, -0.04, -0.01), 0),
        ((-0.2, -0.09, 0.01), 0),
        ((0, 0.1, 1), 0),
    ],
)
def test_what_costs_more_than_five_points_for_sure_is_told(
    change: tuple[float, float, float], found: int
) -> None:
    told = [*costly("weak", "bare", Interval(*map(float, change), 0.95))]
    assert len(told) == found
    for one in told:
        assert (one.code, one.severity) == ("E139", "warning")
        assert "about 20.0 points fewer of the non-members than bare" in one.message
        assert "(95% interval 10.0 to 30.0)" in one.message


def test_an_audit_tells_it_of_the_target_that_it_is_about(tmp_path: Path) -> None:
    results = nm.audit_spec(SPEC, tmp_path / "run", store=tmp_path / "store")
    told = {
        target.name: {one.code: one.message for one in target.findings}
        for target in results.targets
    }
    assert not {"E138", "E139"} & told["bare"].keys()
    assert "memguard learns what tells members from 20 of them and 20" in told["noisy"]["E138"]
    assert "E139" not in told["noisy"] and "E138" not in told["weak"]
    bare, weak = (
        one.classifier.accuracy.value
        for one in results.targets
        if one.name != "noisy" and one.classifier
    )
    change = next(one for one in results.targets if one.name == "weak").classifier.accuracy_change
    ends = f"(95% interval {-100 * change.high:.1f} to {-100 * change.low:.1f})"
    assert f"about {100 * (bare - weak):.1f} points fewer" in told["weak"]["E139"]
    assert ends in told["weak"]["E139"]  # which is the page's own
    assert np.isfinite([bare, weak]).all() and bare - weak > 0.05
