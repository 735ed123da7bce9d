"""ROC curves on two logarithmic axes, where what a small sample cannot resolve is greyed."""

from collections.abc import Sequence

import numpy as np

from nonmember.audit.records import AttackResult, TargetResult
from nonmember.evaluation.roc import Curve
from nonmember.report import words
from nonmember.report.plots import ranked
from nonmember.report.theme import (
    HOVER,
    INK,
    REST,
    SERIES,
    Spec,
    log_scale,
    specification,
    told,
)

POINTS_PER_DECADE = 100
ALONE = "alone"  # the attack whose curve alone is seen
FAINT = 0.08  # of the others
RATES = ["fpr", "tpr"]


def roc(target: TargetResult) -> Spec:
    """The ROC curves on two logarithmic axes; what lies left of 1/non-members is greyed.

    The strongest attacks are told apart by colour and dash, the others share one grey.

    Raises:
        RunError: no attack ran on ``target``.
    """
    attacks = ranked(target)
    resolution = 1 / max(attack.non_members for attack in attacks)
    start = resolution / 2.5
    best = [attack for attack in attacks if attack.name == target.strongest]
    return specification(
        _roc_sentence(target, attacks),
        params=[_one_of(attacks)],
        width=400,
        height=400,
        layer=[
            *_unresolved(start, resolution),
            _chance(start),
            _curves(attacks, start),
            *(_rates(attack, resolution, start) for attack in best if attack.tpr),
        ],
    )


def _one_of(attacks: Sequence[AttackResult]) -> Spec:
    """What a reader chooses to see alone, the curve of one attack; at first all are seen."""
    names = [attack.name for attack in attacks]
    choice = {"input": "select", "options": [None, *names], "labels": ["all", *names]}
    return {"name": ALONE, "value": None, "bind": {**choice, "name": "Show"}}


def _rates(attack: AttackResult, resolution: float, start: float) -> Spec:
    """The rates of ``attack`` that are told in figures, with their intervals."""
    rows = [
        {
            "fpr": max(point.measured_fpr.value, resolution),
            **{end: max(getattr(point.tpr, end), start) for end in ("low", "value", "high")},
            "rate": f"{words.rate(point.tpr)} of {point.members}",
            "at": f"{words.chosen_percent(point.fpr)}, measured {words.rate(point.measured_fpr)}",
        }
        for point in attack.tpr
    ]
    x = _axes(start)["x"]
    low, middle = ({**_axes(start)["y"], "field": end} for end in ("low", "value"))
    asked = told({"rate": f"TPR of {attack.name}", "at": "FPR"})
    bar = {"type": "rule", "strokeWidth": 5, "opacity": 0.3, "color": SERIES[0][0]}
    dot = {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": SERIES[0][0]}
    return {
        "data": {"values": rows},
        "layer": [
            {"mark": bar, "encoding": {"x": x, "y": low, "y2": {"field": "high"}} | asked},
            {"name": "rates", "mark": dot, "encoding": {"x": x, "y": middle} | asked},
        ],
    }


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
    rows = [
        {
            "attack": attack.name,
            "series": attack.name if attack.name in named else rest,
            **{rate: [point[rate] for point in points] for rate in RATES},
        }
        for attack in reversed(attacks)  # the strongest is drawn last, on top
        for points in [corners(attack.curve, 1 / attack.non_members, start)]
    ]
    color, dash = _styles([*named, rest] if others else named, rest=bool(others))
    chosen = {"test": f"{ALONE} == null || datum.attack == {ALONE}", "value": 1}
    line = {
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
        "encoding": {"strokeDash": dash, "opacity": {"condition": chosen, "value": FAINT}},
    }
    return {
        "data": {"values": rows},
        "transform": [{"flatten": RATES}],
        "encoding": {**_axes(start), "detail": {"field": "attack"}, "color": color},
        "layer": [line, _points()],
    }


def _styles(domain: Sequence[str], *, rest: bool) -> tuple[Spec, Spec]:
    """Colour and dash of each series; the last is that of the rest, if there is one."""
    styles = [*SERIES[: len(domain) - 1], REST] if rest else SERIES[: len(domain)]
    colours, dashes = zip(*styles, strict=True)
    legend = {"orient": "bottom", "columns": 2, "columnPadding": 40, "symbolType": "stroke"}
    color, dash = (
        {
            "field": "series",
            "type": "nominal",
            "scale": {"domain": [*domain], "range": looks},
            "legend": legend,
        }
        for looks in (colours, dashes)
    )
    return color, dash


def _points() -> Spec:
    """The points of the curves: that under the pointer is seen and tells its two rates."""
    under = {"type": "point", "on": "pointerover", "clear": "pointerout"}
    rates = [
        {"field": rate, "type": "quantitative", "title": title, "format": ".3~%"}
        for rate, title in (("tpr", "True-positive rate"), ("fpr", "False-positive rate"))
    ]
    return {
        "name": HOVER,
        "transform": [{"filter": f"{ALONE} == null || datum.attack == {ALONE}"}],
        "params": [{"name": "under", "select": under}],
        "mark": {"type": "point", "filled": True, "size": 120},
        "encoding": {
            "opacity": {"condition": {"param": "under", "empty": False, "value": 1}, "value": 0},
            **told({"attack": "Attack"}, *rates),
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
