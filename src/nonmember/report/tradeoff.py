"""The picture of a study: what attacks find of each target against what the target is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nonmember.report import defended, placing
from nonmember.report.placing import BARE, CHILD, DEFENDED, UNDEFENDED, Placing
from nonmember.report.study import Line
from nonmember.report.theme import INK, MEMBER, NON_MEMBER, Spec, specification, told

WIDTH, HEIGHT = 420, 300  # pixels
LETTER, LINE_HEIGHT, GAP = 6.5, 14, 9  # pixels; the reader's font is not known
LEAST_SPAN = 0.05  # of the perplexity: what is nearer together is drawn near together
MARGIN = 0.15  # of the span, on either side
SHIFTS = sorted(range(-6, 7), key=abs)  # lines up or down, the nearest first


class Box(NamedTuple):
    """A rectangle of the drawing, in pixels from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether the two overlap."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)

    def inside(self) -> bool:
        """Whether it lies on the drawing; half a line may stand out above and below."""
        over = LINE_HEIGHT / 2
        across = self.left >= 0 and self.right <= WIDTH
        return across and self.top >= -over and self.bottom <= HEIGHT + over


def shown(lines: Sequence[Line]) -> list[Line]:
    """The targets that have a place in the picture: an attack ran, and the utility is known.

    Classifiers have none where nothing defends any of them.
    """
    compared = any(line.target.defenses for line in lines)
    return [
        line
        for line in lines
        if line.strongest
        if line.target.utility
        or (line.target.downstream and line.target.in_turn)
        or (compared and line.target.classifier and defended.row(line.target).scores)
    ]


def tradeoff(lines: Sequence[Line]) -> Spec:
    """What attacks find of each target over what it is worth, one labelled point per target.

    Of language models the AUC of the strongest attack over held-out perplexity. Vertical bars are
    the attacks' simultaneous intervals. Horizontal bars are the paired difference from the target
    trained without a defense: they say how sure the distance to it is, which is much surer than
    where either lies. Of models that are fine-tuned for another task, the mean AUC over
    references over the accuracy in that task; of defended classifiers the AUC of the strongest
    attack on scores over held-out cross-entropy, and hollow, of that on labels alone; all with
    their intervals. A thin line joins the targets that none is better than on both counts.

    Args:
        lines: one or more, such as ``shown`` keeps.
    """
    of = placing.of(lines)
    rows = [{**of.place(line), "told": of.told(line)} for line in lines]
    return specification(
        f"{of.what} of {len(rows)} models: {'; '.join(map(of.told, lines))}.",
        width=WIDTH,
        height=HEIGHT,
        data={"values": rows},
        layer=_layers(rows, of, _lowest(rows)),
    )


def _across(rows: Sequence[Spec], most: float) -> tuple[float, float]:
    """The ends of the axis of worth: all bars, some room, and no magnified trifle."""
    low, high = min(row["cheapest"] for row in rows), max(row["dearest"] for row in rows)
    span = max(high - low, LEAST_SPAN * high)
    middle = (low + high) / 2
    reach = span * (0.5 + MARGIN)
    return max(0.0, middle - reach), float(min(most, middle + reach))


def _lowest(rows: Sequence[Spec]) -> float:
    """The lower end of the axis of AUC: a tenth, with 0.5 and all bars above it."""
    ends = (row[end] for row in rows for end in ("low", "labels low") if end in row)
    return float(np.floor(10 * min(0.4, *ends)) / 10)


def _layers(rows: Sequence[Spec], of: Placing, lowest: float) -> list[Spec]:
    across = _across(rows, of.most)
    x = {
        "type": "quantitative",
        "title": of.across,
        "scale": {"domain": list(across), "nice": False, "zero": False},
        "axis": {"tickCount": 5, "grid": False, "format": of.digits},
    }
    y = {
        "type": "quantitative",
        "title": of.up,
        "scale": {"domain": [lowest, 1], "nice": False},
        "axis": {"format": ".1f", "values": np.arange(lowest, 1.05, 0.1).round(1).tolist()},
    }
    at = {"x": {"field": "perplexity", **x}, "y": {"field": "auc", **y}}
    return [
        {
            "mark": {"type": "rule", "strokeDash": [4, 3]} | INK,
            "encoding": {"y": {"datum": 0.5, **y}},
        },
        _line(front(rows, rising=of.rising), at),
        _bar({"x": at["x"], "y": {"field": "low", **y}, "y2": {"field": "high"}}),
        _bar({"x": {"field": "cheapest", **x}, "x2": {"field": "dearest"}, "y": at["y"]}),
        {
            "mark": {"type": "point", "size": 90, "opacity": 1, "filled": True},
            "encoding": at | _kinds(rows) | told({"name": "Model", "told": "Figures"}),
        },
        *_of_labels(rows, x, y),
        *_names(rows, across, lowest),
    ]


def front(rows: Sequence[Spec], *, rising: bool) -> list[Spec]:
    """The rows that no other is better than on one count and as good as on the other.

    By the estimates alone, and from the lowest worth to the highest.
    """

    def counts(row: Spec) -> tuple[float, float]:
        worth = row["perplexity"]
        return row["auc"], -worth if rising else worth

    def beaten(row: Spec) -> bool:
        auc, cost = counts(row)
        others = map(counts, rows)
        return any(a <= auc and c <= cost and (a, c) != (auc, cost) for a, c in others)

    return sorted((row for row in rows if not beaten(row)), key=lambda row: row["perplexity"])


