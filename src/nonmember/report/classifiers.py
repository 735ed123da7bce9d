"""What a page says of classifiers alone: their gap, and what they were compared with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nonmember.audit.records import Results, TargetResult
from nonmember.evaluation.intervals import Interval
from nonmember.evaluation.paired import unpaired
from nonmember.report import words

TRAINING = re.compile(r"train references of .+|pre-train references .+", re.DOTALL)
TOLD = {"architecture", "recipe", "models", "seconds"}
TRAINED_ON, LEFT_OUT = "accuracy", "accuracy on those left out"


@dataclass(frozen=True)
class References:
    """Reference models of one kind; an accuracy goes from the worst of them to the best.

    Each was trained on a part of the candidates, and is asked about the others too. An accuracy
    is None where it was not recorded.
    """

    architecture: str
    recipe: str
    models: int
    seconds: float
    trained_on: tuple[float, float] | None
    left_out: tuple[float, float] | None


def references(results: Results) -> tuple[References, ...]:
    """The reference models that classifiers were compared with, those made alike together."""
    kinds: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    if results.kind != "language":
        for label, about in results.provenance.get("jobs", {}).items():
            if TRAINING.fullmatch(label) and about.keys() >= TOLD:
                made = (str(about["architecture"]), _settings(about["recipe"] or {}))
                kinds.setdefault(made, []).append(about)
    return tuple(
        References(
            *made,
            models=sum(one["models"] for one in blocks),
            seconds=sum(one["seconds"] for one in blocks),
            trained_on=_from_worst_to_best(blocks, TRAINED_ON),
            left_out=_from_worst_to_best(blocks, LEFT_OUT),
        )
        for made, blocks in kinds.items()
    )


def _settings(recipe: Mapping[str, Any]) -> str:
    """What a recipe says, without what it leaves off."""
    return words.settings({name: value for name, value in recipe.items() if value})


def _from_worst_to_best(blocks: list[Mapping[str, Any]], name: str) -> tuple[float, float] | None:
    """The range over all blocks, each of which says its own."""
    known = [end for one in blocks if one.get(name) is not None for end in one[name]]
    return (min(known), max(known)) if known else None


def gap(target: TargetResult) -> Interval | None:
    """How much more often it is right about members than about non-members; a share.

    The ends are those of the two accuracies' intervals, put together as for independent
    estimates (Newcombe 1998, method 10). None of what is no classifier.
    """
    known = target.classifier
    if known is None:
        return None
    return unpaired(known.accuracy, known.accuracy_on_members)
