import numpy as np
import pytest

from nonmember.evaluation import checks
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.roc import auc, bootstrap

ABOVE = Interval(0.51, 0.6, 0.69, 0.95)
BELOW = Interval(0.3, 0.4, 0.49, 0.95)
UNDECIDED = [
    Interval(0.4, 0.5, 0.6, 0.95),
    Interval(0.5, 0.6, 0.7, 0.95),
    Interval(0.3, 0.4, 0.5, 0.95),
]

FOUND = [
    (checks.blind_separation("length", ABOVE), "E101", "error"),
    (checks.blind_separation("length", BELOW), "E101", "error"),
    (checks.duplicates(["a", "b"]), "E102", "warning"),
    (checks.near_empty(["a", "b"], 8), "E103", "warning"),
    (checks.unscored("min_k", ["a", "b"], 1), "E104", "warning"),
    (checks.truncated(3, 10, 128), "E105", "note"),
    (checks.inverted("loss", BELOW), "E106", "warning"),
    (checks.quantised("m.gguf", "Q4_0"), "E107", "note"),
    (checks.not_run("lira", "no reference models"), "E108", "note"),
    (checks.resolution(0.01, 99), "E109", "warning"),
    (checks.resolution(0.01, 999), "E109", "note"),
    (checks.failed("rmia", "no finite score"), "E110", "error"),
    (checks.tied("lowercase", np.zeros(3)), "E116", "note"),
    (checks.exposed("rewritten", 12, "wbc", ABOVE), "E117", "warning"),
    (checks.kept_raw(3), "E118", "warning"),
    (checks.left_differ(12, judged=True), "E119", "warning"),
    (checks.left_differ(12, judged=False), "E119", "warning"),
    (checks.roles_unjudged(), "E120", "note"),
]


@pytest.mark.parametrize(("finding", "code", "severity"), FOUND)
def test_every_check_finds_under_its_code(finding, code, severity):
    assert isinstance(finding, Finding)
    assert (finding.code, finding.severity) == (code, severity)
    assert finding.message
    assert not finding.message.endswith(".")


@pytest.mark.parametrize(
    "silent",
    [
        checks.duplicates([]),
        checks.near_empty([], 8),
        checks.unscored("min_k", [], 0),
        checks.truncated(0, 10, 128),
        checks.resolution(0.01, 1000),
        checks.kept_raw(0),
        checks.left_differ(0, judged=True),
        *(checks.blind_separation("length", auc) for auc in UNDECIDED),
        *(checks.inverted("loss", auc) for auc in [*UNDECIDED, ABOVE]),
    ],
)
def test_a_check_with_nothing_to_say_is_silent(silent):
    assert silent is None


@pytest.mark.parametrize(
    "finding",
    [
        checks.duplicates(["a", "b"]),
        checks.near_empty(["a", "b"], 8),
        checks.unscored("min_k", ["a", "b"], 1),
    ],
)
def test_records_are_named_and_counted(finding):
    assert finding.records == ("a", "b")
    assert "2 records" in finding.message


def test_messages_carry_their_numbers():
    figure = "AUC 0.400, 95.0% interval 0.300 to 0.490"
    assert figure in checks.blind_separation("length", BELOW).message
    assert figure in checks.inverted("loss", BELOW).message
    assert "fewer than 8 scored tokens" in checks.near_empty(["a"], 8).message
    assert "3 of 10 texts are longer than 128 tokens" in checks.truncated(3, 10, 128).message
    assert "m.gguf was quantised to Q4_0" in checks.quantised("m.gguf", "Q4_0").message
    assert checks.not_run("lira", "no references").message == "lira did not run: no references"
    assert checks.failed("rmia", "all NaN").message == "rmia gave no figure: all NaN"
    assert "99 non-members cannot resolve" in checks.resolution(0.01, 99).message
    assert "use at least 100, or a larger rate" in checks.resolution(0.01, 99).message
    assert "1000 non-members would narrow them" in checks.resolution(0.01, 999).message


def test_a_role_told_the_wrong_way_round_has_no_remedy_for_rewrites() -> None:
    assert "containment" in checks.exposed("rewritten", 12, "wbc", ABOVE).message
    inverted = checks.exposed("rewritten", 12, "wbc", BELOW).message
    assert "containment" not in inverted and "ranks them below" in inverted


@pytest.mark.parametrize("shift", [-1.0, 0.0, 1.0])
def test_a_blind_attack_on_sides_drawn_apart_is_caught_either_way_round(shift):
    member = np.arange(200) < 100
    scores = np.random.default_rng(0).normal(shift * member)
    area = auc(scores, member, bootstrap(scores, member, np.arange(200), times=100))
    assert (checks.blind_separation("length", area) is None) == (shift == 0)
    assert (checks.inverted("length", area) is None) == (shift >= 0)


def test_what_a_rate_needs_is_one_rule_however_it_rounds() -> None:
    assert 49 * (1 / 49) < 1  # which would refuse what the figures give
    found = checks.resolution(1 / 49, 49)
    assert found is not None and found.severity == "note"


@pytest.mark.parametrize(
    ("scores", "count"),
    [
        (np.r_[np.full(11, 0.3), np.arange(89.0)], 11),
        (np.r_[np.full(10, 0.3), np.arange(90.0)], None),
        (np.r_[0.1 + 0.2, np.full(10, 0.3), np.arange(89.0)], 11),  # alike to nine digits
        (np.r_[np.full(2, 1.0), np.full(2, 3.0), np.full(6, np.nan)], 2),
        (np.arange(5.0), None),
        (np.full(4, np.nan), None),
        (np.array([]), None),
    ],
)
def test_many_equal_scores_are_a_note(scores, count):
    found = checks.tied("surp", scores)
    scored = int((~np.isnan(scores)).sum())
    assert (found is None) == (count is None)
    if count is not None:
        assert f"surp gives {count} of {scored} records one and the same score" in found.message
