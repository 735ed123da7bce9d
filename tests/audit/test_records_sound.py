"""Results whose values cannot be so are refused where they stand."""

import json
from pathlib import Path
from typing import Any

import pytest
from report import sample, sample_classifier
from test_fuzzed import put

from nonmember.audit import records
from nonmember.errors import RunError

ATTACK = ("targets", 0, "attacks", 0)
JOB = ("provenance", "jobs", "train references of leaky 1-16")


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return json.loads(records.dump(sample_classifier.results()))


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        ((*ATTACK, "auc", "value"), "NaN", "attacks.0.auc is a share that is not between 0 and 1"),
        ((*ATTACK, "auc", "high"), "Infinity", "attacks.0.auc is a share"),
        ((*ATTACK, "simultaneous", "low"), 1.5, "attacks.0.simultaneous is a share"),
        ((*ATTACK, "curve", "fpr"), [], "attacks.0.curve is a curve of 0 and"),
        ((*ATTACK, "curve", "tpr", 1), "NaN", "curve has a point that is not between 0 and 1"),
        ((*ATTACK, "histogram", "edges"), [], "histogram has 30 and 30 bins between 0 edges"),
        ((*ATTACK, "members"), -4, "attacks.0.members is a count below 0"),
        ((*ATTACK, "non_members"), 0, "attacks.0.non_members is 0, and a figure is of some"),
        ((*ATTACK, "auc", "level"), 1, "attacks.0.auc has the level 1"),
        ((*ATTACK, "auc", "low"), 0.999, "attacks.0.auc begins at 0.999 and ends at"),
        (("targets", 0, "detectable_auc"), "NaN", "targets.0.detectable_auc is no figure"),
        ((*JOB, "seconds"), "NaN", "seconds"),
        ((*JOB, "accuracy"), ["NaN", 1.0], "accuracy"),
    ],
)
def test_what_cannot_be_so_is_refused_with_its_place(
    plain: dict[str, Any], tmp_path: Path, way: tuple[Any, ...], value: Any, said: str
) -> None:
    changed = put(plain, way, value)
    (tmp_path / "results.json").write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(RunError, match=r"results.json: damaged.*; run the audit again$") as told:
        records.load(tmp_path)
    assert said in str(told.value)


def test_the_mean_of_a_few_records_may_have_no_ends(tmp_path: Path) -> None:
    values = json.loads(records.dump(sample.results()))
    for end, infinite in (("low", "-Infinity"), ("high", "Infinity")):
        values = put(values, ("targets", 0, "fit", "members", end), infinite)
    (tmp_path / "results.json").write_text(json.dumps(values), encoding="utf-8")
    fit = records.load(tmp_path).targets[0].fit
    assert fit is not None and fit.members.high == float("inf")
