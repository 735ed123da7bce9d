"""What follows from a run of defended classifiers, in sentences that are said only when true."""

from collections.abc import Callable, Iterator, Sequence

from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.worth import GuardResult
from nonmember.evaluation.intervals import Interval
from nonmember.report import words
from nonmember.report.classifiers import difference
from nonmember.report.defended import Row, Table, of_diffusion

FENCE, TRIVIAL = "diffence", "constant_confidence"
VACUOUS = 50.0  # epsilon, in nats, above which a guarantee bounds nothing of use
BUDGET = ("epsilon", "delta")
INFERENCE = "inference"
NO_PROMISE = "That less leaks through scores does not mean that membership is protected."

Figure = Callable[[Row], Interval | None]
MEASURES: dict[str, tuple[Figure, bool]] = {
    "AUC of the strongest attack on scores": (
        lambda row: row.scores.simultaneous if row.scores else None,
        False,
    ),
    "calibration error": (
        lambda row: row.target.classifier.calibration_error if row.target.classifier else None,
        False,
    ),
    "cross-entropy": (
        lambda row: row.target.classifier.loss if row.target.classifier else None,
        False,
    ),
    "Brier score": (
        lambda row: row.target.classifier.brier if row.target.classifier else None,
        False,
    ),
    "AUC of its confidence, right answers against wrong": (
        lambda row: row.target.classifier.confidence_auc if row.target.classifier else None,
        True,
    ),
}
"""What two defenses of one model are compared by, and whether more of it is better."""
LEAKAGE, CALIBRATION, *_ = MEASURES


def sentences(found: Table, results: Results) -> list[str]:
    """What follows for the targets of a run, each sentence with its figures.

    Two targets are the same model where their weights are, by content: what differs is then
    what stands before them. Differences are in percentage points.
    """
    fenced = [row for row in found.rows if _before(row)]
    changes = [(row, change) for row in fenced for change in _change(row, found.rows)]
    return [
        *(_leakage(row, *change) for row, change in changes),
        *([NO_PROMISE] if any(change.high < 0 for _, (_, change) in changes) else []),
        *_labels(fenced, found.rows),
        *(line for row in fenced if FENCE in _before(row) for line in _earned(row, found.rows)),
        *_secret(found.rows, results),
        *(line for row in found.rows for line in _vacuous(row.target)),
    ]


def _before(row: Row) -> tuple[str, ...]:
    """The defenses that stand before a target, by name."""
    return tuple(one.name for one in row.target.defenses if one.stage == INFERENCE)


def _named(row: Row) -> str:
    return f"{row.target.name} (behind {' and '.join(_before(row))})"


def _same_model(row: Row, rows: Sequence[Row]) -> Iterator[Row]:
    """The other targets of the same weights."""
    mine = _weights(row.target)
    return (one for one in rows if one is not row and mine and _weights(one.target) == mine)


def _bare(row: Row, rows: Sequence[Row]) -> Row | None:
    """The same model with nothing before it."""
    return next((one for one in _same_model(row, rows) if not _before(one)), None)


def _weights(target: TargetResult) -> str:
    model = target.provenance.get("model")
    return str(model.get("digest", "")) if isinstance(model, dict) else ""


def _change(row: Row, rows: Sequence[Row]) -> Iterator[tuple[Row, Interval]]:
    """The same model with nothing before it, and how the AUC of scores differs from its."""
    bare = _bare(row, rows)
    if bare is not None and bare.scores is not None and row.scores is not None:
        yield bare, difference(row.scores.simultaneous, bare.scores.simultaneous)


def _leakage(row: Row, bare: Row, change: Interval) -> str:
    """What scores tell with the defense, and without it."""
    assert row.scores is not None
    assert bare.scores is not None
    said = (
        "leaks less through scores"
        if change.high < 0
        else "leaks more through scores"
        if change.low > 0
        else "is not shown to leak less through scores"
    )
    return (
        f"{_named(row)} {said} than {bare.target.name}, the same model with nothing before it: "
        f"AUC {_found(row.scores)} against {_found(bare.scores)}, {words.points(change.value)} "
        f"points ({words.points_range(change)})."
    )


def _found(attack: AttackResult) -> str:
    return f"{words.auc(attack.simultaneous)} by {attack.name}"


def _labels(fenced: Sequence[Row], rows: Sequence[Row]) -> Iterator[str]:
    """What labels tell: of targets that have theirs as before, all of one model at once."""
    kept: dict[str, list[Row]] = {}
    for row in fenced:
        guard = row.target.guard
        if guard is not None and any(side.value for side in guard.changed):
            yield _changed(row, guard, _bare(row, rows))
        elif guard is not None:
            kept.setdefault(_weights(row.target) or row.target.name, []).append(row)
    for alike in kept.values():
        yield _unchanged(alike, _bare(alike[0], rows))


