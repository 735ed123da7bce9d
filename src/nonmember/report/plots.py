"""The pictures of a report, as Vega-Lite specifications, and their drawing as static SVG.

A specification's ``description`` carries its numbers and becomes the text alternative.
"""

import html
from collections.abc import Iterable, Sequence

import numpy as np
import vl_convert

from nonmember.audit.records import AttackResult, Histogram, TargetResult
from nonmember.errors import RunError
from nonmember.evaluation.roc import Curve
from nonmember.report import words
from nonmember.report.theme import (
    INK,
    LABEL_LIMIT,
    MEMBER,
    NON_MEMBER,
    REST,
    SERIES,
    SPACED_PERCENT,
    Spec,
    drawable,
    log_scale,
    specification,
)

POINTS_PER_DECADE = 100
LETTER = 6.5  # pixels; the reader's font is not known when room is made for labels
WIDE_FONT = {**dict.fromkeys("fijlrt_", 5.0), **dict.fromkeys("mw", 12.0)}  # others 7.5
LONG = 20  # letters; of shorter labels, what a wide font adds is lost in the padding


def svg(spec: Spec) -> str:
    """Draw ``spec`` as one SVG element that stands alone and has a text alternative."""
    drawn: str = vl_convert.vegalite_to_svg(drawable({**spec, "description": ""}))
    alternative = html.escape(words.visible(spec["description"]))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{alternative}" ', 1)


def by_auc(attacks: Iterable[AttackResult]) -> tuple[AttackResult, ...]:
    """The attacks, highest AUC first; of equals, by name."""
    return tuple(sorted(attacks, key=lambda attack: (-attack.auc.value, attack.name)))


