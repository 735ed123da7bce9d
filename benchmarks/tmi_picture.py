"""The picture of what leaks: the AUC of ``tmi_lda`` against the accuracy of children."""

import re
from collections.abc import Mapping
from typing import Any

from nonmember.report.plots import svg
from nonmember.report.theme import SERIES, Spec, specification

VARIABLE = r"var\(--[\w-]+, ([^)]+)\)"
KINDS = ("private head", "head", "last", "LoRA", "all layers")
WIDTH, HEIGHT = 360, 300  # pixels


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
    points = [
        _point(name.partition(": ")[2], one)
        for name, one in rows.items()
        if name.startswith(f"{part}: ")
    ]
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


def _layers() -> list[Spec]:
    """Points with their intervals and names."""
    across: Spec = {
        **_quantity("accuracy", "Accuracy downstream"),
        "axis": {"format": ".0%", "tickCount": 6},
        "scale": {"zero": False, "nice": False, "padding": 40},
    }
    up = _quantity("auc", "AUC of tmi_lda") | {"scale": {"zero": False}}
    colours = [colour for colour, _ in SERIES[: len(KINDS)]]
    kinds = {"domain": KINDS, "range": colours}
    colour = {"field": "kind", "type": "nominal", "scale": kinds, "legend": None}
    ends = {"y": {**up, "field": "low"}, "y2": {"field": "high"}}
    text = {"type": "text", "align": "left", "dx": 7, "dy": -5, "fontSize": 9}
    point = {"type": "point", "filled": True, "size": 50}
    bar = {"type": "rule", "opacity": 0.5}
    shared = {"x": across, "color": colour}
    return [
        {"mark": bar, "encoding": {**shared, **ends}},
        {"mark": point, "encoding": {**shared, "y": up}},
        {"mark": text, "encoding": {**shared, "y": up, "text": {"field": "name"}}},
    ]


def _quantity(field: str, title: str) -> Spec:
    return {"field": field, "type": "quantitative", "title": title}
