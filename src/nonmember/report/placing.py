"""Where a target lies between what attacks find and what it is worth, by what kind it is of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, inf

from nonmember.audit.worth import Utility
from nonmember.evaluation.intervals import Interval
from nonmember.report import defended, words
from nonmember.report.study import Line
from nonmember.report.theme import Spec

LONGEST_NAME = 26  # characters
DEFENDED, UNDEFENDED = "defended", "trained without a defense"
CHILD, BARE = "fine-tuned", "without a defense"


@dataclass(frozen=True)
class Placing:
    """How targets of one kind are placed, and what is said of it.

    ``place`` gives a target's point and the ends of its bars, ``told`` the same in words;
    ``most`` is the largest worth that there is, ``rising``: more of it is better.
    """

    what: str
    across: str
    digits: str
    up: str
    most: float
    place: Callable[[Line], Spec]
    told: Callable[[Line], str]
    rising: bool = False


def of(lines: Sequence[Line]) -> Placing:
    """How the targets are placed; all are of one kind."""
    first = lines[0].target
    if first.downstream:
        return DOWNSTREAM
    return CLASSIFIERS if first.classifier else LANGUAGE


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _point(line: Line, kind: str, worth: Interval, auc: Interval) -> Spec:
    ends = {"perplexity": worth.value, "cheapest": worth.low, "dearest": worth.high}
    drawn = {"auc": auc.value, "low": auc.low, "high": auc.high}
    return {"name": _cut(line.target.name), "kind": kind, **ends, **drawn}


def _read(line: Line) -> Spec:
    assert line.strongest and line.target.utility and line.perplexity
    cheapest, dearest = _paired(line.target.utility)
    paired = Interval(cheapest, line.perplexity.value, dearest, line.perplexity.level)
    kind = DEFENDED if line.target.defenses else UNDEFENDED
    return _point(line, kind, paired, line.strongest.simultaneous)


def _paired(utility: Utility) -> tuple[float, float]:
    """The ends of the perplexity, as far as the paired change from ``against`` is unsure."""
    change, loss = utility.loss_change, min(utility.loss.value, words.LARGEST_LOSS)
    if change is None:
        return exp(loss), exp(loss)
    return exp(loss + change.low - change.value), exp(loss + change.high - change.value)


def _read_told(line: Line) -> str:
    assert line.strongest and line.perplexity
    return (
        f"{line.target.name} ({line.defended}) AUC {words.auc(line.strongest.simultaneous)} by "
        f"{line.strongest.name}, perplexity {words.sized(line.perplexity)}"
    )


def _tuned(line: Line) -> Spec:
    assert line.target.downstream and line.target.in_turn
    return _point(line, CHILD, line.target.downstream.accuracy, line.target.in_turn.auc)


def _tuned_told(line: Line) -> str:
    assert line.target.downstream and line.target.in_turn
    worth, found = line.target.downstream.accuracy, line.target.in_turn.auc
    return (
        f"{line.target.name} ({line.defended}) AUC {words.auc(found)}, accuracy {words.rate(worth)}"
    )


def _classified(line: Line) -> Spec:
    row = defended.row(line.target)
    assert row.scores and line.target.classifier
    kind = DEFENDED if line.target.defenses else BARE
    point = _point(line, kind, line.target.classifier.loss, row.scores.simultaneous)
    if row.labels is None:
        return point
    found = row.labels.simultaneous
    return point | {"labels": found.value, "labels low": found.low}


def _classified_told(line: Line) -> str:
    row = defended.row(line.target)
    assert row.scores and line.target.classifier
    by = [("scores", row.scores), ("labels alone", row.labels)]
    told = (f"by {what} {words.auc(one.simultaneous)}" for what, one in by if one)
    loss = words.auc(line.target.classifier.loss)
    return f"{line.target.name} ({line.defended}) AUC {', '.join(told)}, cross-entropy {loss} nats"


LANGUAGE = Placing(
    what="Strongest attack's AUC against held-out perplexity",
    across="Perplexity on held-out texts (left is better)",
    digits="",
    up="AUC of the strongest attack (0.5 is chance)",
    most=inf,
    place=_read,
    told=_read_told,
)
DOWNSTREAM = Placing(
    what="Mean AUC of references in turn against held-out downstream accuracy",
    across="Accuracy on held-out downstream examples (right is better)",
    digits=".0%",
    up="Mean AUC, every reference in turn (0.5 is chance)",
    most=1.0,
    place=_tuned,
    told=_tuned_told,
    rising=True,
)
CLASSIFIERS = Placing(
    what="Strongest attacks' AUC against held-out cross-entropy",
    across="Cross-entropy on non-members, nats (left is better)",
    digits="",
    up="AUC of the strongest attack (0.5 is chance)",
    most=inf,
    place=_classified,
    told=_classified_told,
)