def forest(target: TargetResult) -> Spec:
    """The AUC of each attack with its simultaneous interval; a hollow point saw no model.

    Raises:
        RunError: no attack ran on ``target``.
    """
    attacks = _ranked(target)
    rows = [
        {
            "attack": attack.name,
            "low": attack.simultaneous.low,
            "auc": attack.simultaneous.value,
            "high": attack.simultaneous.high,
            "label": words.three_digits(attack.simultaneous.value),
            "fill": "var(--paper, #fff)" if attack.blind else MEMBER,
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
    label = {"type": "text", "align": "left", "dx": 7, "fontSize": 12}
    return [
        {"mark": {"type": "rule", "strokeDash": [4, 3]} | INK, "encoding": chance},
        {"mark": {"type": "rule", "strokeWidth": 2, "color": MEMBER}, "encoding": ends},
        {
            "mark": {"type": "point", "size": 60, "opacity": 1, "stroke": MEMBER},
            "encoding": {"x": {"field": "auc", **place}, "fill": fill},
        },
        {
            "mark": label | INK,
            "encoding": {"x": {"field": "high", **place}, "text": {"field": "label"}},
        },
    ]


def roc(target: TargetResult) -> Spec:
    """The ROC curves on two logarithmic axes; what lies left of 1/non-members is greyed.

    The strongest attacks are told apart by colour and dash, the others share one grey.

    Raises:
        RunError: no attack ran on ``target``.
    """
    attacks = _ranked(target)
    resolution = 1 / max(attack.non_members for attack in attacks)
    start = resolution / 2.5
    return specification(
        _roc_sentence(target, attacks),
        width=400,
        height=400,
        layer=[*_unresolved(start, resolution), _chance(start), _curves(attacks, start)],
    )


def _roc_sentence(target: TargetResult, attacks: Sequence[AttackResult]) -> str:
    found = [
        f"{attack.name} finds {words.rate(point.tpr)} of {point.members} members while flagging "
        f"at most {words.chosen_percent(point.fpr)} of {point.non_members} non-members"
        for attack in attacks
        for point in attack.tpr
    ]
    listed = "; ".join(found) or "the sample is too small for a true-positive rate at a low FPR"
    return f"ROC curves of {len(attacks)} attacks on {target.name}, log-log axes: {listed}."


def _unresolved(start: float, resolution: float) -> list[Spec]:
    return [
        {
            "data": {"values": [{"from": start, "to": resolution}]},
            "mark": {"type": "rect", "opacity": 0.13} | INK,
            "encoding": {"x": log_scale("from", "", start), "x2": {"field": "to"}},
        },
        {
            "data": {"values": [{"middle": float(np.sqrt(start * resolution))}]},
            "mark": {
                "type": "text",
                "text": f"unresolved: below 1 of {round(1 / resolution)} non-members",
                "angle": 270,
                "fontSize": 11,
            }
            | INK,
            "encoding": {"x": log_scale("middle", "", start), "y": {"value": 200}},
        },
    ]


def _chance(start: float) -> Spec:
    ends = [{"fpr": start, "tpr": start}, {"fpr": 1, "tpr": 1}]
    return {
        "data": {"values": ends},
        "mark": {"type": "line", "strokeDash": [4, 3], "strokeWidth": 1} | INK,
        "encoding": _axes(start),
    }


def _curves(attacks: Sequence[AttackResult], start: float) -> Spec:
    named = [attack.name for attack in attacks[: len(SERIES)]]
    others = len(attacks) - len(named)
    rest = f"{others} other{'s' if others > 1 else ''}"
    domain = [*named, rest] if others else named
    styles = [*SERIES[: len(named)], REST] if others else SERIES[: len(named)]
    colours, dashes = zip(*styles, strict=True)
    rows = [
        {"attack": attack.name, "series": attack.name if attack.name in named else rest, **point}
        for attack in reversed(attacks)  # the strongest is drawn last, on top
        for point in corners(attack.curve, 1 / attack.non_members, start)
    ]
    series = {"field": "series", "type": "nominal"}
    legend = {"orient": "bottom", "columns": 2, "columnPadding": 40, "symbolType": "stroke"}
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {
            **_axes(start),
            "detail": {"field": "attack"},
            "color": series | {"scale": {"domain": domain, "range": colours}, "legend": legend},
            "strokeDash": series | {"scale": {"domain": domain, "range": dashes}, "legend": legend},
        },
    }


def corners(curve: Curve, resolution: float, floor: float) -> list[dict[str, float]]:
    """The points of ``curve`` that a log-log step line needs, at most some 100 per decade.

    A rate of zero has no place on a logarithmic axis: an FPR of zero is drawn at
    ``resolution``, the smallest that was measured, and a TPR below ``floor`` on the axis.
    """
    fpr = np.maximum(curve.fpr, resolution)
    tpr = np.maximum(curve.tpr, floor)
    bucket = np.floor(np.log10(fpr) * POINTS_PER_DECADE)
    last_in_bucket = np.append(np.diff(bucket) > 0, True)
    return [
        {"fpr": float(x), "tpr": float(y)}
        for x, y in zip(fpr[last_in_bucket], tpr[last_in_bucket], strict=True)
    ]


def _axes(start: float) -> Spec:
    return {
        "x": log_scale("fpr", "False-positive rate", start),
        "y": log_scale("tpr", "True-positive rate", start),
    }


def histogram(attack: AttackResult) -> Spec:
    """How the scores of members and non-members spread, as shares of each side."""
    counts = attack.histogram
    sides = {"members": counts.members, "non-members": counts.non_members}
    rows = [
        {"from": low, "to": high, "share": count / max(1, sum(side)), "side": _label(name, side)}
        for name, side in sides.items()
        for low, high, count in zip(counts.edges, counts.edges[1:], side, strict=False)
    ]
    return specification(
        _histogram_sentence(attack.name, counts),
        height=190,
        data={"values": rows},
        mark={"type": "bar", "opacity": 0.55, "binSpacing": 0},
        encoding=_histogram_axes([_label(name, side) for name, side in sides.items()]),
    )


def _histogram_axes(sides: Sequence[str]) -> Spec:
    score = {"field": "from", "bin": "binned", "title": "Score (larger: likelier a member)"}
    share = {"field": "share", "stack": None, "title": "Share of each side"}
    percents = {"format": "~%", "labelExpr": SPACED_PERCENT, "tickCount": 5}
    squares = {"symbolType": "square", "symbolSize": 140}
    return {
        "x": {**score, "type": "quantitative", "axis": {"grid": False}},
        "x2": {"field": "to"},
        "y": {**share, "type": "quantitative", "axis": percents},
        "color": {
            "field": "side",
            "type": "nominal",
            "scale": {"domain": sides, "range": [MEMBER, NON_MEMBER]},
            "legend": {"orient": "top", "columnPadding": 30, **squares},
        },
    }


def _label(side: str, counts: Sequence[int]) -> str:
    return f"{sum(counts)} {side}"


def _histogram_sentence(name: str, counts: Histogram) -> str:
    halves = [
        f"half of the {_label(side, bins)} score below {_median(counts.edges, bins):.3g}"
        for side, bins in (("members", counts.members), ("non-members", counts.non_members))
    ]
    return f"Histogram of the scores of {name}: {'; '.join(halves)}."


def _median(edges: Sequence[float], bins: Sequence[int]) -> float:
    reached = np.cumsum(bins) * 2 >= sum(bins)
    return edges[int(np.argmax(reached)) + 1]


def _ranked(target: TargetResult) -> tuple[AttackResult, ...]:
    if not target.attacks:
        raise RunError(f"{target.name}: no attack ran, so there is nothing to draw; add one")
    return by_auc(target.attacks)
