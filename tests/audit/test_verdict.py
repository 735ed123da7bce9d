"""One sentence per case: a leak, in the middle or in the tail; none; inverted; incomparable."""

import numpy as np
import pytest

from nonmember.audit.parts import Evaluation
from nonmember.audit.records import AttackResult, Histogram, Redraws
from nonmember.audit.validity import Evidence, base_auc, concluded
from nonmember.audit.verdict import points_at_members, strongest, surest, tells, verdict
from nonmember.data.split import Split
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import Curve, TprAtFpr

SPLIT = Split(np.arange(100) < 50, np.arange(100))
QUIET, LOUD = Redraws(20, 1, 0), Redraws(20, 6, 0)
APART, ALIKE = Interval(0.6, 0.7, 0.8, 0.95), Interval(0.4, 0.5, 0.6, 0.95)
NEAR = Finding("E127", "warning", "near", tuple("abcdef"))
USED = Finding("E132", "error", "candidates were used")


def around(value: float, arm: float) -> Interval:
    return Interval(max(0.0, value - arm), value, min(1.0, value + arm), 0.95)


def made(
    name: str, auc: float, *, arm: float = 0.1, tail: tuple[float, float] = (0.0, 0.01)
) -> AttackResult:
    """An attack with an AUC, and at a false-positive rate of 1 % a rate with its lower end."""
    rate = Interval(tail[0], tail[1], 1.0, 0.95)
    return AttackResult(
        name=name,
        paper="arXiv:0",
        access="logprobs",
        queries=1,
        needs=("token_logprobs",),
        options={},
        members=100,
        non_members=200,
        unscored=0,
        auc=around(auc, arm / 2),
        simultaneous=around(auc, arm),
        tpr=(TprAtFpr(0.01, rate, rate, around(0.01, 0.01), 100, 200),),
        curve=Curve((0.0, 1.0), (0.0, 1.0)),
        histogram=Histogram((0.0, 1.0), (100,), (200,)),
        blind=name == "bag_of_words",
    )


def judged(*attacks: AttackResult) -> tuple[bool | None, str]:
    return verdict(attacks, 0.61)


def test_a_leak_names_the_surest_attack_with_its_interval() -> None:
    leaks, said = judged(made("loss", 0.7), made("wbc", 0.9), made("bag_of_words", 0.5))
    assert leaks is True
    assert "wbc, the strongest of 2 attacks" in said
    assert "AUC 0.900 [0.800, 1.000]" in said


def test_a_lucky_estimate_does_not_hide_a_sure_leak() -> None:
    leaks, said = judged(made("ez_mia", 0.95, arm=0.5), made("loss", 0.7))
    assert leaks is True
    assert "loss, the strongest of 2 attacks" in said


def test_a_few_fully_exposed_members_are_a_leak_though_the_auc_is_low() -> None:
    leaks, said = judged(made("loss", 0.52, tail=(0.03, 0.06)), made("zlib", 0.51))
    assert leaks is True
    assert "finds 6% [3%, 100%] of members at a false-positive rate of 0.01" in said
    assert "though its AUC is only 0.520" in said


def test_an_inverted_leak_is_a_leak() -> None:
    leaks, said = judged(made("loss", 0.2), made("zlib", 0.5))
    assert leaks is True
    assert "loss, one of 2 attacks, ranks members below non-members" in said


def test_an_inverted_attacks_highest_scores_expose_nobody() -> None:
    assert not points_at_members(made("loss", 0.2))
    assert points_at_members(made("loss", 0.7))
    assert points_at_members(made("loss", 0.52, tail=(0.03, 0.06)))


def test_no_leak_says_what_was_tried_and_what_would_have_been_seen() -> None:
    leaks, said = judged(made("loss", 0.55), made("bag_of_words", 0.5))
    assert leaks is False
    assert "No leak found by 1 attack on 100 members and 200 non-members" in said
    assert "A leak of AUC 0.61 or more would have been seen with 80 % probability" in said


@pytest.mark.parametrize("auc", [0.6, 0.4])
def test_sides_that_differ_without_the_model_allow_no_verdict(auc: float) -> None:
    leaks, said = judged(made("wbc", 0.99), made("bag_of_words", auc))
    assert leaks is None
    assert "bag_of_words, which never sees the model" in said


