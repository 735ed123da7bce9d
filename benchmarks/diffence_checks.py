"""What was expected of the study of Diffence, and what was measured: true or false, each."""

from collections.abc import Iterator, Mapping
from typing import Any

import diffence_kept as kept
from diffence_figures import COLUMNS, over_seeds
from diffence_parts import Study
from tables import defended

SETS = ("digits", "fashion", "cifar10", "resnet")
SPREAD = 0.03  # two standard errors of an AUC over three splits, and more

DIGITS: tuple[tuple[str, str, float, float], ...] = (
    ("undefended", "learned", 0.81, 0.85),
    ("undefended", "single score", 0.69, 0.73),
    ("undefended", "accuracy", 0.72, 0.78),
    ("undefended", "on members", 1.0, 1.0),
    ("undefended", "label-only", 0.73, 0.81),
    ("undefended", "ece", 0.14, 0.20),
    ("temperature", "learned", 0.813, 0.813),
    ("clipped confidence", "learned", 0.782, 0.782),
    ("label alone", "learned", 0.629, 0.629),
    ("label alone", "ece", 0.002, 0.016),
    ("s3", "learned", 0.62, 0.64),
    ("s3", "single score", 0.61, 0.65),
    ("s3", "label-only", 0.73, 0.81),
    ("s3", "ece", 0.16, 0.20),
    ("s3, N = 5", "learned", 0.628, 0.628),
    ("s3, N = 1", "single score", 0.599, 0.631),
    ("mean", "learned", 0.594, 0.594),
    ("mean", "ece", 0.09, 0.12),
)
"""Target, figure, and the range that the specification gives."""

SHARES: tuple[tuple[str, str, int, float, float], ...] = (
    ("s3", "labels kept by copies", 0, 0.66, 0.66),
    ("s3", "labels kept by copies", 1, 0.59, 0.59),
    ("s3", "fell back", 1, 0.0, 0.002),
    ("s3, N = 5", "fell back", 1, 0.03, 0.06),
    ("s3, N = 1", "fell back", 1, 0.33, 0.43),
)
"""The same of members (0) or non-members (1)."""

Rows = Mapping[str, Mapping[str, Any]]


def checks(study: Study) -> None:
    """Sum up what was kept, over seeds, and hold it against what was expected."""
    held = kept.everything()
    for name in SETS:
        runs = [
            found["targets"]
            for part, found in held.items()
            if part.removeprefix(f"{name}.").isdigit()
        ]
        if not runs:
            continue
        rows = over_seeds(runs)
        print(f"{name}\n{defended(rows, COLUMNS)}", flush=True)
        found = {one: answer for one, answer in _checks(name, rows)}
        told = [f"{'holds' if one['holds'] else 'MISSED'}: {what}" for what, one in found.items()]
        print("\n".join(told), flush=True)
        if not study.tiny:
            kept.put(f"{name}.summary", {"rows": rows, "checks": found})


def _checks(name: str, rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _everywhere(rows)
    if name != "digits":
        return
    for row, figure, low, high in DIGITS:
        if figure in rows.get(row, {}):
            yield f"{row}: {figure}", _within(rows[row][figure], low, high)
    for row, figure, side, low, high in SHARES:
        if figure in rows.get(row, {}):
            of = ("members", "non-members")[side]
            yield f"{row}: {figure}, of {of}", _within(rows[row][figure][side], low, high)


def _within(ends: list[float], low: float, high: float) -> dict[str, Any]:
    """Whether the mean over seeds lies in a range, or as far from it as chance may put it."""
    holds = low - SPREAD <= ends[1] <= high + SPREAD
    return {"holds": holds, "expected": [low, high], "spread": SPREAD, "measured": ends}


def _everywhere(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is claimed on every data set."""
    fenced, alone = rows.get("s3"), rows.get("label alone")
    changed = [one["labels changed"] for row, one in rows.items() if _keeps(row, one)]
    same = all(side[2] == 0 for pair in changed for side in pair)
    yield "no label is changed", {"holds": same, "targets": len(changed)}
    if fenced and "undefended" in rows:
        fall = rows["undefended"]["learned"][1] - fenced["learned"][1]
        yield "s3 lowers the learned attack", {"holds": fall > SPREAD, "points": round(fall, 4)}
        over = fenced["learned"][1] - fenced["gap"][1]
        yield "s3 reaches the gap's floor", {"holds": over <= SPREAD, "above it": round(over, 4)}
    if fenced and alone:
        yield from _worth(fenced, alone)


def _keeps(row: str, found: Mapping[str, Any]) -> bool:
    """Whether something stands before a target that is to leave labels alone."""
    return "labels changed" in found and row not in ("mean", "majority")


def _worth(fenced: Mapping[str, Any], alone: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The label alone against Diffence: on attacks, and on what is left of the confidence."""
    for figure in ("learned", "single score", "ece", "cross-entropy", "brier"):
        more = alone[figure][1] - fenced[figure][1]
        told = {"holds": more <= (SPREAD if figure in ("learned", "single score") else 0)}
        yield (
            f"label alone is no worse than s3: {figure}",
            {**told, "label alone": alone[figure], "s3": fenced[figure]},
        )
    ranks = fenced["confidence auc"][1] - 0.5
    yield (
        "s3 keeps confidence that ranks",
        {"holds": ranks > SPREAD, "above chance": round(ranks, 4)},
    )
