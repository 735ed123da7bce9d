"""The targets of a run side by side."""

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table

from nonmember.audit.between import Comparison
from nonmember.audit.records import AttackResult
from nonmember.audit.worth import DifferenceResult
from nonmember.console.figures import ABSENT, change, digits, perplexity, points, share
from nonmember.console.streams import escape, out
from nonmember.evaluation.intervals import Interval
from nonmember.report import defended, words
from nonmember.report.study import Line, Study


def table(found: Study) -> Table:
    """A row per target; a cell has a line for each line of its column's heading."""
    if found.guarded is not None:
        return _guarded(found.guarded)
    how = "fine-tuned" if found.downstream else "defense"
    columns: dict[str, Callable[[Line], Sequence[str]]] = {
        f"model\n{how}": lambda line: (line.target.name, line.defended),
        "verdict": lambda line: (line.state,),
        "strongest attack\nits AUC" + _at(found.fpr): lambda line: _strongest(line, found.fpr),
    }
    if found.by_role:
        columns["AUC on raw members\non rewritten ones"] = _raw_and_rewritten
    if found.useful:
        columns["perplexity\naccuracy" + "\nchange of loss" * found.changes] = _worth
    if found.downstream:
        columns["every reference in turn\naccuracy downstream\ncalibration error"] = _downstream
    if found.correct:
        columns["accuracy\non the members\ncalibration error"] = _correct
    rows = Table(*columns, box=box.SIMPLE, show_lines=True)
    for line in found.lines:
        rows.add_row(*(escape("\n".join(cell(line))) for cell in columns.values()))
    return rows


def _guarded(found: defended.Table) -> Table:
    """The same of defended classifiers: what labels alone tell beside what scores tell."""
    columns: dict[str, Callable[[defended.Row], Sequence[str]]] = {
        "model\ndefense": lambda row: (row.target.name, row.defended),
        "by scores\nits AUC": lambda row: _found(row.scores),
        "by labels alone\nits AUC": lambda row: _found(row.labels),
        "accuracy\ncalibration error": _right,
    }
    rows = Table(*columns, box=box.SIMPLE, show_lines=True)
    for row in found.rows:
        rows.add_row(*(escape("\n".join(cell(row))) for cell in columns.values()))
    return rows


def _found(attack: AttackResult | None) -> list[str]:
    return [attack.name, digits(attack.simultaneous)] if attack else [ABSENT]


def _right(row: defended.Row) -> list[str]:
    known = row.target.classifier
    return [share(known.accuracy), digits(known.calibration_error)] if known else [ABSENT]


def _at(fpr: float | None) -> str:
    return "" if fpr is None else f"\nTPR at FPR {fpr:g}"


def _strongest(line: Line, fpr: float | None) -> list[str]:
    if line.strongest is None:
        return [ABSENT]
    rate = [share(line.rate.tpr) if line.rate else ABSENT] if fpr is not None else []
    return [line.strongest.name, digits(line.strongest.simultaneous), *rate]


def _raw_and_rewritten(line: Line) -> list[str]:
    return [digits(one.simultaneous) if one else ABSENT for one in (line.raw, line.rewritten)]


def _worth(line: Line) -> list[str]:
    utility = line.target.utility
    if utility is None or line.perplexity is None:
        return [ABSENT]
    changed = [change(utility.loss_change)] if utility.loss_change else []
    return [perplexity(line.perplexity), share(utility.accuracy), *changed]


def _correct(line: Line) -> list[str]:
    known = line.target.classifier
    if known is None:
        return [ABSENT]
    shares = map(share, (known.accuracy, known.accuracy_on_members))
    return [*shares, digits(known.calibration_error)]


def _downstream(line: Line) -> list[str]:
    known, turned = line.target.downstream, line.target.in_turn
    if known is None:
        return [ABSENT]
    found = digits(turned.auc) if turned else ABSENT
    return [found, share(known.accuracy), digits(known.calibration_error)]


def differences(found: Sequence[DifferenceResult]) -> Table:
    """A row per figure of two models: what is found of either, and how they differ."""
    columns: dict[str, Callable[[DifferenceResult], Sequence[str]]] = {
        "model\nagainst": lambda one: (one.target, one.against),
        "figure\nrecords": lambda one: (_figure(one), f"{one.members}+{one.non_members}"),
        "of the model\nby": lambda one: (_either(one, one.second), one.attack),
        "of the other\nby": lambda one: (_either(one, one.first), one.attack_against),
        "points\nfor all at once": lambda one: (points(one.change), points(one.simultaneous)),
        "Holm\nalone": _chance,
    }
    rows = Table(*columns, box=box.SIMPLE, show_lines=True)
    for one in found:
        rows.add_row(*(escape("\n".join(cell(one))) for cell in columns.values()))
    return rows


def _figure(one: DifferenceResult) -> str:
    return "AUC" if one.fpr is None else f"TPR at FPR {one.fpr:g}"


def _either(one: DifferenceResult, found: Interval) -> str:
    return digits(found) if one.fpr is None else share(found)


def _chance(one: DifferenceResult) -> list[str]:
    if one.adjusted is None or one.p_value is None:
        return ["not paired"]
    return [words.p_value(one.adjusted), words.p_value(one.p_value)]


def comparison(found: Comparison) -> None:
    """Print every run beside the first: what differs, and of which records."""
    for one in found.beside:
        names = f"{one.second} beside {one.first}"
        out.print(f"\n[bold]{escape(names)}[/]", highlight=False)
        held = f"{one.common:,} records are in both, of {one.records[0]:,} and {one.records[1]:,}"
        moved = f"; {one.moved:,} more are on another side" if one.moved else ""
        told = f"The same {one.common:,} records." if one.paired else f"Not paired: {held}{moved}."
        out.print(told, highlight=False)
        out.print(differences(one.differences))
        if one.alone:
            alone = ", ".join(one.alone)
            out.print(escape(f"Without a counterpart: {alone}."), highlight=False)
