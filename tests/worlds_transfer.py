"""Synthetic answers of fine-tuned models whose parents' membership is planted, without a model.

A model whose parent saw a candidate leans to a class of the candidate's own, which it has in
the eyes of no other model: no label, no threshold for all, but a direction for each.
"""

import numpy as np
from planted import World

GAP = 4.0  # logits by which the class that a candidate's members lean to is ahead
CLASSES, MODELS, VIEWS = 4, 16, 4


def pairs(rng: np.random.Generator, models: int, n: int) -> np.ndarray:
    """Whom each model saw: complementary halves of the candidates, two by two, (m n)."""
    halves = rng.permuted(np.tile(np.arange(n) % 2 == 0, (models // 2, 1)), axis=1)
    return np.stack([halves, ~halves], axis=1).reshape(models, n)


def groups(models: int) -> np.ndarray:
    """The pair of each model."""
    return np.arange(models) // 2


def references(
    n: int = 256,
    *,
    models: int = MODELS,
    views: int = VIEWS,
    classes: int = CLASSES,
    gap: float = GAP,
    noise: float = 0.7,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the references on copies, (m n v c), and whom their parents saw, (m n)."""
    rng = np.random.default_rng([seed, 5])
    saw = pairs(rng, models, n)
    level = rng.normal(0, 1, (n, classes))
    leaning = np.argsort(level, axis=1)[:, -2]
    found = level[:, None] + rng.normal(0, noise, (models, n, 1, classes))
    found = found + rng.normal(0, noise / 2, (models, n, views, classes))
    found[:, np.arange(n), :, leaning] += gap * saw.T[:, :, None]
    return found, saw


def transfer(n: int = 256, *, gap: float = GAP, seed: int = 0) -> World:
    """A target that leaks by ``gap``, and references that leak by ``GAP`` whatever it does."""
    found, saw = references(n, models=MODELS + 2, seed=seed)
    silent, _ = references(n, models=MODELS + 2, gap=gap, seed=seed)
    target = silent[-1]
    votes = np.eye(CLASSES)[np.concatenate([target[None], found[:-2]]).argmax(axis=3)].mean(axis=2)
    return {
        **_parents(saw, gap, seed),
        "member": saw[-1],
        "aug_logits": target,
        "ref_aug_logits": found[:-2],
        "ref_member": saw[:-2],
        "aug_votes": votes[0],
        "ref_aug_votes": votes[1:],
    }


def _parents(saw: np.ndarray, gap: float, seed: int) -> World:
    """What the parents say in their own task: surer of the true class of whom they saw."""
    rng = np.random.default_rng([seed, 6])
    models, n = saw.shape
    labels = rng.integers(0, CLASSES, n)
    level = rng.normal(0, 1, (n, CLASSES))
    found = level + rng.normal(0, 0.7, (models, n, CLASSES))
    lift = np.where(np.arange(models) == models - 1, gap, GAP)[:, None] * saw
    found[:, np.arange(n), labels] += lift
    return {"base_logits": found[-1], "labels": labels, "ref_base_logits": found[:-2]}
