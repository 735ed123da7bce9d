"""The picture of privacy against utility."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from report import sample
from report import sample_classifier as classifier

from nonmember.audit.records import Results, TargetResult
from nonmember.report import defended, plots
from nonmember.report.study import Line, line
from nonmember.report.theme import Spec
from nonmember.report.tradeoff import Box, front, shown, tradeoff


def lines(*targets: TargetResult) -> list[Line]:
    return shown([line(target, 0.05) for target in targets or sample.study().targets])


def domain(spec: Spec, axis: str) -> list[float]:
    found: list[float] = spec["layer"][1]["encoding"][axis]["scale"]["domain"]
    return found


def test_points_by_hand() -> None:
    undefended, soft, _ = tradeoff(lines())["data"]["values"]
    assert undefended["cheapest"] == undefended["dearest"] == undefended["perplexity"]
    assert undefended["perplexity"] == pytest.approx(9.526, abs=1e-3)  # e to 2.254
    assert soft["cheapest"] == pytest.approx(9.125, abs=1e-3)  # e to 2.231 - 0.02
    assert soft["dearest"] == pytest.approx(9.497, abs=1e-3)
    assert [undefended["kind"], soft["kind"]] == ["trained without a defense", "defended"]


def test_all_bars_lie_within_the_axes() -> None:
    spec = tradeoff(lines())
    (left, right), (bottom, top) = domain(spec, "x"), domain(spec, "y")
    for row in spec["data"]["values"]:
        assert left < row["cheapest"] <= row["dearest"] < right
        assert bottom <= row["low"] <= row["high"] <= top
    assert bottom <= 0.4
    assert top == 1


def test_what_is_near_together_is_drawn_near_together() -> None:
    twins = [
        replace(sample.undefended(), name=name, utility=sample.utility(loss))
        for name, loss in (("a", 2.0), ("b", 2.001))
    ]
    spec = tradeoff(lines(*twins))
    left, right = domain(spec, "x")
    first, second = (row["perplexity"] for row in spec["data"]["values"])
    assert (second - first) / (right - left) < 0.02


def test_a_target_without_attack_or_utility_has_no_place() -> None:
    idle = replace(sample.leaky(), attacks=(), strongest="", utility=sample.utility(2.0))
    assert lines(sample.leaky(), idle) == []


def test_names_lie_within_the_picture_and_clear_of_each_other() -> None:
    many = [
        replace(
            sample.undefended(),
            name=f"{'soft, ratio' if n % 2 else 'none'} {n}",
            utility=sample.utility(2.2 + 0.01 * n),
        )
        for n in range(8)
    ]
    spec = tradeoff(lines(*many))
    places = spec["layer"][-1]["data"]["values"]
    boxes = [
        Box(p["left"], p["middle"] - 7, p["left"] + 6.5 * len(p["name"]), p["middle"] + 7)
        for p in places
    ]
    assert len(boxes) == 8
    assert all(box.inside() for box in boxes)
    assert not any(a.meets(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("name", ["bell\x07", "\ud800", "<b>&'", "x" * 10_000])
def test_any_name_can_be_drawn(name: str) -> None:
    spec = tradeoff(lines(replace(sample.soft(), name=name), sample.undefended()))
    assert json.loads(json.dumps(spec, allow_nan=False))
    drawn = ElementTree.fromstring(plots.svg(spec))
    texts = "".join("".join(element.itertext()) for element in drawn.iter())
    assert "defended" in texts


def test_defended_classifiers_are_placed_by_scores_and_by_labels() -> None:
    placed = lines(*classifier.study().targets)
    bare, *_, fenced, private = tradeoff(placed)["data"]["values"]
    loss = classifier.fenced().classifier
    assert loss and fenced["perplexity"] == loss.loss.value
    scores, labels = defended.row(classifier.fenced()).scores, of_labels(classifier.fenced())
    assert scores and fenced["auc"] == scores.simultaneous.value
    assert (fenced["labels"], bare["labels"]) == (labels, labels)
    assert [bare["kind"], private["kind"]] == ["without a defense", "defended"]
    spec = tradeoff(placed)
    hollow = [layer for layer in spec["layer"] if layer["mark"].get("shape") == "diamond"]
    assert [len(layer["data"]["values"]) for layer in hollow] == [4]
    assert "diamond" not in json.dumps(tradeoff(lines()))


def of_labels(target: TargetResult) -> float:
    found = defended.row(target).labels
    assert found
    return found.simultaneous.value


def test_classifiers_have_a_place_where_one_is_defended_and_scores_were_read() -> None:
    assert lines(classifier.leaky(), classifier.clean()) == []
    deaf = replace(classifier.fenced(), attacks=classifier.fenced().attacks[2:4])
    assert [one.target.name for one in lines(classifier.undefended(), deaf)] == ["undefended"]
    mute = replace(classifier.fenced(), attacks=classifier.fenced().attacks[:2], strongest="lira")
    (row,) = tradeoff(lines(mute))["data"]["values"]
    assert "labels" not in row


def test_the_front_by_hand() -> None:
    rows = [
        {"name": name, "perplexity": worth, "auc": auc}
        for name, worth, auc in (("a", 1.0, 0.9), ("b", 2.0, 0.6), ("c", 2.5, 0.6), ("d", 3.0, 0.5))
    ]
    assert [row["name"] for row in front(rows, rising=False)] == ["a", "b", "d"]
    assert [row["name"] for row in front(rows, rising=True)] == ["d"]
    twins = [rows[0], {**rows[0], "name": "twin"}]
    assert front(twins, rising=False) == twins


@pytest.mark.parametrize(
    "run", [sample.study(), classifier.study()], ids=["language", "classifier"]
)
def test_the_front_is_drawn_and_every_point_tells_its_figures(run: Results) -> None:
    placed = lines(*run.targets)
    spec = tradeoff(placed)
    drawn = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    assert len(drawn) == 1 and drawn[0]["data"]["values"]
    for row in spec["data"]["values"]:
        assert row["told"].startswith(row["name"]) and "(" in row["told"]
