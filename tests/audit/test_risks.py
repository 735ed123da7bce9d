"""What the strongest attack means: written with every audit, and true to its figures."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import digits
import numpy as np
import pytest

import nonmember as nm
from nonmember.audit import people, records
from nonmember.audit.cases import Ground
from nonmember.audit.classifiers.candidates import Sides, none_of
from nonmember.audit.classifiers.spec import ClassifierSpec
from nonmember.audit.classifiers.subject import Given, inspect
from nonmember.audit.parts import checked
from nonmember.audit.records import Results
from nonmember.data.examples import Examples, of
from nonmember.data.split import Split
from nonmember.evaluation.intervals import clopper_pearson
from nonmember.evaluation.nearness import near_duplicates
from nonmember.report import page
from nonmember.report.attackers import attacker


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("risks")
    evaluation = {**digits.EVALUATION, "priors": [0.25]}
    settings = {
        "attacks": {"run": ["loss", "gap"]},
        "evaluation": evaluation,
        "references": {"count": 0},
    }
    run = folder / "run"
    found = nm.audit_classifier(
        digits.leaky(), *digits.sides(), run, store=folder / "store", settings=settings
    )
    return found, run


def test_flags_are_worth_what_the_rates_and_the_prior_say(finished: tuple[Results, Path]) -> None:
    (target,) = finished[0].targets
    risk = target.risk
    assert risk is not None and risk.attack == target.strongest
    best = next(one for one in target.attacks if one.name == target.strongest)
    rate = best.tpr[0]
    assert [one.prior for one in risk.flags] == [0.5, 0.25, 0.1, 0.01]
    for one in risk.flags:
        right = one.prior * rate.tpr.value
        wrong = (1 - one.prior) * rate.measured_fpr.value
        assert one.ppv is not None and one.ppv.value == pytest.approx(right / (right + wrong))
        assert one.found.low == pytest.approx(1000 * one.prior * rate.simultaneous.low)
        false = clopper_pearson(
            round(rate.measured_fpr.value * rate.non_members),
            rate.non_members,
            level=rate.simultaneous.level,
        )
        assert false.high > rate.measured_fpr.high
        right, wrong = one.prior * rate.simultaneous.low, (1 - one.prior) * false.high
        assert one.ppv.low == pytest.approx(right / (right + wrong))


def test_slices_too_small_are_said_to_be_untested(finished: tuple[Results, Path]) -> None:
    risk = finished[0].targets[0].risk
    assert risk is not None and risk.worst is None and risk.tested == 0
    assert set(risk.untested) == {f"class {number}" for number in range(digits.CLASSES)}


def test_a_bound_of_observed_records_is_exploratory(finished: tuple[Results, Path]) -> None:
    bound = finished[0].targets[0].risk
    assert bound is not None and bound.bound is not None
    assert bound.bound.valid == "descriptive" and "not a DP bound" in str(bound.bound)


def test_it_is_on_the_page_and_read_back(finished: tuple[Results, Path]) -> None:
    results, run = finished
    assert records.load(run) == results
    shown = (run / "report.html").read_text(encoding="utf-8")
    assert "What that means for people" in shown and "exploratory, not a DP bound" in shown


def test_a_page_without_it_still_reads(finished: tuple[Results, Path], tmp_path: Path) -> None:
    results = finished[0]
    old = replace(results, targets=tuple(replace(one, risk=None) for one in results.targets))
    page.write(old, tmp_path / "report.html", None)
    assert "What that means for people" not in (tmp_path / "report.html").read_text()


def test_of_persons_only_counts_may_be_shared_and_the_rest_is_private() -> None:
    asked = SimpleNamespace(seed=0)
    split = Split(np.arange(240) < 120, np.arange(240) // 4)
    subject = SimpleNamespace(
        spec=asked, candidates=SimpleNamespace(split=split, ids=list), grouped=True, private=False
    )
    ground = Ground(np.ones(240, dtype=bool), split, 0, frozenset({"loss"}))
    scores = np.random.default_rng(0).normal(size=240) + 4.0 * (split.group < 10)
    found = people.at_risk(scores, subject, ground)
    assert found is not None and (found.members, found.non_members) == (30, 30)
    assert len(found.above) == people.SHOWN and found.above == (0,) * 10
    own = people.columns(scores, subject, ground)
    surest = np.unique(split.group[own["person"] >= np.sort(own["person"])[-40]])
    assert surest.tolist() == list(range(10))
    assert (own["person_q"][split.group < 10] <= own["person_q"][split.group > 30].min()).all()
    assert people.columns(np.full(240, np.nan), subject, ground) == {}


def test_beside_the_strongest_attack_stands_who_can_do_it(finished: tuple[Results, Path]) -> None:
    results, (target,) = finished[0], finished[0].targets
    told = attacker(results, target)
    assert told is not None and told.startswith(f"{target.strongest} is within reach of whoever")
    count = digits.MEMBERS + digits.OTHERS * 4 // 5
    assert f"1 query per record to it, {count} queries for all candidates" in told
    assert "trains models" not in told
    best = next(one for one in target.attacks if one.name == target.strongest)
    compared = replace(target, attacks=(replace(best, needs=("ref_logits",)),))
    assert "and trains models of the same kind" in str(attacker(results, compared))
    page_text = (finished[1] / "report.html").read_text(encoding="utf-8")
    assert "is within reach of whoever" in page_text


def _sides() -> Sides:
    inside, outside = (
        of(*side, name=name) for side, name in zip(digits.sides(), "mo", strict=True)
    )
    rows = np.array(outside.inputs)
    rows[7] = inside.inputs[3]
    rows[7, 0] += 1e-4  # no exact copy
    changed = Examples(rows, outside.labels, outside.ids, outside.groups)
    return Sides(inside, changed, none_of(inside))


def test_a_member_that_is_nearly_a_non_member_is_told_of() -> None:
    values = {
        "kind": "classifier",
        "data": {"members": "m", "non_members": "o"},
        "targets": {"model": {"model": "net"}},
        "references": {"count": 0},
        "attacks": {"run": ["loss"]},
    }
    sides = _sides()
    found = inspect(checked(ClassifierSpec, values, "test"), Given({"net": digits.leaky()}, sides))
    (near,) = (one for one in found.findings if one.code == "E127")
    assert near.records == (sides.members.ids[3],)
    assert near_duplicates([]) is None


def test_a_candidate_that_the_model_was_calibrated_on_is_told_of(tmp_path: Path) -> None:
    sides = _sides()
    used = tmp_path / "used.npz"
    np.savez(used, x=sides.members.inputs[:3], y=sides.members.labels[:3])
    values = {
        "kind": "classifier",
        "data": {"members": "m", "non_members": "o", "calibrated_on": str(used)},
        "targets": {"model": {"model": "net"}},
        "references": {"count": 0},
        "attacks": {"run": ["loss"]},
    }
    found = inspect(checked(ClassifierSpec, values, "test"), Given({"net": digits.leaky()}, sides))
    (one,) = (one for one in found.findings if one.code == "E132")
    assert "3 candidates, 3 of them members" in one.message
