"""Parents of one kind, their children for other tasks, and what attacks find of them."""

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import seeds
from classifiers_data import MissingError
from machine import RESULTS, keep
from tmi_figures import Trial, figure, of_victims, some

from nonmember.attacks.transfer.all import (
    adapted_lira_all,
    lira_all,
    max_confidence_all,
    tmi_all,
    tmi_lda_all,
)
from nonmember.attacks.transfer.placebo import placebo
from nonmember.data.examples import Examples
from nonmember.models.architecture import Architecture
from nonmember.signals.store import Store
from nonmember.training import children, reference
from nonmember.training.children import Budget, Transfer, Tuning
from nonmember.training.classifier_recipe import ClassifierRecipe

Attack = Callable[..., np.ndarray]
ATTACKS: Mapping[str, Attack] = {
    "tmi_lda": tmi_lda_all,
    "tmi": tmi_all,
    "adapted_lira": adapted_lira_all,
    "max_confidence": lambda answers, member, groups: max_confidence_all(answers),
}
COLUMNS = ("accuracy", *ATTACKS, "tmi_lda TPR@1%", "placebo", "placebo again")
HEAD = ClassifierRecipe(epochs=20, learning_rate=3e-3)
CHILD = ClassifierRecipe(epochs=20)
PRIVATE = ClassifierRecipe(17, 256, "sgd", 0.5, 0.0, schedule="constant")


@dataclass(frozen=True)
class Task:
    """What children are fine-tuned for: other records than the candidates, and some to judge by.

    ``classes`` are those of the parents' task that its own are made of, none: of all or of none.
    """

    name: str
    downstream: Examples
    test: Examples
    classes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Family:
    """Parents, whom each is trained on, and what all models are asked.

    ``member`` is (m p), of all records of the pool; ``truth`` (m n), of the candidates;
    ``queries`` (n v ...) copies or parts of the candidates, the same for all models.
    """

    architecture: Architecture
    pool: Examples
    recipe: ClassifierRecipe
    member: np.ndarray
    truth: np.ndarray
    queries: np.ndarray
    store: Store
    seed: int = 0

    @property
    def groups(self) -> np.ndarray:
        """Which models are complements."""
        return np.arange(len(self.member)) // 2

    @cached_property
    def parents(self) -> tuple[str, ...]:
        """Their addresses, once they are trained."""
        how = (self.architecture, self.pool)
        made = reference.models(*how, self.member, self.recipe, seed=self.seed)
        reference.train(*how, self.recipe, made, self.store)
        return tuple(one.address for one in made)

    def loaded(self, task: Task, tuning: Tuning) -> tuple[reference.References, str]:
        """The children of all parents, once they are trained, and the first one's address."""
        how, m = (self.architecture, task.downstream), len(self.member)
        drawn = children.draws(len(task.downstream), m, seed=self.seed)
        made = children.models(*how, drawn, tuning, self.parents, seed=self.seed)
        children.train(*how, tuning, made, self.store)
        addresses = [one.address for one in made]
        classes = int(task.downstream.labels.max()) + 1
        return children.load(self.architecture, classes, addresses, self.store), addresses[0]

    def asked(self, models: reference.References) -> np.ndarray:
        """Logits of all models, (m n v c)."""
        found = models.logits(self.queries.reshape(-1, *self.queries.shape[2:]))
        return found.reshape(len(found), *self.queries.shape[:2], -1)

    def trial(self, scores: np.ndarray) -> Trial:
        """Scores beside the truth."""
        return Trial(scores, self.truth, self.groups)


def ancestors(family: Family) -> dict[str, Any]:
    """How well parents do their own task."""
    told = [family.store.provenance(one) for one in family.parents]
    keys = ("accuracy", "accuracy on those left out", "seconds")
    return {
        "architecture": family.architecture.name,
        "weights": family.architecture.size,
        **{key: round(float(np.mean([one[key] for one in told])), 4) for key in keys},
        "trained on": int(family.member[0].sum()),
        **sizes(family),
    }


def upper(family: Family, labels: np.ndarray) -> dict[str, Any]:
    """What access to the parents would give: LiRA with the labels they were trained on, (n v).

    Of several parts of a candidate its scores are added up.
    """
    loaded = reference.load(family.architecture, family.parents, family.store)
    parts = family.queries[:, : labels.shape[1]]
    logits = loaded.logits(parts.reshape(-1, *parts.shape[2:]))
    truth = np.repeat(family.truth, labels.shape[1], axis=1)
    scores = lira_all(logits, labels.ravel(), truth, family.groups)
    lira = family.trial(scores.reshape(*family.truth.shape, -1).sum(axis=2))
    return {
        "lira": figure([lira]),
        "lira TPR@1%": figure([lira], "tpr"),
        "lira of each victim": of_victims([lira]),
        **ancestors(family),
    }


def unseen(family: Family, labels: np.ndarray) -> np.ndarray:
    """Share of the parents that did not see a candidate and are right of it, (n,)."""
    loaded = reference.load(family.architecture, family.parents, family.store)
    right = loaded.logits(family.queries[:, 0]).argmax(axis=2) == labels
    found: np.ndarray = (right & ~family.truth).sum(axis=0) / (~family.truth).sum(axis=0)
    return found


