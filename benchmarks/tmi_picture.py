"""The picture of what leaks: the AUC of ``tmi_lda`` against the accuracy of children."""

import re
from collections.abc import Mapping
from typing import Any

from nonmember.report.plots import svg
from nonmember.report.theme import SERIES, Spec, specification

VARIABLE = r"var\(--[\w-]+, ([^)]+)\)"
KINDS = ("private head", "head", "last", "LoRA", "all layers")
WIDTH, HEIGHT = 360, 300  # pixels
NEAR = 0.009  # of the AUC: names that are nearer than this would be drawn over each other


def picture(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """One SVG: ways of fine-tuning for one task beside each other, and tasks of a new head."""
    panels = {
        "choices": "Five pairs, ways of fine-tuning",
        "trunk choices": "The same upon a packaged trunk",
        "tasks": "New heads, by task",
    }
    drawn = [_panel(rows, part, title) for part, title in panels.items()]
    listed = "; ".join(
        f"{name}: {one['tmi_lda']['value']} at accuracy {one['accuracy']['value']}"
        for name, one in rows.items()
    )
    whole = specification(f"AUC of tmi_lda by accuracy of children. {listed}.", hconcat=drawn)
    del whole["width"]
    return re.sub(VARIABLE, r"\1", svg({**whole, "background": "white", "spacing": 30}))


def _panel(rows: Mapping[str, Mapping[str, Any]], part: str, title: str) -> Spec:
    named = {name.partition(": ")[2]: one for name, one in rows.items() if name.startswith(part)}
    points = [_point(name, one) for name, one in named.items()]
    for one in points:
        one["under"] = any(_close(one, other) for other in points)
    return {
        "title": {"text": title, "fontSize": 12, "fontWeight": "normal"},
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": points},
        "layer": _layers(),
    }


def _point(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    low, high = one["tmi_lda"]["interval"]
    found = {"accuracy": one["accuracy"]["value"], "auc": one["tmi_lda"]["value"]}
    kind = next((kind for kind in KINDS if name.startswith(kind)), "head")
    return {"name": name, "kind": kind, "low": low, "high": high, **found}


def _close(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the other's name would be in the way of this one's, which is then put lower."""
    up, across = (other[key] - one[key] for key in ("auc", "accuracy"))
    return (up, across) != (0, 0) and 0 <= up < NEAR and abs(across) < 10 * NEAR


def _layers() -> list[Spec]:
    """Points with their intervals and names."""
    across: Spec = {
        **_quantity("accuracy", "Accuracy downstream"),
        "axis": {"format": ".0%", "tickCount": 6},
        "scale": {"zero": False, "nice": False, "padding": 60},
    }
    up = _quantity("auc", "AUC of tmi_lda") | {"scale": {"zero": False}}
    colours = [colour for colour, _ in SERIES[: len(KINDS)]]
    kinds = {"domain": KINDS, "range": colours}
    colour = {"field": "kind", "type": "nominal", "scale": kinds, "legend": None}
    ends = {"y": {**up, "field": "low"}, "y2": {"field": "high"}}
    shared = {"x": across, "color": colour}
    text = {"type": "text", "align": "left", "dx": 7, "fontSize": 9}
    names = {**shared, "y": up, "text": {"field": "name"}}
    point = {"type": "point", "filled": True, "size": 50}
    bar = {"type": "rule", "opacity": 0.5}
    return [
        {"mark": bar, "encoding": {**shared, **ends}},
        {"mark": point, "encoding": {**shared, "y": up}},
        *(
            {"transform": [{"filter": which}], "mark": {**text, "dy": dy}, "encoding": names}
            for which, dy in (("!datum.under", -5), ("datum.under", 7))
        ),
    ]


def _quantity(field: str, title: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title}
