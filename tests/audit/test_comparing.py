"""Targets of one audit against each other: planted differences, none, and which are compared."""

from dataclasses import replace

import finished
import numpy as np
import pytest
from report import sample
from report import sample_classifier as classifier
from scipy.stats import binom

from nonmember.audit import comparing, counterparts
from nonmember.audit.comparing import Asked, Match, Side, within
from nonmember.audit.parts import Common, Evaluation
from nonmember.audit.records import TargetResult
from nonmember.audit.worth import DifferenceResult
from nonmember.data.split import Split
from nonmember.errors import RunError

N = 150
PARTS = (classifier.undefended, classifier.label_alone, classifier.fenced, classifier.private)


SPEC = Common(kind="classifier", evaluation=Evaluation(fpr=finished.FPRS))


def matched(first: Side, second: Side, split: Split) -> tuple[DifferenceResult, ...]:
    among = comparing.tried([(first.found, second.found)], finished.FPRS)
    asked = Asked("classifier", 0.95, finished.FPRS, 0, among)
    return comparing.differences([Match(first, second, ("one", "two"), split)], asked)


def two(first: float, second: float, *, n: int = N, seed: int = 0) -> tuple[Side, Side, Split]:
    split = finished.split(n)
    leaks = finished.scores(n, first, seed=seed), finished.scores(n, second, seed=seed + 1000)
    return (*(finished.side("model", own, split) for own in leaks), split)


def test_a_planted_difference_is_found_and_told_as_the_second_less_the_first() -> None:
    found, rate = matched(*two(1.5, 0.3))
    assert (found.against, found.target, found.fpr, rate.fpr) == ("one", "two", None, 0.1)
    assert (found.members, found.non_members) == (N, N)
    assert found.change.value == pytest.approx(found.second.value - found.first.value)
    assert found.change.value == pytest.approx(-0.27, abs=0.08)  # Phi(0.3/2**.5) - Phi(1.5/2**.5)
    assert found.simultaneous.high < 0 and found.adjusted is not None and found.adjusted < 0.001
    assert found.simultaneous.low < found.change.low < found.change.high < found.simultaneous.high
    assert rate.change.value < 0


def test_each_is_met_by_the_attack_that_is_surest_of_it() -> None:
    first, second, split = two(1.0, 1.0)
    found = matched(first, second, split)[0]
    assert (found.attack_against, found.attack) == (first.found.strongest, second.found.strongest)
    named = {one.name: one for one in first.found.attacks}
    assert found.first.value == pytest.approx(named[first.found.strongest].auc.value)


def test_a_model_and_itself_differ_by_nothing_at_all() -> None:
    first, _, split = two(1.0, 1.0)
    for found in matched(first, first, split):
        assert found.change.value == 0 and found.simultaneous.value == 0
        assert (found.p_value, found.adjusted) == (1.0, 1.0)


def test_every_attack_on_one_with_every_attack_on_the_other_is_paid_for() -> None:
    first, second, split = two(1.2, 0.9)
    found = matched(first, second, split)
    assert {one.among for one in found} == {3 * 3 * 2}
    ordered = sorted(found, key=lambda one: one.p_value or 0.0)
    assert ordered[0].adjusted == pytest.approx(min(1.0, 18 * (ordered[0].p_value or 0.0)))
    assert found[0].simultaneous.level == pytest.approx(1 - 0.05 / 18)


def test_of_two_models_that_leak_alike_hardly_ever_one_is_said_to_leak_less() -> None:
    """Each by its luckiest attack of three; any false alarm of a run counts."""
    runs, alarms, by_one = 15, 0, 0
    for seed in range(runs):
        found = matched(*two(0.8, 0.8, n=60, seed=seed))
        alarms += any(one.adjusted is not None and one.adjusted <= 0.05 for one in found)
        by_one += any(one.simultaneous.excludes(0.0) for one in found)
    assert max(alarms, by_one) <= binom.ppf(0.999, runs, 0.05)


def test_records_without_a_score_are_left_out_of_both() -> None:
    first, second, split = two(1.0, 0.5)
    name = second.found.strongest
    lost = np.where(np.arange(2 * N) % 10 == 0, np.nan, second.scores[name])
    found = matched(first, Side(second.found, {**second.scores, name: lost}), split)[0]
    assert (found.members, found.non_members) == (135, 135)
    nobody = np.where(split.member, np.nan, second.scores[name])
    assert matched(first, Side(second.found, {**second.scores, name: nobody}), split) == ()


def test_cross_fitted_scores_have_longer_arms() -> None:
    split = finished.split(N)
    own = finished.scores(N, 1.0, seed=3, attacks=["loss"])["loss"]
    plain, fitted = (
        matched(*(finished.side("model", {name: part}, split) for part in (own, own**3)), split)[0]
        for name in ("loss", "augmentation_learned")
    )
    arms = [one.change.high - one.change.value for one in (plain, fitted)]
    assert arms[1] > 1.2 * arms[0]


def test_an_attack_of_an_absent_package_is_named() -> None:
    split = finished.split(N)
    own = finished.scores(N, 1.0, seed=3, attacks=["theirs"])
    one = finished.side("model", own, split)
    with pytest.raises(RunError, match=r"attack 'theirs': not known here.*install the package"):
        matched(one, one, split)


def test_an_audit_compares_each_target_with_its_counterpart() -> None:
    split = finished.split(N)
    sides = [
        finished.side(name, finished.scores(N, leak, seed=i), split)
        for i, (name, leak) in enumerate({"bare": 1.2, "second": 0.6, "third": 0.1}.items())
    ]
    found = within(sides, split, SPEC)
    assert [(one.target, one.against) for one in found[::2]] == [
        ("second", "bare"),
        ("third", "bare"),
    ]
    assert {one.among for one in found} == {2 * 9 * 2}
    assert within(sides[:1], split, SPEC) == ()
    assert within(sides, split, SPEC) == found  # the seed decides


def against(*targets: TargetResult) -> list[list[str]]:
    return [[one.name for one in counterparts.counterparts(each, targets)] for each in targets]


def test_what_stands_before_a_model_is_held_against_the_model_and_against_what_costs_nothing() -> (
    None
):
    found = against(*(part() for part in PARTS))
    assert found == [[], ["undefended"], ["undefended", "label alone"], ["undefended"]]
    alone = against(classifier.private(), classifier.fenced())
    assert alone == [[], ["private"]]  # nothing undefended is there: the first


def test_a_defended_training_is_held_against_the_one_that_was_alike() -> None:
    first, defended, control = sample.study().targets[:3]
    assert defended.utility and defended.utility.against
    found = against(*sample.study().targets)
    assert found[0] == [] and found[1] == [defended.utility.against]
    assert control.name not in found[2]
    moved = against(replace(defended, utility=None), replace(first, defenses=()))
    assert moved == [[first.name], []]


def test_scores_have_a_comparison_of_their_own_where_labels_tell_more() -> None:
    labels = replace(classifier.fenced(), strongest="self_diffused")
    pairs = counterparts.attacks(classifier.undefended(), labels)
    assert [(one.name, two.name) for one, two in pairs] == [
        ("lira", "self_diffused"),
        ("lira", "lira"),
    ]
    nothing = replace(labels, strongest="", attacks=())
    assert counterparts.attacks(classifier.undefended(), nothing) == []
