"""Conditions: read as meant, refused in one sentence, and never passed for want of data."""

import operator
from dataclasses import replace
from functools import cache
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report import sample, sample_classifier

from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.errors import RunError, SpecError
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.epsilon import Bound
from nonmember.evaluation.intervals import Interval
from nonmember.report.gate.conditions import Condition, parse
from nonmember.report.gate.figures import FIGURES
from nonmember.report.gate.outcomes import Outcome, judge, status
from nonmember.verbs.audits import invalid

BROKEN = Finding("E101", "error", "bag_of_words, which never sees the model, separates the sides")


def around(low: float, value: float, high: float) -> Interval:
    return Interval(low, value, high, 0.99)


@cache
def target(name: str = "model") -> TargetResult:
    """Two attacks: one is surer of the AUC, the other of few false alarms."""
    one, other = sample.attack("loss", 1.0), sample.attack("zlib", 1.0)
    attacks = (
        replace(one, simultaneous=around(0.6, 0.7, 0.8), tpr=rates(one, 0.01, 0.05, 0.1)),
        replace(other, simultaneous=around(0.55, 0.65, 0.85), tpr=rates(other, 0.2, 0.3, 0.4)),
    )
    return replace(sample.leaky(), name=name, attacks=attacks, strongest="loss", findings=())


def rates(attack: AttackResult, *ends: float) -> Any:
    return tuple(replace(rate, simultaneous=around(*ends)) for rate in attack.tpr)


def run(*targets: TargetResult) -> Results:
    return replace(sample.results(), targets=targets or (target(),), findings=())


def found(condition: str, *targets: TargetResult) -> list[Outcome]:
    return list(judge([parse(condition)], run(*targets)))