def _line(best: Sequence[Spec], at: Spec) -> Spec:
    ends = [{key: row[key] for key in ("perplexity", "auc")} for row in best]
    mark = {"type": "line", "strokeWidth": 1, "opacity": 0.6}
    return {"data": {"values": ends}, "mark": mark | INK, "encoding": at}


def _of_labels(rows: Sequence[Spec], x: Spec, y: Spec) -> list[Spec]:
    """A hollow mark where labels alone tell, above or below what scores do."""
    if not any("labels" in row for row in rows):
        return []
    mark = {"type": "point", "size": 90, "opacity": 1, "filled": False, "shape": "diamond"}
    place = {"x": {"field": "perplexity", **x}, "y": {"field": "labels", **y}}
    return [
        {
            "data": {"values": [row for row in rows if "labels" in row]},
            "mark": mark | {"strokeWidth": 2},
            "encoding": place | {"color": {"field": "kind", "type": "nominal"}},
        }
    ]


def _bar(ends: Spec) -> Spec:
    return {
        "mark": {"type": "rule", "strokeWidth": 2},
        "encoding": ends | {"color": {"field": "kind", "type": "nominal"}},
    }


def _kinds(rows: Sequence[Spec]) -> Spec:
    """Colour and shape of a point; both say whether the target was defended."""
    circle = (MEMBER, "circle")
    square = (NON_MEMBER, "square")
    looks = {UNDEFENDED: square, BARE: square, DEFENDED: circle, CHILD: circle}
    there = [kind for kind in looks if any(row["kind"] == kind for row in rows)]
    colours, shapes = zip(*(looks[kind] for kind in there), strict=True)
    kind = {"field": "kind", "type": "nominal"}
    legend = {"orient": "top", "columnPadding": 30, "symbolSize": 90}
    return {
        "color": kind | {"scale": {"domain": there, "range": colours}, "legend": legend},
        "shape": kind | {"scale": {"domain": there, "range": shapes}, "legend": legend},
    }


def _names(rows: Sequence[Spec], across: tuple[float, float], lowest: float) -> list[Spec]:
    """Each target's name beside its point, clear of all else; a thin line leads to one far off."""
    places = _places(rows, _Frame(across, lowest))
    pixels = {"type": "quantitative", "scale": None, "axis": None}
    start = {"x": {"field": "left"} | pixels, "y": {"field": "middle"} | pixels}
    leader = {"x": {"field": "x"} | pixels, "y": {"field": "y"} | pixels}
    leader |= {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    name = {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12}
    return [
        {
            "data": {"values": [place for place in places if place["far"]]},
            "mark": {"type": "rule", "strokeWidth": 1, "opacity": 0.45} | INK,
            "encoding": leader,
        },
        {
            "data": {"values": places},
            "mark": name | INK,
            "encoding": start | {"text": {"field": "name"}},
        },
    ]


def _places(rows: Sequence[Spec], frame: "_Frame") -> list[Spec]:
    """Where each name is written, and where a line from its point would end."""
    chance = frame.down(0.5)
    taken = [Box(0, chance - 1, WIDTH, chance + 1)]
    taken += [bar for row in rows for bar in (frame.upright(row), frame.level(row))]
    taken += [frame.hollow(row) for row in rows if "labels" in row]
    places = []
    for row in rows:
        x, y = frame.right(row["perplexity"]), frame.down(row["auc"])
        name = _free(row["name"], frame.upright(row), y, taken)
        taken.append(name)
        middle = (name.top + name.bottom) / 2
        places.append(
            {"name": row["name"], "left": name.left, "middle": middle, "x": x, "y": y}
            | {"x2": min(max(x, name.left), name.right)}
            | {"y2": name.top if middle > y else name.bottom}
            | {"far": abs(middle - y) > LINE_HEIGHT}
        )
    return places


@dataclass(frozen=True)
class _Frame:
    """Where a value lies on the drawing, in pixels."""

    across: tuple[float, float]
    lowest: float

    def right(self, perplexity: float) -> float:
        return WIDTH * (perplexity - self.across[0]) / (self.across[1] - self.across[0])

    def down(self, auc: float) -> float:
        return HEIGHT * (1 - auc) / (1 - self.lowest)

    def upright(self, row: Spec) -> Box:
        """What the point and its interval of AUC cover."""
        x = self.right(row["perplexity"])
        return Box(x - GAP, self.down(row["high"]), x + GAP, self.down(row["low"]))

    def hollow(self, row: Spec) -> Box:
        """What the mark of labels alone covers."""
        x, y = self.right(row["perplexity"]), self.down(row["labels"])
        return Box(x - GAP, y - GAP, x + GAP, y + GAP)

    def level(self, row: Spec) -> Box:
        """What the paired interval of perplexity covers."""
        y = self.down(row["auc"])
        return Box(self.right(row["cheapest"]), y - 2, self.right(row["dearest"]), y + 2)


def _free(name: str, bar: Box, y: float, taken: Sequence[Box]) -> Box:
    """The nearest place beside ``bar`` that is free; if none is, the one to its right."""
    places = list(_beside(name, bar, y))
    return next(
        (place for place in places if place.inside() and not any(map(place.meets, taken))),
        places[0],
    )


def _beside(name: str, bar: Box, y: float) -> Iterator[Box]:
    width = LETTER * len(name)
    for shift in SHIFTS:
        top = y + (shift - 0.5) * LINE_HEIGHT
        for left in (bar.right, bar.left - width, (bar.left + bar.right - width) / 2):
            yield Box(left, top, left + width, top + LINE_HEIGHT)
