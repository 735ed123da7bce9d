"""The audits of the study of Diffence: one for each way of training, resumable in a store."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nonmember as nm
from nonmember.audit import records
from nonmember.audit.records import Results
from nonmember.models.source import digest

Defense = Mapping[str, Any]
Answering = Mapping[str, Sequence[Defense]]
"""What stands before a target, by the name of the row."""

ONCE = (
    "gap",
    "loss",
    "confidence",
    "entropy",
    "modified_entropy",
    "class_thresholds",
    "nn_attack",
    "attack_p",
    "interval_edge",
    "shared_answer",
)
"""Attacks that ask once per record."""
COPIES = ("augmentation", "augmentation_learned")
DIFFUSED = ("self_diffused", "self_diffused_learned", "diffusion_error")
REFERENCES = ("lira", "lira_offline", "rmia")
LEARNED = {"nn_attack": {"model": "forest", "leaf": 15}}
QUERIES = 130
FPR = 0.01


@dataclass(frozen=True)
class Setting:
    """What is audited: examples, targets and how they are trained, and the diffusion model."""

    name: str
    data: Mapping[str, Any]
    architecture: str
    options: Mapping[str, Any]
    recipe: Mapping[str, Any]
    diffusion: Mapping[str, Any]
    resamples: int = 400
    training: Mapping[str, Sequence[Defense]] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """Where work is kept, and by which seed data are split, models trained and noise drawn."""

    store: Path
    seed: int


def named(name: str, **options: Any) -> dict[str, Any]:
    """A defense as a spec has it."""
    return {"name": name, "options": options}


def fence(selector: str) -> dict[str, Any]:
    """Diffence with a selector."""
    return named("diffence", selector=selector)


def values(
    setting: Setting,
    seed: int,
    training: Sequence[Defense],
    rows: Answering,
    attacks: Sequence[str],
    **other: Any,
) -> dict[str, Any]:
    """The values of a spec: one way of training, and a target for each row."""
    made = {
        "trained_on": "members",
        "architecture": setting.architecture,
        "options": dict(setting.options),
        "recipe": dict(setting.recipe),
    }
    return {
        "kind": "classifier",
        "title": f"Diffence on {setting.name}",
        "seed": seed,
        "data": dict(setting.data),
        "references": {"count": 0},
        "diffusion": dict(setting.diffusion),
        "targets": {
            row: {**made, "defenses": [*training, *before]} for row, before in rows.items()
        },
        "attacks": {"queries": QUERIES, "run": [*attacks], "options": LEARNED},
        "evaluation": {"fpr": [FPR], "resamples": setting.resamples, "redraws": 0},
        **other,
    }


def audited(study: Study, name: str, asked: Mapping[str, Any]) -> Results:
    """Audit, or read what a finished audit of the same values found."""
    mark = digest(json.dumps(asked, sort_keys=True))[:8]
    run = study.store / "runs" / f"{name}-{study.seed}-{mark}"
    if (run / "results.json").is_file():
        return records.load(run)
    return nm.audit_spec(asked, run, store=study.store / "jobs")
