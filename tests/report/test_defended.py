"""Defended classifiers: what scores tell never stands without what labels alone tell."""

import re
from dataclasses import replace
from math import hypot

import pytest
from report import sample
from report import sample_classifier as classifier
from report.reader import Reader, prose, section, shown
from report.test_page import HOSTILE

from nonmember.audit import counterparts
from nonmember.audit.records import DefenseResult, TargetResult
from nonmember.console import results
from nonmember.console.streams import PIPE_WIDTH
from nonmember.evaluation.intervals import Interval, clopper_pearson
from nonmember.report import conclusions, defended, words
from nonmember.report.page import render
from nonmember.report.study import study

MEAN = DefenseResult("diffence", "inference", {"selector": "mean"}, {})
PROMISE = "That less leaks through scores does not mean that membership is protected."


@pytest.fixture(scope="module")
def page() -> str:
    return render(classifier.study(diffusion="members"))


def beside(page: str) -> str:
    found = re.search(r'<section id="study">.*?</section>', page, re.DOTALL)
    assert found
    return found[0]


def tables(page: str) -> list[dict[str, str]]:
    """The rows of both tables by the name of the model."""
    parts = re.findall(r"<table.*?</table>", beside(page), re.DOTALL)
    names = [target.name for target in classifier.study().targets]
    return [
        {
            name: row
            for row in map(prose, Reader(part).rows)
            for name in names
            if row.startswith(f"{name} ")
        }
        for part in parts
    ]


def told(*targets: TargetResult, diffusion: str = "public") -> list[str]:
    run = classifier.study(*targets, diffusion=diffusion)
    table = defended.table(run)
    assert table
    return conclusions.sentences(table, run)


def of(name: str, target: TargetResult) -> Interval:
    return next(one.simultaneous for one in target.attacks if one.name == name)


def test_scores_labels_and_the_diffusion_model_are_told_apart() -> None:
    row = defended.row(classifier.fenced())
    assert row.scores and row.labels and row.gap and row.guesser
    assert (row.scores.name, row.labels.name, row.gap.name) == ("lira", "self_diffused", "gap")
    assert row.guesser.name == "self_diffused"
    leaked = replace(classifier.fenced(), attacks=tuple(classifier.found(0.5, diffusion=3.0)))
    assert defended.row(leaked).scores == row.scores
    blind = [replace(one, blind=True) for one in classifier.fenced().attacks]
    nothing = defended.row(replace(classifier.fenced(), attacks=tuple(blind)))
    assert (nothing.scores, nothing.labels, nothing.gap, nothing.guesser) == (None,) * 4


def test_the_surest_attack_is_shown_not_the_luckiest() -> None:
    sure, lucky = classifier.attack("lira", 1.0), classifier.attack("confidence", 1.0)
    lucky = replace(lucky, simultaneous=Interval(0.4, 0.99, 1.0, 0.95))
    assert counterparts.surest([lucky, sure]) is sure


@pytest.mark.parametrize("target", classifier.study().targets, ids=lambda target: target.name)
def test_a_row_has_what_scores_and_labels_tell_and_the_worth(
    page: str, target: TargetResult
) -> None:
    row, known = tables(page)[0][target.name], target.classifier
    assert known is not None
    assert words.STATES[target.leaks] in row and words.defended(target.defenses) in row
    for name in ("lira", "self_diffused"):
        auc = of(name, target)
        rate = next(one for one in target.attacks if one.name == name).tpr[0].tpr
        said = (
            f"{auc.value:.3f} {words.auc_range(auc)} {name} TPR {words.percent(rate.value)} "
            f"{words.rate_range(rate)}"
        )
        assert prose(said) in row
    assert row.index(" lira ") < row.index(" self_diffused ")
    gap = of("gap", target)
    assert f"{gap.value:.3f} {words.auc_range(gap)}" in row
    error = known.calibration_error
    assert f"{error.value:.3f} {words.auc_range(error)}" in row
    assert prose(f"90.0 % {words.rate_range(known.accuracy)}") in row


