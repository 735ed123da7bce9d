"""Tables of the documentation that are results/*.json in Markdown, by the name pages give them.

A page holds each between two comments, and `document.py` writes it anew between them.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from machine import RESULTS

DEFENDED = (
    "learned",
    "single score",
    "label-only",
    "gap",
    "accuracy",
    "ece",
    "cross-entropy",
    "confidence auc",
)
REFERENCES = ("repeated_queries", "lira", "lira_offline", "rmia")
SIZES = ("100", "500", "2000")
TRANSFER = ("accuracy", "tmi_lda", "placebo")
REWRITTEN = ("loss", "reference_difference", "wbc")
TARGETS = ("undefended", "soft 1.0")


@cache
def results(name: str) -> dict[str, Any]:
    """What was measured, by part."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def markdown(what: str, heads: Sequence[str], rows: Iterable[Sequence[str]], edge: str = "") -> str:
    """A table; ``edge`` is ":" where cells are numbers under each other."""
    lines = [f"| {what} | {' | '.join(heads)} |", "|---|" + f"---{edge}|" * len(heads)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def defended(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str] = DEFENDED) -> str:
    """Targets of an audit, each figure (low, value, high)."""
    cells = ((name, *(ends(row.get(key)) for key in columns)) for name, row in rows.items())
    return markdown("target", columns, cells)


def ends(one: Sequence[float] | None) -> str:
    """A figure before its ends, without the naught."""
    if one is None:
        return "-"
    low, value, high = (f"{end:.3f}".removeprefix("0") for end in one)
    return f"{value} ({low} to {high})" if low != high else value


def _of_set(part: str) -> str:
    return defended(results("diffence")[part]["rows" if part.endswith("summary") else "targets"])


def _with_references() -> str:
    targets = results("diffence")["digits.references.0"]["targets"]
    return defended({name: row["auc"] for name, row in targets.items()}, REFERENCES)


def _speed() -> str:
    """Ratios of one run, and seconds, each beside its aim."""
    found = results("diffence")["speed"]
    small, large, aims = found["digits, MLP"], found["32x32, UNet"], found["aims"]
    grid, search = found["grid"], found["interval search"]
    second = "second classifier / first"
    rows = (
        ("fence / its networks alone, 32 x 32 UNet", _turns(large["fence / bare"]), "overhead"),
        ("the same, MLP of digits", _turns(small["fence / bare"]), "overhead"),
        (
            f"copies for {grid['rows']} rows, each on its own / together",
            grid["fewer than by row"],
            "",
        ),
        (
            f"... each of {grid['ways of training']} ways of training on its own / together",
            grid["fewer than by way of training"],
            "grid",
        ),
        (
            f"interval search, {search['inputs']:,} x {search['copies of each']}, seconds",
            _turns(search["seconds"]["js"]),
            "interval search, seconds",
        ),
        ("a loop over inputs and copies / the search", search["loop / search"], ""),
        (
            "second classifier on kept copies / first, UNet",
            _turns(large[second]),
            "second classifier",
        ),
    )
    told = ((what, str(one), str(aims.get(aim, ""))) for what, one, aim in rows)
    return markdown("", ("measured", "aim"), told)


def _turns(one: Mapping[str, float]) -> str:
    return ends((one["low"], one["median"], one["high"]))


def _seeds(one: Mapping[str, Any] | None) -> str:
    """The mean over seeds before the lowest and the highest."""
    return "-" if one is None else ends((one["low"], one["value"], one["high"]))


def _transfer(name: str) -> str:
    found = results(name)["seeds"]
    rows = (
        (part, str(len(one["tmi_lda"]["seeds"])), *(_seeds(one.get(key)) for key in TRANSFER))
        for part, one in found.items()
        if "tmi_lda" in one
    )
    return markdown("children", ("seeds", *TRANSFER), rows)


def _soft() -> str:
    """Of every domain the undefended model, and the one whose records are all rewritten."""
    rows = []
    for part, found in results("soft")["seeds"].items():
        for target in TARGETS:
            one = found["targets"][target]
            cells = [_seeds(one["auc"][attack]) for attack in REWRITTEN]
            worth = _seeds(one["utility"]["perplexity"])
            name = f"{part.removeprefix('domains.')}, {target}"
            rows.append((name, str(len(one["auc"]["loss"]["seeds"])), *cells, worth))
    heads = ("seeds", *REWRITTEN, "perplexity")
    return markdown("domain, target", heads, rows)


def _bounds() -> str:
    rates = results("null_bounds")["false alarms"]["rates"]
    sizes = [f"n = {int(n):,}" for n in next(iter(rates.values()))]
    rows = ((name, *_shares(each.values())) for name, each in rates.items())
    return markdown("bound", sizes, rows, ":")


def _simulated(part: str, what: str) -> str:
    heads = (*(f"n = {int(n):,}" for n in SIZES), "simulations of each")
    rows = (
        (name, *_shares(one[n] for n in SIZES), ", ".join(map(str, one["simulations"])))
        for name, one in results("null_intervals")[part].items()
        if isinstance(one, dict) and "simulations" in one
    )
    return markdown(what, heads, rows, ":")


def _shares(values: Iterable[float]) -> list[str]:
    return [f"{share:.1%}" for share in values]


TABLES: Mapping[str, Callable[[], str]] = {
    "diffence: digits": partial(_of_set, "digits.summary"),
    "diffence: digits, references": _with_references,
    "diffence: Fashion-MNIST": partial(_of_set, "fashion.0"),
    "diffence: CIFAR-10": partial(_of_set, "cifar10.0"),
    "diffence: CIFAR-10, residual network": partial(_of_set, "resnet.0"),
    "diffence: speed": _speed,
    "soft: seeds": _soft,
    "transfer: photographs, seeds": partial(_transfer, "tmi_images"),
    "transfer: texts, seeds": partial(_transfer, "tmi_texts"),
    "nulls: bounds": _bounds,
    "nulls: tests": partial(_simulated, "false alarms", "test"),
    "nulls: intervals": partial(_simulated, "coverage", "interval"),
}
"""By name, what writes them."""
