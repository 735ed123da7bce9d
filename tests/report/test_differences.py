"""Paired differences on the page, in the terminal, and in what follows for defended models."""

import re
from dataclasses import replace

import pytest
from report import sample
from report import sample_classifier as classifier
from report.reader import Reader, prose, shown
from report.test_page import HOSTILE

from nonmember.audit import records
from nonmember.audit.records import Results
from nonmember.audit.worth import DifferenceResult
from nonmember.console import results
from nonmember.evaluation.intervals import Interval
from nonmember.report import conclusions, defended, words
from nonmember.report.page import render

CHANGE, JOINT = Interval(-0.31, -0.2, -0.11, 0.95), Interval(-0.39, -0.2, -0.02, 0.999)


def difference(**change: object) -> DifferenceResult:
    """What scores tell of the fenced model, less what they tell of it without the fence."""
    found = {
        name: next(one for one in part().attacks if one.name == "lira").auc
        for name, part in {"first": classifier.undefended, "second": classifier.fenced}.items()
    }
    plain = DifferenceResult(
        target="fenced",
        against="undefended",
        attack="lira",
        attack_against="lira",
        fpr=None,
        **found,
        change=CHANGE,
        simultaneous=JOINT,
        p_value=0.00004,
        adjusted=0.012,
        among=1234,
        members=200,
        non_members=199,
    )
    return replace(plain, **change)  # type: ignore[arg-type]


def run(*found: DifferenceResult) -> Results:
    study = classifier.study(classifier.undefended(), classifier.label_alone(), classifier.fenced())
    return replace(study, differences=found)


def part(page: str) -> str:
    found = re.search(r'<section id="differences">.*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def told(results: Results) -> list[str]:
    table = defended.table(results)
    assert table
    return conclusions.sentences(table, results)


def test_the_page_has_both_values_both_intervals_and_both_p_values() -> None:
    rate = difference(fpr=0.01, first=CHANGE, second=CHANGE, p_value=0.3, adjusted=1.0)
    page = part(render(run(difference(), rate)))
    rows = [prose(row) for row in Reader(page).rows]
    for expected in (
        "fenced against undefended AUC 200 members, 199 non-members",
        "−20.0 −31.0 to −11.0 −39.0 to −2.0 p = 0.012 alone p < 0.001",
        words.auc_range(difference().first),
    ):
        assert expected in rows[1]
    assert "TPR at FPR 1" in rows[2] and rows[2].endswith("p = 1 alone p = 0.3")
    assert "all 1,234 comparisons" in shown(page) and Reader(page).open == []


def test_without_differences_there_is_no_such_section() -> None:
    assert part(render(run())) == "" and part(render(sample.results())) == ""


def test_hostile_names_are_escaped() -> None:
    page = render(run(difference(target=HOSTILE, against=HOSTILE, attack=HOSTILE)))
    assert not {"script", "img"} & Reader(part(page)).tags() and "\x07" not in page


def test_they_survive_a_round_trip_and_older_results_have_none() -> None:
    written = records.ADAPTER.validate_json(records.dump(run(difference())))
    assert written.differences == (difference(),)
    values = records.ADAPTER.dump_python(run(), mode="json")
    del values["differences"]
    assert records.ADAPTER.validate_python(values).differences == ()


def test_the_terminal_has_them(capsys: pytest.CaptureFixture[str]) -> None:
    results.shown(run(difference(target="[red]x", fpr=0.01)))
    out = prose(capsys.readouterr().out.split("Differences")[1])
    for expected in ("[red]x", "TPR at FPR 0.01", "-20.0 [-31.0, -11.0]", "-20.0 [-39.0, -2.0]"):
        assert expected in out
    assert "p = 0.012" in out and "200+199" in out


def by_scores(results: Results) -> str:
    start = "fenced (behind diffence) "
    return next(one for one in told(results) if one.startswith(start) and "through scores" in one)


def test_what_follows_is_from_the_same_records_where_they_were_paired() -> None:
    alone, paired = by_scores(run()), by_scores(run(difference()))
    assert "(−39.0 to −2.0)" in paired and "leaks less through scores than undefended" in paired
    assert "(−39.0 to −2.0)" not in alone
    wide = difference(simultaneous=Interval(-0.4, -0.2, 0.01, 0.999))
    assert "is not shown to leak less through scores" in by_scores(run(wide))
    for other in ({"fpr": 0.1}, {"attack": "confidence"}, {"against": "label alone"}):
        assert by_scores(run(difference(**other))) == alone


def test_whether_a_fence_earns_its_cost_is_by_the_same_records_too() -> None:
    (plain,) = (one for one in told(run()) if "costs nothing" in one or "Beside" in one)
    less = difference(against="label alone")
    (found,) = (one for one in told(run(less)) if "Beside" in one)
    assert "better at: AUC of the strongest attack on scores" in found
    assert "better at: AUC of the strongest attack on scores" not in plain
