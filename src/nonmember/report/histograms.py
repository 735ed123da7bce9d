"""How the scores of members and of non-members spread, of one attack at a time."""

from collections.abc import Sequence

import numpy as np

from nonmember.audit.records import AttackResult, Histogram
from nonmember.report.theme import MEMBER, NON_MEMBER, SPACED_PERCENT, Spec, specification, told

SHOWN = "shown"  # the attack whose scores are seen
SIDES = ("members", "non-members")


def histogram(attack: AttackResult, others: Sequence[AttackResult] = ()) -> Spec:
    """The scores of ``attack``, as shares of each side; a reader may choose one of ``others``."""
    attacks = [attack, *(other for other in others if other.name != attack.name)]
    names = [one.name for one in attacks]
    choice = {"input": "select", "options": names, "name": "Scores of"}
    return specification(
        _sentence(attack.name, attack.histogram),
        params=[{"name": SHOWN, "value": attack.name, "bind": choice}],
        height=190,
        data={"values": [row for one in attacks for row in _rows(one)]},
        transform=[
            {"filter": f"datum.attack == {SHOWN}"},
            {"flatten": ["from", "to", "count"]},
            {"calculate": "datum.count / max(1, datum.all)", "as": "share"},
            {"calculate": "datum.count + ' of ' + datum.all + ' ' + datum.side", "as": "records"},
        ],
        mark={"type": "bar", "opacity": 0.55, "binSpacing": 0},
        encoding=_axes(),
    )


def _rows(attack: AttackResult) -> list[Spec]:
    counts = attack.histogram
    bins = {"from": list(counts.edges[:-1]), "to": list(counts.edges[1:])}
    return [
        {"attack": attack.name, "side": name, "all": sum(side), "count": list(side), **bins}
        for name, side in zip(SIDES, (counts.members, counts.non_members), strict=True)
    ]


def _axes() -> Spec:
    score = {"field": "from", "bin": "binned", "title": "Score (larger: likelier a member)"}
    place = {"scale": {"zero": False, "nice": False}, "axis": {"grid": False}}
    share = {"field": "share", "stack": None, "title": "Share of each side"}
    percents = {"format": "~%", "labelExpr": SPACED_PERCENT, "tickCount": 5}
    squares = {"symbolType": "square", "symbolSize": 140}
    ends = [
        {"field": end, "type": "quantitative", "title": title, "format": ".4~g"}
        for end, title in (("from", "Scores from"), ("to", "to"))
    ]
    return {
        "x": {**score, "type": "quantitative", **place},
        "x2": {"field": "to"},
        "y": {**share, "type": "quantitative", "axis": percents},
        "color": {
            "field": "side",
            "type": "nominal",
            "scale": {"domain": list(SIDES), "range": [MEMBER, NON_MEMBER]},
            "legend": {"orient": "top", "columnPadding": 30, **squares},
        },
        **told({"records": "Records"}, *ends),
    }


def _sentence(name: str, counts: Histogram) -> str:
    halves = [
        f"half of the {sum(bins)} {side} score below {_median(counts.edges, bins):.3g}"
        for side, bins in zip(SIDES, (counts.members, counts.non_members), strict=True)
    ]
    return f"Histogram of the scores of {name}: {'; '.join(halves)}."


def _median(edges: Sequence[float], bins: Sequence[int]) -> float:
    reached = np.cumsum(bins) * 2 >= sum(bins)
    return edges[int(np.argmax(reached)) + 1]
