"""The drawings: what they plot, worked by hand."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from report import sample

from nonmember.audit.records import Histogram
from nonmember.errors import RunError
from nonmember.evaluation.roc import Curve
from nonmember.report import curves, histograms, plots, theme, words


def test_corners_of_a_curve_by_hand() -> None:
    curve = Curve(fpr=(0.0, 0.0, 0.25, 0.25, 1.0), tpr=(0.0, 0.5, 0.5, 0.75, 1.0))
    assert curves.corners(curve, 0.25, 0.1) == [
        {"fpr": 0.25, "tpr": 0.75},
        {"fpr": 1.0, "tpr": 1.0},
    ]


def test_a_curve_that_starts_at_no_false_alarm_is_drawn_from_the_resolution() -> None:
    curve = Curve(fpr=(0.0, 0.0, 0.5, 1.0), tpr=(0.0, 0.4, 0.4, 1.0))
    first, second, last = curves.corners(curve, 0.01, 0.004)
    assert (first, second["tpr"], last["tpr"]) == ({"fpr": 0.01, "tpr": 0.4}, 0.4, 1.0)


def test_a_rate_of_zero_lies_on_the_axis() -> None:
    curve = Curve(fpr=(0.0, 0.1, 1.0), tpr=(0.0, 0.0, 1.0))
    assert curves.corners(curve, 0.1, 0.04)[0] == {"fpr": 0.1, "tpr": 0.04}


def test_a_long_curve_is_thinned_and_keeps_its_end() -> None:
    rates = tuple(i / 100_000 for i in range(100_001))
    kept = curves.corners(Curve(rates, rates), 1e-5, 1e-5)
    assert 100 < len(kept) <= 502
    assert kept[-1] == {"fpr": 1.0, "tpr": 1.0}


def test_forest_lists_attacks_by_auc() -> None:
    spec = plots.forest(sample.leaky())
    ranks = [row["auc"] for row in spec["data"]["values"]]
    assert len(ranks) == 8
    assert ranks == sorted(ranks, reverse=True)


def test_the_unresolved_region_ends_at_one_non_member() -> None:
    region = curves.roc(sample.leaky())["layer"][0]["data"]["values"][0]
    assert region["to"] == 1 / 200
    assert region["from"] < region["to"]


def test_every_attack_has_a_curve_and_the_strongest_lies_on_top() -> None:
    rows = curves.roc(sample.leaky())["layer"][-2]["data"]["values"]
    assert {row["attack"] for row in rows} == set(sample.ATTACKS)
    assert rows[-1]["attack"] == "reference_difference"
    assert {row["series"] for row in rows} - set(sample.ATTACKS) == {"3 others"}
    assert all(0 < rate <= 1 for row in rows for rate in row["fpr"] + row["tpr"])


def test_histogram_shows_shares_of_each_side() -> None:
    counts = Histogram(edges=(0.0, 1.0, 2.0), members=(1, 3), non_members=(8, 2))
    attack = replace(sample.leaky().attacks[0], histogram=counts)
    spec = histograms.histogram(attack)
    members, others = spec["data"]["values"]
    assert (members["side"], members["count"], members["all"]) == ("members", [1, 3], 4)
    assert (others["side"], others["count"], others["all"]) == ("non-members", [8, 2], 10)
    assert (members["from"], members["to"]) == ([0.0, 1.0], [1.0, 2.0])
    assert "half of the 4 members score below 2" in spec["description"]
    assert "half of the 10 non-members score below 1" in spec["description"]


@pytest.mark.parametrize("plot", [plots.forest, curves.roc])
def test_nothing_to_draw_is_an_error(plot: object) -> None:
    with pytest.raises(RunError, match="leaky: no attack ran"):
        plot(replace(sample.leaky(), attacks=()))


def test_specifications_are_json() -> None:
    target = sample.leaky()
    for spec in (plots.forest(target), curves.roc(target), histograms.histogram(target.attacks[0])):
        assert json.loads(json.dumps(spec)) == json.loads(json.dumps(spec, allow_nan=False))


@pytest.mark.parametrize(
    "name", ["bell\x07", "\x1b[31m", "\ud800", "<b>&'", r"\x07\"", "x" * 10_000]
)
def test_any_name_can_be_drawn(name: str) -> None:
    target = replace(sample.leaky(), attacks=(replace(sample.leaky().attacks[0], name=name),))
    for spec in (plots.forest(target), curves.roc(target), histograms.histogram(target.attacks[0])):
        label = ElementTree.fromstring(plots.svg(spec)).attrib["aria-label"]
        assert words.visible(name) in label


def test_a_drawing_is_one_element_that_follows_the_page_and_says_its_numbers() -> None:
    spec = plots.forest(sample.leaky()) | {"description": '<script>"&\x07'}
    drawing = plots.svg(spec)
    root = ElementTree.fromstring(drawing)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == r'<script>"&\x07'
    fills = {element.get("fill") for element in root.iter() if element.tag.endswith("}text")}
    assert fills == {"currentColor"}
    assert "var(--member, #0072b2)" in drawing


def test_a_long_name_gets_room_for_a_wide_font() -> None:
    def room(name: str) -> float:
        one = replace(sample.leaky(), attacks=(replace(sample.leaky().attacks[0], name=name),))
        extent: float = plots.forest(one)["encoding"]["y"]["axis"]["minExtent"]
        return extent

    assert room("augmentation_learned") > 136  # pixels, in DejaVu Sans at 12
    assert room("bag_of_words") == 12 * plots.LETTER


def test_a_still_picture_has_nothing_for_a_pointer() -> None:
    spec = curves.roc(sample.leaky())
    assert '"name": "hover"' in json.dumps(spec)
    assert '"name": "hover"' not in json.dumps(theme.still(spec))
    assert len(plots.svg(spec)) < 60_000


def test_rates_in_figures_are_drawn_with_their_intervals() -> None:
    best = sample.leaky().attacks[0]
    rates = curves.roc(sample.leaky())["layer"][-1]["data"]["values"]
    assert [row["value"] for row in rates] == [point.tpr.value for point in best.tpr]
    assert [row["high"] for row in rates] == [point.tpr.high for point in best.tpr]
    assert words.rate(best.tpr[0].tpr) in rates[0]["rate"]
    mute = replace(sample.leaky(), attacks=(replace(best, tpr=()),))
    assert "rate" not in curves.roc(mute)["layer"][-1]["data"]["values"][0]


def test_a_reader_may_choose_among_the_attacks() -> None:
    names = [attack.name for attack in sample.leaky().attacks]
    (alone,) = curves.roc(sample.leaky())["params"]
    assert set(alone["bind"]["options"]) == {None, *names}
    spec = histograms.histogram(sample.leaky().attacks[1], sample.leaky().attacks)
    (shown,) = spec["params"]
    assert (shown["value"], set(shown["bind"]["options"])) == (names[1], set(names))
    assert {row["attack"] for row in spec["data"]["values"]} == set(names)


def test_no_name_breaks_out_of_a_specification() -> None:
    name = "</script><script>alert(1)</script><!-- & \u2028"
    target = replace(sample.leaky(), attacks=(replace(sample.leaky().attacks[0], name=name),))
    live = plots.drawing(plots.forest(target)).live
    assert not re.search("[<>&\u2028]", live)
    (row,) = json.loads(live)["data"]["values"]
    assert row["attack"] == words.visible(name)
