"""What follows from a run of defended classifiers, in sentences that are said only when true."""

from collections.abc import Callable, Iterator, Sequence

from nonmember.audit.counterparts import TRIVIAL, before, of_diffusion, weights
from nonmember.audit.counterparts import bare as bare_of
from nonmember.audit.counterparts import trivial as trivial_of
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.audit.worth import DifferenceResult, GuardResult
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.paired import unpaired
from nonmember.report import words
from nonmember.report.defended import Row, Table

FENCE = "diffence"
VACUOUS = 50.0  # epsilon, in nats, above which a guarantee bounds nothing of use
BUDGET = ("epsilon", "delta")
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
    fenced = [row for row in found.rows if before(row.target)]
    beside = [
        (row, bare) for row in fenced for bare in _bare(row, found.rows) if _scored(row, bare)
    ]
    changes = [(*both, _more(LEAKAGE, *both, results)) for both in beside]
    return [
        *(_leakage(*change) for change in changes),
        *([NO_PROMISE] if any(change.high < 0 for *_, change in changes) else []),
        *_labels(fenced, found.rows),
        *(
            line
            for row in fenced
            if FENCE in before(row.target)
            for line in _earned(row, found.rows, results)
        ),
        *_secret(found.rows, results),
        *(line for row in found.rows for line in _vacuous(row.target)),
    ]


def _named(row: Row) -> str:
    return f"{row.target.name} (behind {' and '.join(before(row.target))})"


def _bare(row: Row, rows: Sequence[Row]) -> list[Row]:
    """The same model with nothing before it, if there is one."""
    other = bare_of(row.target, [one.target for one in rows])
    return [one for one in rows if one.target is other]


def _scored(*rows: Row) -> bool:
    """Whether attacks on scores gave a figure of each."""
    return all(row.scores is not None for row in rows)


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
            yield _changed(row, guard, next(iter(_bare(row, rows)), None))
        elif guard is not None:
            kept.setdefault(weights(row.target) or row.target.name, []).append(row)
    for alike in kept.values():
        yield _unchanged(alike, next(iter(_bare(alike[0], rows)), None))


def _changed(row: Row, guard: GuardResult, bare: Row | None) -> str:
    inside, outside = map(words.rate, guard.changed)
    told = f"{_named(row)} gives another label to {inside} of members and {outside} of non-members"
    mine, known = row.target.classifier, bare.target.classifier if bare else None
    if bare is None or mine is None or known is None:
        return f"{told}."
    change = unpaired(known.accuracy, mine.accuracy)
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
    alone = bare.labels if bare else None
    without = f", and without them {_found(alone)}" if alone else ""
    return f"{told}: AUC {_found(best)}{without}.{beyond}"


def _more_by_labels(row: Row) -> bool:
    if row.labels is None or row.scores is None:
        return False
    return row.labels.simultaneous.value > row.scores.simultaneous.value


def _earned(row: Row, rows: Sequence[Row], results: Results) -> Iterator[str]:
    """Whether Diffence does better than the label alone, told with the same confidence always."""
    other = trivial_of(row.target, [one.target for one in rows])
    trivial = next((one for one in rows if one.target is other), None)
    if trivial is None:
        yield (
            f"Whether Diffence earns its cost in {row.target.name} is not known: no target is the "
            f"same model behind {TRIVIAL} alone, which costs nothing; add one."
        )
        return
    ahead = {name: _better(name, row, trivial, results) for name in MEASURES}
    better = [name for name, said in ahead.items() if said]
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
    worse = "; ".join(_both(name, row, trivial) for name, said in ahead.items() if said is False)
    yield f"{beside}: {rest}" + (f" It is worse at: {worse}." if worse else "")


def _better(name: str, row: Row, other: Row, results: Results) -> bool | None:
    """Whether ``row`` is, beyond what chance explains; None where chance explains it."""
    figure, more = MEASURES[name]
    if figure(row) is None or figure(other) is None:
        return None
    found = _more(name, row, other, results)
    return (found.value > 0) == more if found.excludes(0.0) else None


def _more(name: str, row: Row, other: Row, results: Results) -> Interval:
    """By how much a figure of ``row`` is larger than ``other``'s.

    From the same records where their scores were held against each other; else as if the records
    were not the same, which makes the interval rather too wide.
    """
    mine, theirs = (MEASURES[name][0](one) for one in (row, other))
    assert mine is not None
    assert theirs is not None
    same = _paired(row, other, results) if name == LEAKAGE else None
    return same.simultaneous if same else unpaired(theirs, mine)


def _paired(row: Row, other: Row, results: Results) -> DifferenceResult | None:
    """The difference in the AUC of the strongest attack on scores, each its own."""
    assert row.scores is not None
    assert other.scores is not None
    wanted = (row.target.name, other.target.name, row.scores.name, other.scores.name, None)
    return next(
        (
            one
            for one in results.differences
            if (one.target, one.against, one.attack, one.attack_against, one.fpr) == wanted
        ),
        None,
    )


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
        epsilon = budget.get("epsilon")
        if isinstance(epsilon, int | float) and epsilon > VACUOUS:
            yield (
                f"The guarantee of {one.name} in {target.name} is vacuous: {words.spent(budget)}; "
                f"above epsilon {VACUOUS:g} it bounds nothing of use."
            )
