"""What is kept of an audit of the study of Diffence, over seeds, and as tables."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from nonmember.audit.records import AttackResult, DefenseResult, TargetResult
from nonmember.audit.worth import ClassifierUtility, GuardResult
from nonmember.evaluation.intervals import Interval

SINGLE = ("loss", "confidence", "entropy", "modified_entropy")
"""Scores of one answer that are compared with one threshold."""
DIFFUSED = "self_diffused_learned"
LABEL_ONLY = (DIFFUSED, "self_diffused", "augmentation_learned", "augmentation")
COLUMNS = (
    "learned",
    "single score",
    "gap",
    "label-only",
    "score accuracy",
    "best accuracy",
    "accuracy",
    "on members",
    "ece",
    "cross-entropy",
    "brier",
    "confidence auc",
)
Row = Mapping[str, Any]


def figures(target: TargetResult) -> dict[str, Any]:
    """What is kept of one target; intervals are low end, estimate, high end."""
    asked = [one for one in target.attacks if not one.blind]
    return {
        **_attacked(asked),
        **_worth(target.classifier),
        **_before(target.guard),
        "auc": {one.name: ends(one.auc) for one in asked},
        "tpr at 1% fpr": {one.name: ends(one.tpr[0].tpr) for one in asked if one.tpr},
        "attack accuracy": {one.name: ends(one.accuracy) for one in asked if one.accuracy},
        "defenses": [_defense(one) for one in target.defenses],
        "findings": sorted({one.code for one in target.findings}),
    }


def _attacked(asked: Sequence[AttackResult]) -> dict[str, Any]:
    """The figures that are compared, and the attacks that they are of."""
    single = _best([one for one in asked if one.name in SINGLE])
    labels = [one for one in asked if one.name in LABEL_ONLY]
    surest = max(asked, key=_accuracy)
    by_score = max((one for one in asked if one.access == "scores"), key=_accuracy)
    found = {one.name: ends(one.auc) for one in asked}
    return {
        "learned": found.get("nn_attack"),
        "single score": ends(single.auc),
        "single score, attack": single.name,
        "gap": found.get("gap"),
        "label-only": ends(_best(labels).auc) if labels else None,
        "label-only, attack": _best(labels).name if labels else None,
        "best accuracy": ends(surest.accuracy),
        "best accuracy, attack": surest.name,
        "score accuracy": ends(by_score.accuracy),
        "score accuracy, attack": by_score.name,
    }


def _defense(one: DefenseResult) -> dict[str, Any]:
    spent = dict(one.spent) if one.spent else None
    return {"name": one.name, "options": dict(one.options), "spent": spent}


def _best(attacks: Sequence[AttackResult]) -> AttackResult:
    return max(attacks, key=lambda one: one.auc.value)


def _accuracy(one: AttackResult) -> float:
    return one.accuracy.value if one.accuracy else 0.0


def _worth(found: ClassifierUtility | None) -> dict[str, Any]:
    """Utility on the non-members, and accuracy on the members."""
    assert found is not None
    return {
        "accuracy": ends(found.accuracy),
        "on members": ends(found.accuracy_on_members),
        "ece": ends(found.calibration_error),
        "cross-entropy": ends(found.loss),
        "brier": ends(found.brier),
        "confidence auc": ends(found.confidence_auc),
    }


def _before(found: GuardResult | None) -> dict[str, Any]:
    """What stands before a target does, of members and of non-members."""
    if found is None:
        return {}
    pairs = {
        "labels changed": found.changed,
        "labels kept by copies": found.kept,
        "fell back": found.fell_back,
        "inside the interval": found.inside,
    }
    told = {name: [ends(side) for side in pair] for name, pair in pairs.items() if pair}
    milliseconds = {who: dict(one) for who, one in found.milliseconds.items()}
    return {**told, "milliseconds": milliseconds}


def ends(one: Interval | None) -> list[float] | None:
    """Low end, estimate, high end."""
    return None if one is None else [round(end, 4) for end in (one.low, one.value, one.high)]


def with_labels(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The rows, label-only attacks by diffusion told also where they need not be asked again.

    Where no label is changed they find what they find of the same training undefended.
    """
    found = dict(rows)
    for name, row in rows.items():
        first = name.split(", ")[0]
        own = rows.get(first, {})
        asked = own if own and "labels changed" not in own else rows.get("undefended", {})
        same = all(side[1] == 0 for side in row.get("labels changed", [[0, 1, 0]]))
        if same and DIFFUSED not in row["auc"] and DIFFUSED in asked.get("auc", {}):
            told = {key: asked[key] for key in ("label-only", "label-only, attack")}
            found[name] = {**row, **told}
    return found


def over_seeds(found: Iterable[Mapping[str, Row]]) -> dict[str, dict[str, Any]]:
    """Of every row and figure the lowest, the mean and the highest over the seeds that have it."""
    runs = [with_labels(one) for one in found if one]
    rows = dict.fromkeys(row for one in runs for row in one)
    return {row: _summary([one[row] for one in runs if row in one]) for row in rows}


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    told: dict[str, Any] = {"seeds": len(rows)}
    for name in COLUMNS:
        held = [one[name][1] for one in rows if one.get(name)]
        if held:
            told[name] = _spread(held)
    for name in ("labels changed", "labels kept by copies", "fell back"):
        if all(name in one for one in rows):
            sides = ([one[name][side][1] for one in rows] for side in (0, 1))
            told[name] = [_spread(side) for side in sides]
    return told


def _spread(values: Sequence[float]) -> list[float]:
    return [round(end, 4) for end in (min(values), mean(values), max(values))]
