"""A small audit of classifiers built by hand: one that leaks and one trained on others."""

from dataclasses import replace
from functools import cache
from typing import Any

from report import sample

from nonmember.audit.records import (
    AttackResult,
    ClassifierUtility,
    Exposed,
    Fit,
    Redraws,
    Results,
    TargetResult,
)
from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval, clopper_pearson
from nonmember.types import Access

ATTACKS: dict[str, tuple[float, Access, int, tuple[str, ...]]] = {
    "lira": (2.9, "scores", 1, ("logits", "labels", "ref_logits", "ref_member")),
    "confidence": (1.1, "topk", 1, ("logits",)),
    "augmentation_learned": (0.6, "label", 9, ("aug_hits", "known_aug_hits", "known_member")),
    "gap": (0.3, "label", 1, ("hit",)),
    "input_statistics": (0.0, "text", 0, ("input_features", "known_input_features")),
}
SEQUENTIAL = Finding(
    "E121", "note", "lira: with 24 reference models AUC 0.982, whichever were drawn"
)


def block(models: int, **known: Any) -> dict[str, Any]:
    """What a job says that trained reference models."""
    recipe = {"epochs": 30, "optimizer": "adam", "noise": 0.0, "flip": False}
    return {"seconds": 40.0, "models": models, "architecture": "mlp32", "recipe": recipe, **known}


JOBS = {
    "train leaky": block(1),
    "train references of leaky 1-16": block(
        16, **{"accuracy": [0.97, 0.99], "accuracy on those left out": [0.88, 0.91]}
    ),
    "train references of leaky 17-24": block(
        8, **{"accuracy": [0.96, 0.98], "accuracy on those left out": [0.89, 0.92]}
    ),
    "ask the references of leaky for class_logits of candidates": {"seconds": 3.0},
}


def attack(name: str, distance: float) -> AttackResult:
    """One attack on a classifier."""
    _, access, queries, needs = ATTACKS[name]
    found = sample.attack(name, distance, seed=4)
    blind = name == "input_statistics"
    return replace(found, access=access, queries=queries, needs=needs, blind=blind)


def around(value: float, arm: float) -> Interval:
    """An interval with arms of equal length."""
    return Interval(value - arm, value, value + arm, 0.95)


def worth(right: int) -> ClassifierUtility:
    """So many of 200 members right, and 180 of 200 non-members."""
    return ClassifierUtility(
        records=200,
        accuracy=clopper_pearson(180, 200),
        loss=around(0.464, 0.034),
        calibration_error=around(0.091, 0.021),
        accuracy_on_members=clopper_pearson(right, 200),
    )


@cache
def leaky() -> TargetResult:
    """A classifier that was trained too long."""
    attacks = tuple(attack(name, distance) for name, (distance, *_) in ATTACKS.items())
    return replace(
        sample.leaky(),
        name="leaky",
        description="mlp32, trained here for 30 epochs on 200 examples: the members; compared "
        "with 24 reference models of mlp32",
        strongest="lira",
        verdict="This model reveals its training records: lira is the strongest of 5 attacks.",
        fit=Fit(around(0.14, 0.01), around(0.464, 0.034), (200, 200)),
        base_fit=None,
        attacks=attacks,
        redraws=Redraws(20, 1, 0),
        exposed=(Exposed("member 17", None, 0), Exposed("member 4", None, 1)),
        findings=(SEQUENTIAL,),
        training=None,
        provenance={"model": {"name": "mlp32", "digest": "5f1c0e7a9b"}},
        classifier=worth(198),
    )


@cache
def clean() -> TargetResult:
    """A classifier that never saw the records."""
    return replace(
        leaky(),
        name="control",
        leaks=False,
        verdict="No leak found by 5 attacks.",
        attacks=tuple(attack(name, 0.0) for name in ATTACKS),
        as_a_set=sample.clean().as_a_set,
        redraws=Redraws(20, 0, 0),
        findings=(),
        classifier=worth(181),
    )


def results(*targets: TargetResult, jobs: dict[str, Any] | None = None) -> Results:
    """A run over ``targets``; a leaky and a clean one unless told."""
    return replace(
        sample.results(*(targets or (leaky(), clean()))),
        kind="classifier",
        title="What two classifiers reveal",
        data={"members": 200, "non-members": 200, "classes": 10, "inputs": "float32 (64,)"},
        not_covered=("What else a model tells of a record: its attributes.",),
        findings=(),
        provenance={"seed": 0, "jobs": JOBS if jobs is None else jobs},
    )