def test_the_best_guess_is_told_with_its_attack(page: str) -> None:
    best = defended.row(classifier.fenced()).guesser
    assert best and best.accuracy
    said = f"{words.percent(best.accuracy.value)} {words.rate_range(best.accuracy)} {best.name}"
    assert prose(said) in tables(page)[0]["fenced"]


def test_costs_stand_in_a_table_of_their_own(page: str) -> None:
    found = tables(page)[1]
    fenced = found["fenced"]
    assert "0.810 0.776–0.844 0.405 0.385–0.425 0.620 0.580–0.660" in fenced
    assert prose("66.0 % 63.0–69.0 % 59.0 % 55.0–63.0 %") in fenced
    some = clopper_pearson(7, 200)
    assert prose(f"3.5 % {words.rate_range(some)} 42.1 p95 47.9 without 0.31") in fenced
    assert fenced.endswith("21.4 without 0.012")
    assert found["undefended"].endswith("– – – – –")
    assert "– – 0.31 p95 0.4 without 0.31" in found["label alone"]


def test_columns_that_nothing_stands_in_are_left_out() -> None:
    known = classifier.worth(198)
    plain = replace(classifier.private(), classifier=known)
    bare = prose(" ".join(Reader(beside(render(classifier.study(plain)))).text))
    for absent in ("Brier", "Confidence", "Fall-back", "Labels changed", "Time"):
        assert absent not in bare
    assert "Cross-entropy" in bare


def test_a_defended_classifier_is_compared_with_itself() -> None:
    alone = classifier.study(classifier.fenced())
    assert study(alone) is not None
    assert study(classifier.results(classifier.leaky())) is None
    assert defended.table(classifier.results()) is None
    assert defended.table(sample.study()) is None


def test_targets_without_attacks_or_utility_have_dashes() -> None:
    idle = replace(classifier.fenced(), attacks=(), strongest="", classifier=None, guard=None)
    page = render(classifier.study(classifier.undefended(), idle))
    first, second = tables(page)
    assert first["fenced"].endswith("fallback donor – – – – – –")
    assert set(second["fenced"].removeprefix("fenced Leaks ")) == {"–", " "}
    assert Reader(page).open == []


def test_a_reduction_is_told_in_points_with_its_interval_by_hand() -> None:
    after, before = (of("lira", one) for one in (classifier.fenced(), classifier.undefended()))
    change = after.value - before.value
    low = change - hypot(after.value - after.low, before.high - before.value)
    high = change + hypot(after.high - after.value, before.value - before.low)
    first, promise, *_ = told(classifier.undefended(), classifier.fenced())
    assert "fenced (behind diffence) leaks less through scores than undefended" in first
    assert f"{words.auc(after)} by lira against {words.auc(before)} by lira" in first
    said = f"{words.points(change)} points ({words.points(low)} to {words.points(high)})"
    assert said in first and "%" not in first
    assert promise == PROMISE


def test_what_does_not_hold_is_not_said() -> None:
    same = replace(classifier.fenced(), attacks=classifier.undefended().attacks)
    lines = told(classifier.undefended(), same)
    assert "is not shown to leak less through scores than undefended" in lines[0]
    assert PROMISE not in lines
    swapped = replace(classifier.undefended(), attacks=classifier.fenced().attacks)
    assert "leaks more through scores than undefended" in told(swapped, same)[0]


def test_only_the_same_weights_are_compared() -> None:
    other = replace(classifier.undefended(), provenance={"model": {"digest": "other"}})
    for bare in (other, replace(other, provenance={}), replace(other, provenance={"model": 3})):
        lines = told(bare, classifier.fenced())
        assert not any("leak" in line for line in lines)


