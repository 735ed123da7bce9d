"""One self-contained HTML page of a run: verdicts first, then what carries them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nonmember.audit import whole
from nonmember.audit.records import AttackResult, Results, TargetResult
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.inferiority import no_worse
from nonmember.evaluation.intervals import Interval, clopper_pearson
from nonmember.report import (
    advice,
    annex,
    attackers,
    classifiers,
    curves,
    histograms,
    plots,
    roles,
    scripts,
    words,
)
from nonmember.report.study import study, tpr_at
from nonmember.report.tradeoff import shown, tradeoff

FILTERS = {
    "auc": words.auc,
    "auc_range": words.auc_range,
    "chosen_percent": words.chosen_percent,
    "excerpt": words.excerpt,
    "moment": words.moment,
    "p_value": words.p_value,
    "counts": words.counts,
    "duration": words.duration,
    "percent": words.percent,
    "plain": words.plain,
    "rate": words.rate,
    "points": words.points,
    "points_range": words.points_range,
    "rate_range": words.rate_range,
    "sent": words.sent,
    "settings": words.settings,
    "signed": words.signed,
    "signed_range": words.signed_range,
    "size": words.size,
    "size_range": words.size_range,
    "sized": words.sized,
    "spent": words.spent,
    "three_digits": words.three_digits,
}
GLOBALS = {
    "adaptive": roles.ADAPTIVE,
    "annex": annex.annex,
    "annex_preface": annex.PREFACE,
    "attacker": attackers.attacker,
    "clopper_pearson": clopper_pearson,
    "no_worse": no_worse,
    "marks": {True: "leaks", False: "clean", None: "withheld"},
    "perplexity": words.perplexity,
    "scripts": scripts,
    "states": words.STATES,
}


@dataclass(frozen=True)
class Chapter:
    """One target as the page shows it: attacks by AUC, the drawings, the findings sorted."""

    target: TargetResult
    attacks: tuple[AttackResult, ...]
    strongest: AttackResult | None
    fprs: tuple[float, ...]
    by_role: roles.Table | None
    gap: Interval | None
    drawings: Mapping[str, plots.Drawing]


def render(results: Results, texts: Mapping[str, str] | None = None) -> str:
    """The page as one HTML document that makes no request, and reads the same without scripts.

    Args:
        results: the run.
        texts: exposed records' texts by record id; None withholds them, and the page says so.

    Returns:
        HTML in which every foreign string is escaped, cut where long, and made visible.
    """
    beside = study(results)
    placed = shown(beside.lines) if beside else []
    chapters = [chapter(target) for target in results.targets]
    return (
        environment()
        .get_template("page.jinja")
        .render(
            results=results,
            level=words.chosen_percent(results.level),
            wording=words.WORDING[results.kind],
            texts=texts,
            study=beside,
            tradeoff=plots.drawing(tradeoff(placed)) if len(placed) > 1 else None,
            steps=advice.steps(results),
            chapters=chapters,
            drawn=any(one.drawings for one in chapters),
            references=classifiers.references(results),
            findings=_gathered(results),
            tested=_tested(results),
        )
    )


def write(results: Results, path: Path, texts: Mapping[str, str] | None = None) -> None:
    """Write the page to ``path`` in one step: a reader sees the old page or the new one.

    Args:
        results: the run.
        path: where the page goes; its folder exists.
        texts: as in ``render``.

    Raises:
        OSError: the folder is missing or not writable; ``path`` is then as it was.
    """
    whole.write(path, render(results, texts).encode())


def chapter(target: TargetResult) -> Chapter:
    """Sort and draw what the page says about ``target``."""
    attacks = plots.by_auc(target.attacks)
    strongest = next((attack for attack in attacks if attack.name == target.strongest), None)
    fprs = sorted({point.fpr for attack in attacks for point in attack.tpr}, reverse=True)
    specs = {}
    if attacks:
        specs = {"forest": plots.forest(target), "roc": curves.roc(target)}
    if strongest:
        specs["histogram"] = histograms.histogram(strongest, attacks)
    drawn = {name: plots.drawing(spec) for name, spec in specs.items()}
    by_role, gap = roles.table(target), classifiers.gap(target)
    return Chapter(target, attacks, strongest, tuple(fprs), by_role, gap, drawn)


def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nonmember", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS | {"serious": _serious, "tpr_at": tpr_at}
    environment.globals |= GLOBALS
    return environment


def _shown(value: Any) -> Any:
    return words.visible(value) if type(value) is str else value


def _serious(findings: tuple[Finding, ...]) -> list[Finding]:
    return sorted(
        (finding for finding in findings if finding.severity != "note"),
        key=lambda finding: finding.severity,
    )


def _gathered(results: Results) -> dict[Finding, list[str]]:
    """Each finding once, with the targets it is about; none means the whole run."""
    gathered: dict[Finding, list[str]] = {finding: [] for finding in results.findings}
    for target in results.targets:
        for finding in target.findings:
            gathered.setdefault(finding, []).append(target.name)
    return gathered


def _tested(results: Results) -> list[AttackResult]:
    """Each attack once per set of options, by name."""
    seen = {
        (attack.name, words.plain(attack.options)): attack
        for target in results.targets
        for attack in target.attacks
    }
    return sorted(seen.values(), key=lambda attack: attack.name)