def _changed(row: Row, guard: GuardResult, bare: Row | None) -> str:
    inside, outside = map(words.rate, guard.changed)
    told = f"{_named(row)} gives another label to {inside} of members and {outside} of non-members"
    mine, before = row.target.classifier, bare.target.classifier if bare else None
    if bare is None or mine is None or before is None:
        return f"{told}."
    change = difference(mine.accuracy, before.accuracy)
    return (
        f"{told}; from {bare.target.name} its accuracy differs by {words.points(change.value)} "
        f"points ({words.points_range(change)})."
    )


def _unchanged(rows: Sequence[Row], bare: Row | None) -> str:
    whose, one = " and ".join(map(_named, rows)), len(rows) == 1
    guard, best = rows[0].target.guard, rows[0].labels
    assert guard is not None
    told = (
        f"{whose} {'answers' if one else 'answer'} each of {sum(guard.counts):,} candidates with "
        "the label that the model itself gives, so an attack that reads labels alone finds what "
        "it found before"
    )
    if best is None:
        return f"{told}; none was run, and how much that is is not known."
    more = [row.target.name for row in rows if _more_by_labels(row)]
    beyond = f" That is more than scores tell of {' and '.join(more)}." if more else ""
    before = bare.labels if bare else None
    without = f", and without them {_found(before)}" if before else ""
    return f"{told}: AUC {_found(best)}{without}.{beyond}"


def _more_by_labels(row: Row) -> bool:
    if row.labels is None or row.scores is None:
        return False
    return row.labels.simultaneous.value > row.scores.simultaneous.value


def _earned(row: Row, rows: Sequence[Row]) -> Iterator[str]:
    """Whether Diffence does better than the label alone, told with the same confidence always."""
    trivial = next((one for one in _same_model(row, rows) if _before(one) == (TRIVIAL,)), None)
    if trivial is None:
        yield (
            f"Whether Diffence earns its cost in {row.target.name} is not known: no target is the "
            f"same model behind {TRIVIAL} alone, which costs nothing; add one."
        )
        return
    better = [name for name in MEASURES if _better(name, row, trivial)]
    listed = "; ".join(_both(name, row, trivial) for name in better)
    rest = f"Diffence is better at: {listed}." if better else "Diffence is shown better at nothing."
    leaks, errs = (
        [MEASURES[name][0](one) for one in (row, trivial)] for name in (LEAKAGE, CALIBRATION)
    )
    if not (leaks[0] and leaks[1] and errs[0] and errs[1]):
        return
    beside = f"Beside {trivial.target.name} ({TRIVIAL}, the same model)"
    if leaks[1].value <= leaks[0].high and errs[1].value < errs[0].value:
        both = "; ".join(_both(name, row, trivial) for name in (LEAKAGE, CALIBRATION))
        yield f"{beside}, Diffence does not earn its cost in {row.target.name}: {both}. {rest}"
        return
    other = [name for name in MEASURES if _better(name, trivial, row)]
    worse = "; ".join(_both(name, row, trivial) for name in other)
    yield f"{beside}: {rest}" + (f" It is worse at: {worse}." if other else "")


def _better(name: str, row: Row, other: Row) -> bool:
    """Whether ``row`` is, beyond what chance explains."""
    figure, more = MEASURES[name]
    mine, theirs = figure(row), figure(other)
    if mine is None or theirs is None:
        return False
    ahead = difference(mine, theirs) if more else difference(theirs, mine)
    return ahead.low > 0


def _both(name: str, row: Row, other: Row) -> str:
    mine, theirs = (MEASURES[name][0](one) for one in (row, other))
    assert mine is not None and theirs is not None
    return f"{name} {words.auc(mine)} against {words.auc(theirs)}"


def _secret(rows: Sequence[Row], results: Results) -> Iterator[str]:
    """Whom the diffusion model itself gives away."""
    about = results.provenance.get("diffusion") or {}
    trained_on = about.get("trained on")
    if trained_on == "members":
        yield (
            "The diffusion model was trained on members: its weights are as secret as the "
            "classifier's, and whoever has both can tell more than this run shows."
        )
    elif trained_on == "unknown":
        yield (
            "What the diffusion model was trained on is not known here: if on members, its "
            "weights are as secret as the classifier's."
        )
    told = [one for row in rows for one in row.target.attacks if of_diffusion(one)]
    if told:
        able = "tells members" if told[0].simultaneous.low > 0.5 else "is not shown to tell members"
        yield f"Whoever has the diffusion model alone {able}: AUC {_found(told[0])}."


def _vacuous(target: TargetResult) -> Iterator[str]:
    for one in target.defenses:
        budget = {name: value for name, value in (one.spent or {}).items() if name in BUDGET}
        if budget.get("epsilon", 0.0) > VACUOUS:
            yield (
                f"The guarantee of {one.name} in {target.name} is vacuous: {words.spent(budget)}; "
                f"above epsilon {VACUOUS:g} it bounds nothing of use."
            )