def test_of_attacks_that_find_nothing_the_one_with_the_surest_auc_is_named() -> None:
    silent = [made("loss", 0.49, tail=(0.0, 0.01)), made("zlib", 0.53, tail=(0.0, 0.01))]
    assert strongest(silent).name == strongest(silent[::-1]).name == "zlib"


def test_the_surest_of_several_tells_if_any_does() -> None:
    tail, high = made("tail", 0.52, tail=(0.3, 0.5)), made("high", 0.59)
    assert surest([high, tail]) is surest([tail, high]) is tail and tells(tail)
    silent, inverted, more = made("silent", 0.55), made("inverted", 0.3), made("more", 0.2)
    assert surest([silent, inverted, more]) is more and tells(more)
    assert surest([silent, made("other", 0.52)]) is silent and not tells(silent)
    assert surest([]) is None


def test_where_members_were_dropped_for_being_exposed_a_reference_must_judge() -> None:
    leaks, said = verdict([made("bag_of_words", 0.5)], 0.61, lost=12)
    assert leaks is None
    assert "12 members were dropped for being exposed" in said and "--base" in said
    leaks, said = verdict([made("wbc", 0.9), made("bag_of_words", 0.7)], 0.61, lost=12)
    assert leaks is None
    assert "be it by how they were drawn or because 12 members were dropped" in said


def gated(attack, *about_data, least=0.6, redraws=QUIET, base=None):
    known = Evidence(SPLIT, about_data, least, redraws, 0.95, base)
    leaks, sentence, told = concluded([attack], known)
    return leaks, sentence, [one.code for one in told]


@pytest.mark.parametrize("attack", [made("loss", 0.8), made("loss", 0.5)])
def test_what_makes_figures_no_evidence_takes_every_verdict_away(attack):
    leaks, sentence, told = gated(attack, base=APART)
    assert leaks is None and told == ["E133"] and "No verdict: the base model" in sentence
    leaks, sentence, told = gated(attack, redraws=LOUD)
    assert leaks is None and told == ["E137"] and "false alarm in 6 of 20" in sentence
    leaks, sentence, told = gated(attack, USED)
    assert leaks is None and told == [] and sentence == "No verdict: candidates were used."


def test_what_can_hide_a_leak_takes_away_only_that_there_is_none():
    assert gated(made("loss", 0.8), NEAR, least=1.0)[0] is True
    leaks, sentence, told = gated(made("loss", 0.5), NEAR)
    assert leaks is None and told == ["E134"]
    assert sentence.startswith("No verdict. No leak was found, but 6 near-duplicates")
    leaks, sentence, told = gated(made("loss", 0.5), least=1.0)
    assert leaks is None and told == ["E135"] and "too few" in sentence


def test_answers_that_are_all_alike_are_no_evidence_that_nothing_leaks():
    known = Evidence(SPLIT, (), 0.6, QUIET, 0.95, alike=True)
    leaks, sentence, (told,) = concluded([made("loss", 0.5)], known)
    assert leaks is None and told.code == "E135" and "same answer" in sentence


def test_a_weak_audit_says_so_and_keeps_its_verdict():
    assert gated(made("loss", 0.5), least=0.8)[::2] == (False, ["E136"])
    assert gated(made("loss", 0.8), least=0.8)[::2] == (True, [])
    assert gated(made("loss", 0.5), base=ALIKE)[::2] == (False, [])


def test_a_base_that_knows_nothing_is_blamed_no_more_often_than_it_may():
    """At 5 %, with two standard errors of 300 simulations; one that has seen members always is."""
    ask, blamed = Evaluation(resamples=200), 0
    for seed in range(300):
        losses = np.random.default_rng(seed).normal(size=100)
        found = base_auc(losses, SPLIT, ask, 0)
        blamed += found is not None and found.excludes(0.5)
    assert blamed / 300 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 300)
    seen = base_auc(losses - 2.0 * SPLIT.member, SPLIT, ask, 0)
    assert seen is not None and seen.low > 0.5
    assert base_auc(np.full(100, np.nan), SPLIT, ask, 0) is None