def test_labels_that_stay_say_what_labels_alone_tell_once_for_all_of_a_model() -> None:
    lines = told(classifier.undefended(), classifier.label_alone(), classifier.fenced())
    (said,) = (line for line in lines if "labels alone" in line)
    found = words.auc(of("self_diffused", classifier.fenced()))
    assert "label alone (behind constant_confidence) and fenced (behind diffence)" in said
    assert "answer each of 400 candidates with the label that the model itself gives" in said
    assert f"before: AUC {found} by self_diffused, and without them {found}" in said
    assert said.endswith("That is more than scores tell of label alone and fenced.")
    bare = told(replace(classifier.fenced(), attacks=classifier.fenced().attacks[:2]))
    assert any("none was run, and how much that is is not known" in line for line in bare)
    weak = replace(classifier.fenced(), attacks=tuple(classifier.found(2.0, labels=0.1)))
    assert not any("more than scores" in line for line in told(weak))


def test_labels_that_change_are_counted() -> None:
    guard = classifier.fenced().guard
    assert guard is not None
    some = clopper_pearson(9, 200)
    moved = replace(guard, changed=(guard.changed[0], some))
    averaged = replace(classifier.fenced(), defenses=(MEAN,), guard=moved)
    lines = told(averaged)
    assert not any("accuracy differs" in line for line in lines)
    beside = told(classifier.undefended(), averaged)
    assert any("its accuracy differs by 0.0 points (" in line for line in beside)
    assert any(f"{words.rate(some)} of non-members" in line for line in lines)
    assert not any("with the label that the model itself gives" in line for line in lines)


def test_where_the_trivial_defense_does_as_well_diffence_does_not_earn_its_cost() -> None:
    lines = told()
    (said,) = (line for line in lines if "earn" in line)
    assert "Diffence does not earn its cost in fenced" in said
    fenced, trivial = (of("lira", one) for one in (classifier.fenced(), classifier.label_alone()))
    assert f"{words.auc(fenced)} against {words.auc(trivial)}" in said
    assert "calibration error 0.180 (0.171 to 0.189) against 0.010 (0.001 to 0.019)" in said
    assert "Diffence is better at: AUC of its confidence" in said
    assert "0.620 (0.580 to 0.660) against 0.500 (0.460 to 0.540)" in said


def test_where_diffence_is_better_that_is_said() -> None:
    leaky = replace(classifier.label_alone(), attacks=tuple(classifier.found(2.5)))
    lines = told(classifier.undefended(), leaky, classifier.fenced())
    (said,) = (line for line in lines if line.startswith("Beside"))
    assert "does not earn" not in said
    assert "Diffence is better at: AUC of the strongest attack on scores" in said
    assert "It is worse at: calibration error" in said
    alike = replace(classifier.fenced(), classifier=classifier.label_alone().classifier)
    (none,) = (line for line in told(classifier.label_alone(), alike) if "Beside" in line)
    assert "Diffence is shown better at nothing." in none


def test_without_the_trivial_defense_the_cost_is_an_open_question() -> None:
    lines = told(classifier.undefended(), classifier.fenced())
    assert any("earns its cost in fenced is not known" in line for line in lines)
    assert not any("earn" in line for line in told(classifier.undefended(), classifier.private()))


def test_a_diffusion_model_of_members_is_a_secret() -> None:
    assert any("as secret as the classifier's" in line for line in told(diffusion="members"))
    assert any("is not known here" in line for line in told(diffusion="unknown"))
    assert not any("secret" in line for line in told())
    assert any("is not shown to tell members" in line for line in told())
    leaks = replace(classifier.fenced(), attacks=tuple(classifier.found(0.5, diffusion=2.0)))
    assert any("the diffusion model alone tells members" in line for line in told(leaks))


