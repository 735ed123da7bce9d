"""What is measured of transfer attacks: the specification's two tables, one part after another."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from tmi_figures import Trial, beside, figure, of_victims, scaled, some
from tmi_world import SETTINGS, World, privacy

from nonmember.attacks.transfer.all import (
    adapted_lira_all,
    lira_all,
    max_confidence_all,
    tmi_all,
    tmi_global_all,
    tmi_label_all,
    tmi_lda_all,
)
from nonmember.attacks.transfer.discriminant import tmi_lda
from nonmember.attacks.transfer.placebo import placebo

GAMMA, VIEWS = 0.2, 2
Attack = Callable[..., np.ndarray]
LDA: Attack = partial(tmi_lda_all, gamma=GAMMA)
ATTACKS: dict[str, Attack] = {
    "adapted LiRA": partial(adapted_lira_all, covariance="sides"),
    "MLP unit": partial(tmi_all, scale="unit"),
    "MLP point": partial(tmi_all, scale="point"),
    "MLP fixed": partial(tmi_all, scale="fixed"),
    "LDA": LDA,
}
COLUMNS = ("adapted LiRA", "min-max", "MLP unit", "MLP point", "MLP fixed", "LDA")
COLUMNS_81 = ("downstream accuracy", *COLUMNS, "LDA TPR@1%", "max confidence", "placebo")
EXPECTED = {  # downstream accuracy, then AUC by attack, TPR of LDA, and max confidence
    "head": (0.917, 0.608, 0.572, 0.613, 0.624, 0.633, 0.633, 0.060, 0.526),
    "dp_head eps 66": (0.896, 0.617, 0.581, 0.624, 0.645, 0.647, 0.653, 0.077, 0.525),
    "dp_head eps 6.7": (0.894, 0.625, 0.582, 0.631, 0.649, 0.653, 0.657, 0.076, 0.523),
    "dp_head eps .99": (0.854, 0.577, 0.552, 0.588, 0.593, 0.603, 0.601, 0.046, 0.519),
    "dp_head eps .46": (0.742, 0.535, 0.524, 0.545, 0.544, 0.547, 0.547, 0.025, 0.513),
    "last 2 layers": (0.953, 0.548, 0.532, 0.546, 0.556, 0.561, 0.565, 0.027, 0.513),
    "LoRA r=4": (0.955, 0.543, 0.530, 0.537, 0.546, 0.550, 0.554, 0.023, 0.510),
    "full": (0.969, 0.527, 0.519, 0.519, 0.527, 0.529, 0.534, 0.018, 0.506),
}
BY_MODELS = {  # AUC by the number of models
    "LDA gamma .2": (partial(tmi_lda_all, gamma=0.2), (0.569, 0.602, 0.623, 0.633)),
    "LDA gamma .9": (partial(tmi_lda_all, gamma=0.9), (0.578, 0.608, 0.625, 0.632)),
    "MLP fixed": (ATTACKS["MLP fixed"], (0.560, 0.587, 0.618, 0.633)),
    "MLP point": (ATTACKS["MLP point"], (0.569, 0.597, 0.617, 0.624)),
    "global MLP": (tmi_global_all, (0.535, 0.541, 0.542, 0.543)),
}


def setting(name: str, worlds: Sequence[World]) -> dict[str, Any]:
    """One row of the first table: every attack on every child of this setting."""
    tuning, columns = SETTINGS[name], COLUMNS_81
    answers = [world.answers(tuning, VIEWS) for world in worlds]
    found = {attack: _tried(ask, worlds, answers) for attack, ask in ATTACKS.items()}
    raw = found["adapted LiRA"]
    found["min-max"] = [replace(one, scores=scaled(one.scores)) for one in raw]
    found["max confidence"] = [
        Trial(max_confidence_all(given), *_truth(world))
        for world, given in zip(worlds, answers, strict=True)
    ]
    row: dict[str, Any] = {key: figure(trials) for key, trials in found.items()}
    row["LDA TPR@1%"] = figure(found["LDA"], "tpr")
    row["downstream accuracy"] = _accuracy(name, worlds)
    expected = dict(zip(columns, EXPECTED[name], strict=False))
    row = {key: beside(row[key], expected[key]) for key in columns[:-1]}
    return {
        **row,
        "placebo": beside(figure(_placebo(worlds, answers)), 0.5),
        "of each victim": of_victims(found["LDA"]),
        "privacy": privacy(worlds[0], tuning),
        **_sizes(worlds),
    }


def upper(worlds: Sequence[World]) -> dict[str, Any]:
    """What access to the parents would give: LiRA with the labels they were trained on."""
    trials = []
    for world in worlds:
        member, groups = _truth(world)
        labels = world.pool.labels[: member.shape[1]]
        trials.append(Trial(lira_all(world.of_parents(), labels, member, groups), member, groups))
    return {
        "auc": beside(figure(trials), 0.876),
        "TPR@1%": beside(figure(trials, "tpr"), 0.31),
        "parents": [world.of_each() for world in worlds],
        **_sizes(worlds),
    }


def by_models(worlds: Sequence[World]) -> dict[str, Any]:
    """The area by the number of models, of children with a new head."""
    answers, most = _heads(worlds), worlds[0].models
    found: dict[str, Any] = {}
    for name, (ask, expected) in BY_MODELS.items():
        found[name] = {}
        for count, value in zip((16, 32, 64, 128), expected, strict=True):
            if count <= most:
                trials = _tried(ask, worlds, [given[:count] for given in answers])
                found[name][str(count)] = beside(figure(trials), value)
    return found | _sizes(worlds)


def who_leaks(worlds: Sequence[World]) -> dict[str, Any]:
    """Candidates whose label was wrong, and the others."""
    answers = _heads(worlds)
    lda = _tried(LDA, worlds, answers)
    sure = [replace(one, scores=max_confidence_all(a)) for one, a in zip(lda, answers, strict=True)]
    wrong = [world.wrong for world in worlds]
    right = [~one for one in wrong]
    return {
        "LDA, mislabelled": beside(figure(some(lda, wrong)), 0.783),
        "LDA, the rest": beside(figure(some(lda, right)), 0.588),
        "max confidence, mislabelled": beside(figure(some(sure, wrong)), 0.42),
        "max confidence, the rest": beside(figure(some(sure, right)), 0.55),
        **_sizes(worlds),
    }


def seen_less(worlds: Sequence[World]) -> dict[str, Any]:
    """What little of the answer tells: the largest probabilities, labels, one view, 32, redrawn."""
    answers, found = _heads(worlds), dict[str, Any]()
    for k, value in ((1, 0.613), (2, 0.626), (3, 0.632)):
        found[f"LDA, top {k}"] = beside(figure(_tried(partial(LDA, k=k), worlds, answers)), value)
    many = [world.answers(SETTINGS["head"], 32) for world in worlds]
    for views, value in ((1, 0.532), (2, 0.541), (8, 0.552), (32, 0.560)):
        votes = [_votes(given[:, :, :views]) for given in many]
        trials = _tried(partial(tmi_label_all, gamma=0.5), worlds, votes)
        found[f"label only, {views} views"] = beside(figure(trials), value)
    for views, value in ((1, 0.633), (32, 0.630)):
        trials = _tried(LDA, worlds, [given[:, :, :views] for given in many])
        found[f"LDA, {views} views"] = beside(figure(trials), value)
    return found | _sizes(worlds)


def shrinkage(worlds: Sequence[World]) -> dict[str, Any]:
    """How much the weight of a spherical covariance matters."""
    answers, found = _heads(worlds), dict[str, Any]()
    pairs = ((0.0, 0.623), (0.05, 0.627), (0.2, 0.629), (0.5, 0.630), (0.9, 0.626))
    for gamma, value in pairs:
        trials = _tried(partial(tmi_lda_all, gamma=gamma), worlds, answers)
        found[f"gamma {gamma:g}"] = beside(figure(trials), value)
    return found | _sizes(worlds)


def redrawn(worlds: Sequence[World]) -> dict[str, Any]:
    """The fault of showing every model other noise."""
    answers = [world.redrawn(SETTINGS["head"]) for world in worlds]
    return {
        "LDA": beside(figure(_tried(LDA, worlds, answers)), 0.625),
        "adapted LiRA": beside(figure(_tried(ATTACKS["adapted LiRA"], worlds, answers)), 0.593),
        **_sizes(worlds),
    }


def otherwise(worlds: Sequence[World], design: str) -> dict[str, Any]:
    """Parents of one initialisation, or of memberships that are not paired."""
    expected = {"shared": (0.672, 0.667, 0.632), "independent": (0.634, None, 0.601)}[design]
    others = [replace(world, design=design) for world in worlds]
    answers = _heads(others)
    names = ("LDA", "MLP fixed", "adapted LiRA")
    return {
        name: beside(figure(_tried(ATTACKS[name], others, answers)), value)
        for name, value in zip(names, expected, strict=True)
    } | _sizes(others)


def halves(worlds: Sequence[World]) -> dict[str, Any]:
    """Victims fine-tuned on one half of the downstream rows, references on the same or other."""
    found = {}
    for name, same, other in (("head", 0.603, 0.598), ("full", 0.529, 0.526)):
        pairs = [
            [world.answers(SETTINGS[name], VIEWS, half) for half in (0, 1)] for world in worlds
        ]
        trials = _tried(LDA, worlds, [one for one, _ in pairs])
        found[f"{name}, same half"] = beside(figure(trials), same)
        crossed = [_crossed(world, *pair) for world, pair in zip(worlds, pairs, strict=True)]
        found[f"{name}, other half"] = beside(figure(crossed), other)
    return found | _sizes(worlds)


def _crossed(world: World, victims: np.ndarray, references: np.ndarray) -> Trial:
    member, groups = _truth(world)
    scores = np.empty(member.shape)
    for i, own in enumerate(victims):
        rest = groups != groups[i]
        scores[i] = tmi_lda(own, references[rest], member[rest], gamma=GAMMA)
    return Trial(scores, member, groups)


def _tried(ask: Attack, worlds: Sequence[World], answers: Sequence[np.ndarray]) -> list[Trial]:
    """An attack on as many models of each seed as have answered."""
    found = []
    for world, given in zip(worlds, answers, strict=True):
        member, groups = (part[: len(given)] for part in _truth(world))
        found.append(Trial(ask(given, member, groups), member, groups))
    return found


def _placebo(worlds: Sequence[World], answers: Sequence[np.ndarray]) -> list[Trial]:
    found = []
    for world, given in zip(worlds, answers, strict=True):
        member, groups = _truth(world)
        false = placebo(member, groups, seed=world.seed)
        found.append(Trial(LDA(given, false, groups), false, groups))
    return found


def _heads(worlds: Sequence[World]) -> list[np.ndarray]:
    return [world.answers(SETTINGS["head"], VIEWS) for world in worlds]


def _votes(answers: np.ndarray) -> np.ndarray:
    """Share of the views that each class is the likeliest in, (m n c)."""
    return np.eye(answers.shape[3])[answers.argmax(axis=3)].mean(axis=2)


def _truth(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Whom each parent saw of the candidates, and which models are left out together."""
    return world.truth, world.groups


def _accuracy(name: str, worlds: Sequence[World]) -> dict[str, Any]:
    seeds = [round(world.accuracy(SETTINGS[name]), 4) for world in worlds]
    value = round(float(np.mean(seeds)), 4)
    return {"value": value, "interval": [min(seeds), max(seeds)], "seeds": seeds}


def _sizes(worlds: Sequence[World]) -> dict[str, Any]:
    first = worlds[0]
    return {
        "models": first.models,
        "candidates": first.truth.shape[1],
        "views": VIEWS,
        "seeds used": [world.seed for world in worlds],
    }