def state(condition: str, *targets: TargetResult) -> str:
    (one,) = found(condition, *targets)
    return one.state


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("auc > 0.5", Condition("auc > 0.5", "auc", 0.0, "value", None, None, ">", 0.5)),
        (
            " tpr@fpr=0.01  ci_low>=.05 ",
            Condition("tpr@fpr=0.01 ci_low>=.05", "tpr", 0.01, "ci_low", None, None, ">=", 0.05),
        ),
        (
            "auc ci_high of 'my > model' by lira < 5e-1",
            Condition(
                "auc ci_high of 'my > model' by lira < 5e-1",
                "auc",
                0.0,
                "ci_high",
                "my > model",
                "lira",
                "<",
                0.5,
            ),
        ),
        (
            'auc by "of" of by <= 0.9',
            Condition('auc by "of" of by <= 0.9', "auc", 0.0, "value", "by", "of", "<=", 0.9),
        ),
        ("epsilon > 2", Condition("epsilon > 2", "epsilon", 0.0, "ci_low", None, None, ">", 2.0)),
    ],
)
def test_a_condition_is_read_as_it_is_meant(text: str, meant: Condition) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy > 0.5", "did you mean model_accuracy, attack_accuracy"),
        ("acu > 0.5", r"did you mean auc.*There are auc, tpr@fpr=RATE,.*validity"),
        ("auc lo > 0.5", "'lo' is not understood.*value, ci_low, ci_high"),
        ("auc of > 0.5", "'of' is not understood"),
        ("auc of a of b > 0.5", "'of' is not understood"),
        ("tpr > 0.5", "write tpr@fpr=0.01"),
        ("auc@fpr=0.1 > 0.5", "write auc"),
        ("tpr@fpr=2 > 0.5", "no false-positive rate 2"),
        ("tpr@fpr= > 0.5", "'' is no number"),
        ("auc > 5%", "'5%' is no number"),
        ("auc > nan", "'nan' is no number"),
        ("auc > inf", "'inf' is no number"),
        ("auc", "no comparison with one number"),
        ("", "no comparison with one number"),
        ("> 0.5", "no comparison with one number"),
        ("0.1 < auc < 0.5", "no comparison with one number"),
        ("auc == 0.5", "no comparison with one number"),
        ("auc of 'a > 0.5", "a quote is not closed"),
        ("gap by lira > 0.5", "gap is not an attack's; leave out"),
        ("epsilon ci_high > 1", "epsilon has no ci_high; it has ci_low"),
        ("validity ci_low > 0.5", "validity has no ci_low; it has value"),
        ("auc > 1", "never holds, so it would always pass: this figure goes from 0 to 1"),
        ("auc > 60", "never holds"),
        ("model_loss < 0", "from 0 to inf"),
        ("__import__('os').system('true') > 0", "no figure|not understood"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as refused:
        parse(text)
    assert str(refused.value).startswith("gate: ") and "\n" not in str(refused.value)


@given(st.text(alphabet="auctpr@f=01.<>\"' \x00\u2028by_vlowci", max_size=60) | st.text())
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_condition_or_one_short_sentence(text: str) -> None:
    try:
        read = parse(text)
    except SpecError as refused:
        assert len(str(refused)) < 800
    else:
        assert read.figure in FIGURES


@pytest.mark.parametrize(
    ("condition", "became"),
    [
        ("auc ci_low > 0.59", "failed"),
        ("auc ci_low > 0.61", "passed"),
        ("auc ci_low >= 0.6", "failed"),
        ("auc > 0.69", "failed"),
        ("auc ci_high > 0.84", "failed"),  # of zlib, though loss has the larger AUC
        ("auc ci_high by loss > 0.84", "passed"),
        ("tpr@fpr=0.01 ci_low > 0.15", "failed"),  # of zlib, though the verdict rests on loss
        ("tpr@fpr=0.01 ci_low by loss > 0.15", "passed"),
        ("tpr@fpr=0.05 of model < 0.9", "failed"),
        ("leaks > 0", "failed"),
        ("validity < 1", "passed"),
        ("detectable_auc > 0.59", "failed"),
    ],
)
def test_the_attack_with_the_largest_such_figure_decides(condition: str, became: str) -> None:
    assert state(condition) == became


@pytest.mark.parametrize(
    "condition",
    [
        "tpr@fpr=0.001 > 0.9",
        "gap > 0.9",
        "epsilon > 50",
        "model_accuracy < 0.1",
        "model_calibration_error > 0.9",
        "attack_accuracy > 0.9",
    ],
)
def test_a_figure_that_the_audit_does_not_have_never_passes(condition: str) -> None:
    bare = replace(target(), risk=None, utility=None, classifier=None, downstream=None)
    assert state(condition, bare) == "unjudged"
    assert status(found(condition, bare)) == 2


def test_every_figure_reads_what_the_results_say() -> None:
    base = sample_classifier.leaky()
    known = base.classifier
    assert known
    risk = sample_risk(2.3456)
    rich = replace(base, findings=(), risk=risk)
    values = {
        "model_accuracy": known.accuracy.low,
        "model_loss": known.loss.low,
        "model_calibration_error": known.calibration_error.low,
    }
    for name, low in values.items():
        (one,) = found(f"{name} ci_low < 0.999", rich)
        assert one.reading and one.reading.low == low
    (one,) = found("epsilon > 2.3", rich)
    assert (one.state, one.why.split(" at ")[0]) == ("failed", "epsilon >= 2.345")
    (one,) = found("gap > -0.9", rich)
    wanted = known.accuracy_on_members.value - known.accuracy.value
    assert one.reading and one.reading.value == pytest.approx(wanted)


@pytest.mark.parametrize("refuted", [True, False])
def test_a_refuted_claim_is_a_figure_and_takes_no_evidence_away(refuted: bool) -> None:
    shown = sample.claimed(refuted=refuted)
    assert [one.code for one in shown.findings] == ["E131"] * refuted
    assert state("claim_refuted > 0", shown) == ("failed" if refuted else "passed")
    assert state("validity < 1", shown) == "passed"
    assert status(found("claim_refuted > 0", shown)) == int(refuted)
    assert not invalid(run(shown))
    assert invalid(run(replace(shown, findings=(*shown.findings, BROKEN))))


def test_the_bound_of_canaries_is_the_epsilon_and_no_exploratory_one() -> None:
    shown = replace(sample.claimed(refuted=True), risk=sample_risk(9.0))
    (one,) = found("epsilon > 3", shown)
    assert (one.state, one.why.split(" at ")[0]) == ("passed", "epsilon >= 2.345")
    assert state("epsilon > 3", replace(shown, canaries=None)) == "failed"
    assert state("claim_refuted > 0", replace(shown, canaries=None)) == "unjudged"


def sample_risk(epsilon: float) -> Any:
    from nonmember.audit.worth import RiskResult

    bound = Bound(epsilon, 0.95, "two-sided", 1e-5, {}, "descriptive")
    return RiskResult("lira", None, (), (), None, None, 0, (), bound)


@pytest.mark.parametrize("end", [nan, inf, -inf])
def test_an_end_that_is_not_known_is_not_judged(end: float) -> None:
    base = sample_classifier.leaky()
    assert base.classifier
    loss = Interval(end, 1.0, end, 0.95)
    odd = replace(base, findings=(), classifier=replace(base.classifier, loss=loss))
    for part in ("ci_low", "ci_high"):
        assert state(f"model_loss {part} > 9", odd) == "unjudged"
    assert state("model_loss > 9", odd) == "passed"


def test_one_attack_without_the_figure_keeps_the_others_from_passing() -> None:
    silent = replace(target(), attacks=(target().attacks[0], replace(target().attacks[1], tpr=())))
    assert state("tpr@fpr=0.01 ci_low > 0.15", silent) == "unjudged"
    assert state("tpr@fpr=0.01 ci_low > 0.005", silent) == "failed"
    assert state("tpr@fpr=0.01 ci_low by loss > 0.15", silent) == "passed"


def test_an_attack_that_gave_no_figure_keeps_the_others_from_passing() -> None:
    gone = Finding("E110", "error", "lira gave no figure: it broke")
    partial = replace(target(), findings=(gone,))
    assert state("auc ci_low > 0.9", partial) == "unjudged"
    assert state("auc ci_low > 0.1", partial) == "failed"
    assert state("auc ci_low by loss > 0.9", partial) == "passed"


@pytest.mark.parametrize(
    "change", [{"blind": True}, {"of_parent": True}, {"needs": ("diffusion_error",)}]
)
def test_what_never_sees_the_target_decides_only_by_name(change: dict[str, Any]) -> None:
    loud = replace(sample.attack("wbc", 3.0), simultaneous=around(0.9, 0.95, 0.99), **change)
    heard = replace(target(), attacks=(*target().attacks, loud))
    assert state("auc ci_low > 0.85", heard) == "passed"
    assert state("auc ci_low by wbc > 0.85", heard) == "failed"
    assert state("auc > 0.1", replace(target(), attacks=(loud,))) == "unjudged"


def test_nothing_passes_or_fails_where_nothing_is_evidence() -> None:
    broken = replace(target(), findings=(BROKEN,))
    for condition in ("auc > 0.1", "auc > 0.99"):
        (one,) = found(condition, broken)
        assert one.state == "invalid" and "E101" in one.line()
    whole = replace(run(), findings=(BROKEN,))
    assert status(judge([parse("auc > 0.1")], whole)) == 3
    assert state("validity < 1", broken) == "failed"


def test_without_a_verdict_leaks_is_not_judged() -> None:
    assert state("leaks > 0", replace(target(), leaks=None)) == "unjudged"


def test_the_exit_status_names_the_gravest_outcome() -> None:
    good, bad = target("good"), replace(target("bad"), findings=(BROKEN,))
    asked = {
        "auc ci_low > 0.9": (good, good, 0),
        "auc ci_low > 0.1": (good, bad, 1),
        "auc ci_low > 0.91": (good, bad, 3),
        "tpr@fpr=0.001 > 0.1": (good, good, 2),
    }
    for condition, (one, other, wanted) in asked.items():
        assert status(found(condition, one, replace(other, name="other"))) == wanted


def test_every_target_is_judged_unless_one_is_named() -> None:
    both = target("one"), target("two words")
    assert [one.target for one in found("auc > 0.9", *both)] == ["one", "two words"]
    assert [one.target for one in found("auc of 'two words' > 0.9", *both)] == ["two words"]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("auc of modle > 0.5", "no target 'modle'; did you mean model"),
        ("auc by lira > 0.5", "no attack in this run 'lira'; did you mean loss, zlib"),
    ],
)
def test_names_that_the_run_does_not_have_are_refused(condition: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        found(condition)


def test_a_run_without_targets_is_refused() -> None:
    with pytest.raises(RunError, match="no target, so nothing can pass"):
        judge([parse("auc > 0.5")], replace(run(), targets=()))


def test_a_line_is_one_line_whatever_the_names_are() -> None:
    (one,) = found("auc > 0.9", replace(target(), name="a\nb\x1b[31m\u202e" + "x" * 1_000_000))
    assert one.line().isprintable() and len(one.line()) < 400
    assert operator.contains(one.line(), r"\x1b[31m\u202e")