def row(
    family: Family,
    task: Task,
    tuning: Tuning,
    attacks: Mapping[str, Attack] = ATTACKS,
    apart: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Any]:
    """One way of making children of all parents: what each attack finds, and their accuracy.

    Args:
        family: the parents.
        task: what the children are for.
        tuning: how they are made.
        attacks: every model in turn as the victim, its pair left out.
        apart: candidates (n,) of whom ``tmi_lda`` is told by themselves.
    """
    models, first = family.loaded(task, tuning)
    answers, how = family.asked(models), (family.truth, family.groups)
    found = {name: family.trial(ask(answers, *how)) for name, ask in attacks.items()}
    lda, truth = found["tmi_lda"], task.test.labels
    right = (models.logits(task.test.inputs).argmax(axis=2) == truth).mean(axis=1)
    return {
        "accuracy": _over_children(right),
        "accuracy by chance": round(float(np.bincount(truth).max() / len(truth)), 4),
        **{name: figure([trial]) for name, trial in found.items()},
        "tmi_lda TPR@1%": figure([lda], "tpr"),
        **dict(zip(COLUMNS[-2:], _placebos(family, answers, attacks["tmi_lda"]), strict=True)),
        **{key: figure(some([lda], [who])) for key, who in (apart or {}).items() if who.any()},
        "tmi_lda of each victim": of_victims([lda]),
        "privacy": family.store.provenance(first)["privacy"],
        "trained as": family.store.provenance(first)["trained as"],
        "downstream classes": answers.shape[3],
        "downstream records of each": family.store.provenance(first)["examples"],
        **sizes(family),
    }


def sizes(family: Family) -> dict[str, int]:
    """Of what figures are."""
    (models, candidates), views = family.truth.shape, family.queries.shape[1]
    return {"models": models, "candidates": candidates, "views": views}


def _placebos(family: Family, answers: np.ndarray, ask: Attack) -> list[dict[str, Any]]:
    """The same attack and answers, with two memberships of coins."""
    found = []
    for seed in (0, 1):
        false = placebo(family.truth, family.groups, seed=seed)
        found.append(figure([Trial(ask(answers, false, family.groups), false, family.groups)]))
    return found


def _over_children(right: np.ndarray) -> dict[str, float]:
    figures = {"value": right.mean(), "low": right.min(), "high": right.max(), "sd": right.std()}
    return {name: round(float(value), 4) for name, value in figures.items()}


def choices() -> dict[str, Tuning]:
    """The ways of fine-tuning that are held against each other."""
    budgets = {48.2: "48", 6.74: "6.7", 0.987: "0.99", 0.461: "0.46"}
    private = {
        f"private head, epsilon {name}": Tuning(Transfer(), PRIVATE, Budget(epsilon))
        for epsilon, name in budgets.items()
    }
    return {
        "head": Tuning(Transfer(), HEAD),
        "last 2 layers": Tuning(Transfer("last_k", k=2), CHILD),
        "LoRA, rank 4": Tuning(Transfer("lora", rank=4), HEAD),
        "all layers": Tuning(Transfer("full"), CHILD),
        **private,
    }


def asked(doc: str) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=doc.split("\n", 1)[0])
    given = os.environ.get("NONMEMBER_DATA")
    parser.add_argument("--data", type=Path, default=Path(given) if given else None)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART")
    parser.add_argument("--seeds", nargs="+", type=int, default=seeds.SEEDS)
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


def measured(
    name: str,
    of_seed: Callable[[int], Mapping[str, Callable[[], dict[str, Any]]]],
    line: argparse.Namespace,
    picture: str,
) -> None:
    """A part after another of those asked for, each kept at once; of tiny ones printed only."""
    begin = tuple(line.only)
    parts = {
        seeds.titled(part, seed): measure
        for seed in line.seeds
        for part, measure in of_seed(seed).items()
    }
    chosen = [part for part in parts if part.startswith(begin)]
    if not chosen and not picture.startswith(begin):
        raise SystemExit(f"--only {' '.join(begin)}: give the beginning of {', '.join(parts)}")
    for part in chosen:
        start, worked = time.perf_counter(), time.process_time()
        try:
            found = parts[part]()
        except MissingError as error:
            print(f"{part}: {error}", flush=True)
            continue
        found["seconds in all"] = round(time.perf_counter() - start, 1)
        found["processor seconds"] = round(time.process_time() - worked, 1)
        if line.tiny:
            print(part, json.dumps(found), flush=True)
        else:
            keep(name, part, found)
    if not line.tiny:
        keep(name, seeds.TOGETHER, seeds.together(kept(name)))


def kept(name: str) -> dict[str, Any]:
    """All parts that were measured."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def table(rows: Mapping[str, Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """Figures in Markdown, with their intervals."""
    lines = ["| | " + " | ".join(columns) + " |", "| --- " * (1 + len(columns)) + "|"]
    for name, one in rows.items():
        lines.append(f"| {name} | " + " | ".join(_shown(one.get(key)) for key in columns) + " |")
    return "\n".join(lines)


def _shown(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    if "interval" not in one:
        return f"{one['value']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
    low, high = one["interval"]
    return f"{one['value']:.3f} ({low:.3f} to {high:.3f})"
