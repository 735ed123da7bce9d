"""Synthetic answers of classifiers whose membership is planted, without a model.

A model finds the true class of what it was trained on likelier by a gap in the logits, of
altered copies too, and its members farther from the decision boundary. A diffusion model that
saw the members regenerates them with less error.
"""

import numpy as np
from planted import World
from worlds import reordered

GAP = 5.0  # logits by which the true class of a member is ahead
CLASSES, MODELS, VIEWS, EPOCHS, LEVELS = 4, 16, 12, 6, 4


def classifier(n: int = 256, *, gap: float = GAP, seed: int = 0) -> World:
    """A target that leaks by ``gap``, and reference models that leak by ``GAP`` whatever it does.

    Members and non-members alternate. Some inputs are harder than others, for all models.
    """
    rng = np.random.default_rng([seed, 3])
    labels, hardness = rng.integers(0, CLASSES, n), rng.normal(0, 1, n)
    member = np.arange(n) % 2 == 0
    labels = np.where(member & (rng.random(n) < gap / GAP), labels // 2, labels)
    halves = rng.permuted(np.tile(np.arange(n) % 2 == 0, (MODELS // 2, 1)), axis=1)
    ref_member = np.stack([halves, ~halves], axis=1).reshape(MODELS, n)
    models = [_model(rng, labels, hardness, gap * member)]
    models += [_model(rng, labels, hardness, GAP * saw) for saw in ref_member]
    answers = {name: np.stack([one[name] for one in models]) for name in models[0]}
    noise = rng.normal(0, 0.5, (n, 3))
    noise[:, 2] += gap * member / 10
    return {
        "member": member,
        "labels": labels,
        "input_features": np.concatenate([hardness[:, None] + noise[:, :1], noise[:, 1:]], axis=1),
        "ref_member": ref_member,
        "boundary_distance": np.maximum(0, rng.normal(0.5, 0.4, n) + gap * member / 4),
        **_by_diffusion(np.random.default_rng([seed, 5]), gap * member),
        **{name: array[0] for name, array in answers.items()},
        **{f"ref_{name}": array[1:] for name, array in answers.items()},
    }


def _model(
    rng: np.random.Generator, labels: np.ndarray, hardness: np.ndarray, ahead: np.ndarray
) -> World:
    """What one model says of each input, first of its copies, and of it along a distillation."""
    n = len(labels)
    views = rng.normal(0, 0.6, (n, VIEWS, CLASSES)) + rng.normal(0, 0.5, (n, 1, CLASSES))
    views[np.arange(n), :, labels] += (0.5 - 0.5 * hardness + ahead)[:, None]
    logp = views - np.log(np.exp(views).sum(axis=2, keepdims=True))
    own = -logp[np.arange(n), 0, labels]
    learnt = np.linspace(0.2, 1, EPOCHS)
    return {
        "logits": views[:, 0],
        "hit": (views[:, 0].argmax(axis=1) == labels).astype(float),
        "aug_logits": views,
        "jitter_logits": views,
        "aug_hits": (views.argmax(axis=2) == labels[:, None]).astype(float),
        "trajectory": (1 - learnt) * np.log(CLASSES) + learnt * own[:, None],
    }


def _by_diffusion(rng: np.random.Generator, ahead: np.ndarray) -> World:
    """Which copies keep their class, from little noise to much, and how well they are denoised."""
    easy = rng.normal(0, 0.5, len(ahead)) + ahead / 2
    levels = np.repeat(np.linspace(1.0, -1.0, LEVELS), VIEWS // LEVELS)
    drawn = rng.logistic(0, 1, (len(ahead), VIEWS))
    return {
        "diffused_hits": (drawn < easy[:, None] + levels).astype(float),
        "diffusion_error": np.exp(rng.normal(-3, 0.3, len(ahead)) - ahead / 4),
    }


def whole(*, gap: float = GAP, n: int = 256, seed: int = 0) -> World:
    """All that an attack can need: ``known_`` are other records, ``pop_`` others yet.

    No reference model was trained on the population.
    """
    found = classifier(n, gap=gap, seed=seed)
    known, others = (classifier(n, gap=gap, seed=seed + one) for one in (1, 2))
    population = reordered(others, np.flatnonzero(~others["member"]))
    for name in ("labels", "logits", "aug_hits", "diffused_hits", "input_features", "member"):
        found |= {f"known_{name}": known[name], f"pop_{name}": population[name]}
    rng, pop_labels = np.random.default_rng([seed, 4]), population["labels"]
    hardness = population["input_features"][:, 0]
    unseen = np.zeros(len(hardness))
    answers = [_model(rng, pop_labels, hardness, unseen)["logits"] for _ in range(MODELS)]
    return found | {"ref_pop_logits": np.stack(answers)}


def fallen_back(*, gap: float = GAP, n: int = 256, seed: int = 0) -> World:
    """The same of a model that gives one answer per class where it has none of its own.

    Of members it seldom does, of others as a rule; without a ``gap`` of all alike.
    """
    found = whole(gap=gap, n=n, seed=seed)
    rng = np.random.default_rng([seed, 6])
    share = np.where(found["member"], 0.5 - 0.45 * gap / GAP, 0.5 + 0.45 * gap / GAP)
    for prefix, often in {"": share, "pop_": 0.5}.items():
        labels, logits = found[f"{prefix}labels"], found[f"{prefix}logits"].copy()
        fell = rng.random(len(labels)) < often
        logits[fell] = np.log(np.where(np.eye(CLASSES) > 0, 0.7, 0.1))[labels[fell]]
        found[f"{prefix}logits"] = logits
    return found
