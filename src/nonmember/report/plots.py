"""The pictures of a report, as Vega-Lite specifications, and their drawing as static SVG.

A specification's ``description`` carries its numbers and becomes the text alternative. Layers
named ``HOVER`` answer to the pointer, and a still picture has none.
"""

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import vl_convert
from markupsafe import Markup

from nonmember.audit.records import AttackResult, TargetResult
from nonmember.errors import RunError
from nonmember.report import words
from nonmember.report.theme import (
    INK,
    LABEL_LIMIT,
    MEMBER,
    Spec,
    drawable,
    specification,
    still,
    told,
)

LETTER = 6.5  # pixels; the reader's font is not known when room is made for labels
WIDE_FONT = {**dict.fromkeys("fijlrt_", 5.0), **dict.fromkeys("mw", 12.0)}  # others 7.5
LONG = 20  # letters; of shorter labels, what a wide font adds is lost in the padding


@dataclass(frozen=True)
class Drawing:
    """One picture twice: ``still`` as SVG, and ``live``, the JSON that a script draws it from."""

    still: Markup
    live: Markup


def drawing(spec: Spec) -> Drawing:
    """``spec`` drawn, and ready to be drawn anew in a browser."""
    return Drawing(Markup(svg(spec)), Markup(_embedded(spec)))


def svg(spec: Spec) -> str:
    """Draw ``spec`` as one SVG element that stands alone and has a text alternative."""
    drawn: str = vl_convert.vegalite_to_svg(drawable({**still(spec), "description": ""}))
    alternative = html.escape(words.visible(spec["description"]))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{alternative}" ', 1)


def _embedded(spec: Spec) -> str:
    """``spec`` as JSON that no text in it can break out of; figures have six digits."""
    whole = words.rounded(drawable(spec)) | {"description": words.visible(spec["description"])}
    text = json.dumps(whole, allow_nan=False, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def by_auc(attacks: Iterable[AttackResult]) -> tuple[AttackResult, ...]:
    """The attacks, highest AUC first; of equals, by name."""
    return tuple(sorted(attacks, key=lambda attack: (-attack.auc.value, attack.name)))


def forest(target: TargetResult) -> Spec:
    """The AUC of each attack with its simultaneous interval; a hollow point saw no model.

    Raises:
        RunError: no attack ran on ``target``.
    """
    attacks = ranked(target)
    rows = [
        {
            "attack": attack.name,
            "low": attack.simultaneous.low,
            "auc": attack.simultaneous.value,
            "high": attack.simultaneous.high,
            "label": words.three_digits(attack.simultaneous.value),
            "fill": "var(--paper, #fff)" if attack.blind else MEMBER,
            "interval": words.auc(attack.simultaneous),
            "records": f"{attack.members} members, {attack.non_members} non-members",
        }
        for attack in attacks
    ]
    listed = "; ".join(f"{attack.name} {words.auc(attack.simultaneous)}" for attack in attacks)
    lowest = float(np.floor(10 * min(0.3, *(attack.simultaneous.low for attack in attacks))) / 10)
    longest = max(_pixels(attack.name) for attack in attacks)
    room = {"axis": {"minExtent": min(longest, LABEL_LIMIT)}}
    return specification(
        f"AUC and simultaneous interval of {len(rows)} attacks on {target.name}: {listed}.",
        data={"values": rows},
        height={"step": 26},
        encoding={"y": {"field": "attack", "type": "nominal", "sort": None, "title": None} | room},
        layer=_forest_layers(lowest),
    )


def _pixels(name: str) -> float:
    """The room that a label needs, a long one in a wide font."""
    if len(name) < LONG:
        return LETTER * len(name)
    return sum(WIDE_FONT.get(letter, 7.5) for letter in name)


def _forest_layers(lowest: float) -> list[Spec]:
    place = {
        "type": "quantitative",
        "title": "AUC (0.5 is chance)",
        "scale": {"domain": [lowest, 1], "nice": False},
        "axis": {"format": ".1f", "values": np.arange(lowest, 1.05, 0.1).round(1).tolist()},
    }
    chance = {"x": {"datum": 0.5, **place}, "y": None}
    ends = {"x": {"field": "low", **place}, "x2": {"field": "high"}}
    fill = {"field": "fill", "type": "nominal", "scale": None}
    asked = told({"attack": "Attack", "interval": "AUC", "records": "Records"})
    label = {"type": "text", "align": "left", "dx": 7, "fontSize": 12}
    return [
        {"mark": {"type": "rule", "strokeDash": [4, 3]} | INK, "encoding": chance},
        {"mark": {"type": "rule", "strokeWidth": 2, "color": MEMBER}, "encoding": ends | asked},
        {
            "mark": {"type": "point", "size": 60, "opacity": 1, "stroke": MEMBER},
            "encoding": {"x": {"field": "auc", **place}, "fill": fill} | asked,
        },
        {
            "mark": label | INK,
            "encoding": {"x": {"field": "high", **place}, "text": {"field": "label"}},
        },
    ]


def ranked(target: TargetResult) -> tuple[AttackResult, ...]:
    """The attacks on ``target`` as ``by_auc`` has them.

    Raises:
        RunError: none ran.
    """
    if not target.attacks:
        raise RunError(f"{target.name}: no attack ran, so there is nothing to draw; add one")
    return by_auc(target.attacks)
