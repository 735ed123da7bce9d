"""What all plots share: ink that follows the page, colours that colour-blind readers can tell.

Text and axes are drawn in ``currentColor`` and marks in CSS variables with a fallback, so
one drawing serves a light page, a dark one and paper.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from nonmember.report import words

Spec: TypeAlias = dict[str, Any]

MEMBER = "var(--member, #0072b2)"
NON_MEMBER = "var(--non-member, #c05a00)"
# Dash patterns repeat what the colours say, for readers who do not see the colours.
SERIES: tuple[tuple[str, list[int]], ...] = (
    ("var(--series-1, #0072b2)", [1, 0]),
    ("var(--series-2, #c05a00)", [8, 3]),
    ("var(--series-3, #00805f)", [2, 2]),
    ("var(--series-4, #a34f8c)", [9, 3, 2, 3]),
    ("var(--series-5, #8a6d00)", [4, 3]),
)
REST: tuple[str, list[int]] = ("var(--rest, #8f8f8f)", [1, 0])
LABEL_LIMIT = 170  # pixels
INK = {"color": "currentColor"}
HOVER = "hover"  # a layer that only a pointer needs
SILENT = {"aria": False}  # of parts of a picture: its description says what they show

THEME: Spec = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "mark": SILENT,
    "axis": {
        **SILENT,
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "domainColor": "currentColor",
        "tickColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "labelFontSize": 12,
        "labelFlush": False,
        "labelLimit": LABEL_LIMIT,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "legend": {
        **SILENT,
        "labelColor": "currentColor",
        "labelFontSize": 12,
        "labelLimit": 220,
        "title": None,
        "symbolSize": 320,
        "symbolStrokeWidth": 2,
    },
}

SPACED_PERCENT = f"replace(datum.label, '%', '{words.PERCENT}')"
LONGEST_LABEL = 200  # characters


def specification(description: str, **parts: Any) -> Spec:
    """A Vega-Lite specification of the shared look; ``description`` is its text alternative."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "background": None,
        "padding": 4,
        "width": 360,
        "config": THEME,
        **parts,
    }


def drawable(part: Any) -> Any:
    """``part`` with its strings cut and made visible: on control characters Vega aborts Python."""
    if isinstance(part, str):
        return words.excerpt(part, LONGEST_LABEL)
    if isinstance(part, Mapping):
        return {key: drawable(inner) for key, inner in part.items()}
    if isinstance(part, list | tuple):
        return [drawable(inner) for inner in part]
    return part


def still(spec: Spec) -> Spec:
    """``spec`` without what only a pointer needs."""
    if "layer" not in spec:
        return spec
    return {**spec, "layer": [still(one) for one in spec["layer"] if one.get("name") != HOVER]}


def told(fields: Mapping[str, str], *more: Spec) -> Spec:
    """What a pointer is told of a mark: fields that are texts, by their titles, and ``more``."""
    texts = [{"field": name, "type": "nominal", "title": title} for name, title in fields.items()]
    return {"tooltip": [*texts, *more]}


def log_scale(field: str, title: str, start: float) -> Spec:
    """The encoding of a rate on a logarithmic axis from ``start`` to 1."""
    steps = (1, 2, 5) if start > 1e-3 else (1,)
    decades = range(int(np.floor(np.log10(start))), 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    return {
        "field": field,
        "type": "quantitative",
        "scale": {"type": "log", "domain": [start, 1], "nice": False},
        "axis": {
            "title": title,
            "values": [tick for tick in ticks if start <= tick <= 1],
            "format": "~%",
            "labelExpr": SPACED_PERCENT,
            "labelOverlap": False,
        },
    }