@pytest.mark.parametrize(("epsilon", "vacuous"), [(50.0, False), (50.1, True), (5987.2, True)])
def test_a_large_epsilon_is_called_vacuous(epsilon: float, vacuous: bool) -> None:
    spent = {"epsilon": epsilon, "delta": 0.005}
    private = replace(classifier.private(), defenses=(replace(classifier.DP_SGD, spent=spent),))
    assert any("is vacuous: epsilon" in line for line in told(private)) == vacuous


def test_no_sentence_promises_protection() -> None:
    for line in told(diffusion="members"):
        assert "protect" not in line or line == PROMISE


def test_a_chapter_says_what_stands_before_its_model(page: str) -> None:
    part = section(page, "fenced")
    whole = prose(" ".join(Reader(part).text))
    assert "What stands before it diffence selector s3, fallback donor" in whole
    found = {row.split()[0]: row for row in map(prose, Reader(part).rows)}
    none = words.rate_range(clopper_pearson(0, 200))
    some = words.rate_range(clopper_pearson(7, 200))
    assert prose(f"No copy keeps it 0.0 % {none} 3.5 % {some}") == found["No"]
    assert prose("Copies that keep the label 66.0 % 63.0–69.0 % 59.0 % 55.0–63.0 %") in whole
    assert "One input, median 42.1 0.31" in whole and "Per input of a hundred 21.4 0.012" in whole
    assert "What the defense did" not in whole
    assert "flat one" in whole and "Answers inside the interval" not in whole
    other = prose(" ".join(Reader(section(page, "label alone")).text))
    assert "Labels changed" in other and "Copies that keep" not in other
    assert "What stands before it" not in section(page, "undefended")
    assert "in the training" in section(page, "private")


def test_what_an_answer_does_not_depend_on_is_not_told_of_it() -> None:
    guard = classifier.fenced().guard
    assert guard is not None
    inside = (clopper_pearson(200, 200), clopper_pearson(193, 200))
    by_interval = replace(guard, inside=inside)
    part = shown(render(classifier.study(replace(classifier.fenced(), guard=by_interval))))
    low, high = map(words.rate_range, inside)
    assert prose(f"Answers inside the interval 100.0 % {low} 96.5 % {high}") in part
    averaged = replace(guard, fell_back=None)
    part = shown(render(classifier.study(replace(classifier.fenced(), guard=averaged))))
    assert "flat one" not in part and "No copy keeps it" not in part and "regenerated" in part


def test_tags_match_and_the_picture_says_its_numbers(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    (drawing,) = (one for tag, one in Reader(beside(page)).elements if tag == "svg")
    label = str(drawing["aria-label"])
    for target in classifier.study().targets:
        assert target.classifier and words.auc(target.classifier.loss) in label
        assert f"by scores {words.auc(of('lira', target))}" in label
        assert f"by labels alone {words.auc(of('self_diffused', target))}" in label


def test_hostile_names_are_escaped() -> None:
    defense = replace(classifier.FENCE, options={HOSTILE: HOSTILE})
    hostile = replace(classifier.fenced(), name=HOSTILE, defenses=(defense,))
    page = render(classifier.study(hostile, classifier.undefended(), diffusion=HOSTILE))
    assert not {"script", "img"} & Reader(page).tags()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", page)
    assert shown(page)


def test_the_terminal_has_the_same_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    fenced = replace(classifier.fenced(), name="[red]x")
    results.shown(classifier.study(classifier.undefended(), fenced))
    whole = capsys.readouterr().out.split("Side by side")[1]
    assert all(len(line) <= PIPE_WIDTH for line in whole.splitlines())
    for name in ("lira", "self_diffused"):
        auc = of(name, fenced)
        assert name in whole and f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]" in whole
    for expected in ("by labels alone", "90.0% [85.0%, 93.8%]", "0.180 [0.171, 0.189]"):
        assert expected in whole
    told = prose(whole)
    assert "[red]x (behind diffence) leaks less through scores" in told
    assert "\N{MINUS SIGN}" not in told and PROMISE in told
