"""The pictures of the study of SOFT, drawn from its results."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from nonmember.report.plots import svg
from nonmember.report.theme import SERIES, Spec, specification

WHOM = ("all", "raw", "rewritten")
ROLE = {"raw": "raw", "rewritten": "rewritten"}
VARIABLE = r"var\(--[\w-]+, ([^)]+)\)"
AUC = {"type": "quantitative", "scale": {"domain": [0.3, 1], "clamp": True}}
SHOWN = ("loss", "reference_difference")  # by how far the loss fell
SMALL, LARGE = 150, 300  # pixels


def picture(kept: Mapping[str, Any]) -> str:
    """One SVG: AUC by ratio and role for each domain, and AUC by how far the loss fell.

    Args:
        kept: what was measured, by part; of a domain or a model at least.
    """
    domains = {
        part.removeprefix("domains."): found["targets"]
        for part, found in kept.items()
        if part.startswith("domains.")
    }
    models = {
        part.removeprefix("models."): found["curve"]
        for part, found in kept.items()
        if part.startswith("models.")
    }
    rows = [row for name, targets in domains.items() for row in _ratios(name, targets)]
    points = [point for name, curve in models.items() for point in _points(name, curve)]
    parts = ([_by_ratio(rows)] if rows else []) + ([_by_drop(points)] if points else [])
    listed = [f"{row['domain']}, ratio {row['ratio']}, {row['of']}: {row['auc']}" for row in rows]
    listed += [
        f"{one['attack']} on {one['model']}, loss drop {one['drop']}: {one['auc']}"
        for one in points
    ]
    whole = specification(f"AUC of the surest attack. {'; '.join(listed)}.", vconcat=parts)
    del whole["width"]
    apart = {"resolve": {"scale": {"color": "independent", "strokeDash": "independent"}}}
    drawn = svg({**whole, **apart, "background": "white", "spacing": 30})
    return re.sub(VARIABLE, r"\1", drawn)  # no page around it sets any


def _ratios(domain: str, targets: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The surest attack on all members and on those of each role, at every ratio."""
    for name, target in targets.items():
        ratio = 0.0 if name == "undefended" else float(name.removeprefix("soft "))
        found = {"all": target["best attack"]}
        for whom, role in ROLE.items():
            if role in target["roles"]:
                found[whom] = target["roles"][role]["best attack"]
        for whom, one in found.items():
            low, auc, high = one["auc"]
            ends = {"low": low, "auc": auc, "high": high}
            yield {"domain": domain, "ratio": ratio, "of": whom, **ends}


def _points(model: str, curve: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """What two attacks find after each number of epochs."""
    for row in curve:
        for attack in SHOWN:
            low, auc, high = row["auc"][attack]
            at = {"model": model, "attack": attack, "drop": row["loss drop"]["members"]}
            yield {**at, "low": low, "auc": auc, "high": high}


def _by_ratio(rows: list[dict[str, Any]]) -> Spec:
    x = {"field": "ratio", "type": "quantitative", "title": "Ratio", "axis": {"tickCount": 5}}
    return {
        "data": {"values": rows},
        "facet": {"field": "domain", "type": "nominal", "title": None, "sort": None},
        "columns": 4,
        "spec": {"width": SMALL, "height": SMALL, "layer": _layers(x, "of", WHOM)},
    }


def _by_drop(points: list[dict[str, Any]]) -> Spec:
    x = {"field": "drop", "type": "quantitative", "title": "Members' loss drop, nats per token"}
    names = tuple(dict.fromkeys(one["model"] for one in points))
    return {
        "data": {"values": points},
        "facet": {"field": "attack", "type": "nominal", "title": None, "sort": SHOWN},
        "columns": len(SHOWN),
        "spec": {"width": LARGE, "height": LARGE * 2 // 3, "layer": _layers(x, "model", names)},
    }


def _layers(x: Spec, by: str, names: tuple[str, ...]) -> list[Spec]:
    """Lines with points and intervals, in a colour and a dash of their own."""
    colours, dashes = zip(*SERIES[: len(names)], strict=True)
    series = {"field": by, "type": "nominal", "legend": {"orient": "right", "symbolType": "stroke"}}
    colour = series | {"scale": {"domain": names, "range": colours}}
    dash = series | {"scale": {"domain": names, "range": dashes}}
    y = {"field": "auc", "title": "AUC", **AUC}
    bar = {"y": {"field": "low", "title": "AUC", **AUC}, "y2": {"field": "high"}}
    return [
        {"mark": {"type": "rule", "opacity": 0.5}, "encoding": {"x": x, **bar, "color": colour}},
        {
            "mark": {"type": "line", "point": True},
            "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash},
        },
    ]
