"""Figures of a table of scores, models by candidates, with intervals over both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonmember.evaluation.roc import Tally, tied
from nonmember.seeds import generator

TIMES, AT_ONCE = 400, 25
FPR = 0.01


@dataclass(frozen=True)
class Trial:
    """Every model a victim: scores (m n), whom its parent saw (m n), and which go together (m,)."""

    scores: np.ndarray
    member: np.ndarray
    groups: np.ndarray


def figure(trials: Sequence[Trial], what: str = "auc") -> dict[str, Any]:
    """The mean over seeds, its 95 % interval over groups of victims and points, and each seed's.

    Raw scores of all victims are pooled. ``what`` is auc, or tpr: of members, at 1 % of
    non-members.
    """
    drawn = np.stack([_drawn(one, seed, what) for seed, one in enumerate(trials)])
    seeds = [_of(_counted(one, np.ones((1, *one.scores.shape))), what)[0] for one in trials]
    low, high = np.quantile(drawn.mean(axis=0), [0.025, 0.975])
    return {
        "value": round(float(np.mean(seeds)), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "seeds": [round(float(one), 4) for one in seeds],
    }


def of_victims(trials: Sequence[Trial]) -> dict[str, float]:
    """The AUC of each victim by itself: mean and standard deviation; and the best accuracy."""
    areas, best = [], []
    for one in trials:
        for scores, member in zip(one.scores, one.member, strict=True):
            alone = Trial(scores[None], member[None], np.zeros(1, dtype=int))
            areas.append(_of(_counted(alone, np.ones((1, 1, len(member)))), "auc")[0])
        counted = _counted(one, np.ones((1, *one.scores.shape)))
        rates = [np.cumsum(part, axis=1) / part.sum() for part in counted]
        best.append(float(((rates[0] + 1 - rates[1]) / 2).max()))
    figures = {"mean": np.mean(areas), "sd": np.std(areas), "balanced accuracy": np.mean(best)}
    return {name: round(float(value), 4) for name, value in figures.items()}


def some(trials: Sequence[Trial], chosen: Sequence[np.ndarray]) -> list[Trial]:
    """The same of some candidates only."""
    pairs = zip(trials, chosen, strict=True)
    return [Trial(one.scores[:, at], one.member[:, at], one.groups) for one, at in pairs]


def scaled(scores: np.ndarray) -> np.ndarray:
    """Each victim's from 0 to 1, as the authors' code has them, and as they must not be."""
    low, high = (end(axis=1, keepdims=True) for end in (scores.min, scores.max))
    return (scores - low) / (high - low)


def _drawn(trial: Trial, seed: int, what: str) -> np.ndarray:
    """The figure in bootstrap samples of groups of victims, times points."""
    rng, (_, points) = generator(seed, "bootstrap"), trial.scores.shape
    _, group = np.unique(trial.groups, return_inverse=True)
    found = []
    for _ in range(TIMES // AT_ONCE):
        victims = rng.multinomial(group.max() + 1, _even(group.max() + 1), AT_ONCE)[:, group]
        weights = rng.multinomial(points, _even(points), AT_ONCE)
        found.append(_of(_counted(trial, victims[:, :, None] * weights[:, None]), what))
    return np.concatenate(found)


def _even(count: int) -> np.ndarray:
    return np.full(count, 1 / count)


def _counted(trial: Trial, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of members and of others per distinct score, largest first, (b g) each."""
    place, member = tied(trial.scores.ravel()), trial.member.ravel()
    size, flat = int(place.max()) + 1, weights.reshape(len(weights), -1)
    inside, outside = (
        np.stack([np.bincount(place[side], row[side], size) for row in flat])
        for side in (member, ~member)
    )
    return inside, outside


def _of(counted: tuple[np.ndarray, np.ndarray], what: str) -> np.ndarray:
    tally = Tally(*counted)
    return tally.auc() if what == "auc" else tally.tpr_at(FPR)


def beside(found: dict[str, Any], expected: float | None) -> dict[str, Any]:
    """A figure and the specification's."""
    return {**found, "specification": expected}


def table(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Figures in Markdown, the specification's in brackets."""
    lines = ["| | " + " | ".join(columns) + " |", "| --- " * (1 + len(columns)) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(_shown(row.get(key)) for key in columns) + " |")
    return "\n".join(lines)


def _shown(one: Any) -> str:
    if one is None:
        return "-"
    if not isinstance(one, Mapping):
        return f"{one:.3f}"
    ends = "".join(f" {low:.3f}-{high:.3f}" for low, high in [one["interval"]])
    expected = one["specification"]
    return f"{one['value']:.3f}{ends}" + ("" if expected is None else f" ({expected:.3f})")
