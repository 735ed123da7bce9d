"""The pictures of the study of Diffence: what attacks on scores and on labels find, by target."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from machine import RESULTS

from nonmember.report.plots import svg
from nonmember.report.theme import SERIES, Spec, specification

SETS = {"digits": "Digits", "fashion": "Fashion-MNIST", "cifar10": "CIFAR-10"}
FOUND = {"learned": "scores", "label-only": "labels only"}
VARIABLE = r"var\(--[\w-]+, ([^)]+)\)"
WIDTH, STEP = 260, 15  # pixels of a panel, and of a row
WIDE = {"axis": {"labelLimit": 300}}
AUC = {"type": "quantitative", "scale": {"domain": [0.45, 1], "clamp": True}}


def draw(held: Mapping[str, Any]) -> None:
    """Write the picture of what was measured, as far as it was."""
    points = [point for name in SETS for point in _points(name, held)]
    if points:
        (RESULTS / "diffence.svg").write_text(picture(points))


def _points(name: str, held: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of each target what either attack finds, means over seeds; its accuracy is in its name."""
    for row, found in held.get(f"{name}.summary", {}).get("rows", {}).items():
        told = f"{row}: {100 * found['accuracy'][1]:.1f} %"
        for figure, attack in FOUND.items():
            if figure in found:
                low, auc, high = found[figure]
                ends = {"low": low, "auc": auc, "high": high}
                yield {"set": name, "target": told, "attack": attack, **ends}


def picture(points: list[dict[str, Any]]) -> str:
    """One SVG: a panel for each data set, a row for each target, a point for each attack."""
    panels = [
        _panel(title, [one for one in points if one["set"] == name])
        for name, title in SETS.items()
        if any(one["set"] == name for one in points)
    ]
    listed = [f"{one['set']}, {one['target']}, {one['attack']}: {one['auc']}" for one in points]
    whole = specification(f"AUC of attacks. {'; '.join(listed)}.", hconcat=panels)
    del whole["width"]
    drawn = svg({**whole, "background": "white", "spacing": 30})
    return re.sub(VARIABLE, r"\1", drawn)  # no page around it sets any


def _panel(title: str, points: list[dict[str, Any]]) -> Spec:
    colours, _ = zip(*SERIES[: len(FOUND)], strict=True)
    scale = {"domain": [*FOUND.values()], "range": colours}
    y = {"field": "target", "type": "nominal", "sort": None, "title": "Target: its accuracy"} | WIDE
    colour = {"field": "attack", "type": "nominal", "scale": scale, "title": "Attack reads"}
    ends = {"x": {"field": "low", "title": "AUC", **AUC}, "x2": {"field": "high"}}
    x = {"field": "auc", "title": "AUC", **AUC}
    return {
        "data": {"values": points},
        "title": title,
        "width": WIDTH,
        "height": {"step": STEP},
        "layer": [
            {
                "mark": {"type": "rule", "opacity": 0.5},
                "encoding": {"y": y, **ends, "color": colour},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 45},
                "encoding": {"y": y, "x": x, "color": colour},
            },
        ],
    }
