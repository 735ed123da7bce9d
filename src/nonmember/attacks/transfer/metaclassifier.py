"""Networks that learn what a candidate's pre-training does to a fine-tuned model's answer."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from nonmember.attacks.registry import attack
from nonmember.attacks.transfer.features import (
    Asked,
    Part,
    Sides,
    of_part,
    refuse_few,
    refuse_unlike,
)
from nonmember.attacks.transfer.networks import Recipe, Rows, fitted
from nonmember.types import Count, RefMember, RefViewLogits, Scores, ViewLogits

FEW = 32  # references, up to which a candidate's own spread is what it is scaled by
TOGETHER = 64  # networks of a stack: more leave the caches
SOFT = 0.1  # nats added to a spread
TENTH = 10.0  # nats that are 1 where the scale is fixed
PUBLISHED = Recipe(
    hidden=64,
    outputs=2,
    rate=5e-3,
    batch=64,
    epochs=20,
    dropout=0.5,
    decay=5e-4,
    fall=0.9,
    every=7,
)

Scale = Literal["auto", "point", "fixed", "unit"]
HeldRows = Float[np.ndarray, "p s d"]
PerModel = Float[np.ndarray, "p q"]
"""Scores of q models for p candidates."""


@attack(family="transfer", paper="Abascal et al. 2024, arXiv:2306.01181")
def tmi(
    aug_logits: ViewLogits,
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    *,
    scale: Scale = "auto",
    k: Count | None = None,
    seed: int = 0,
) -> Scores:
    """Log-odds, in nats, that a network learns for each candidate from the references' answers.

    The mean over v copies of what a network of 64 hidden units says of all log-odds. 0 where
    all references say the same. Deviations: both sides weigh the same, the mean is of
    log-odds, and answers are not divided by their norm unless ``unit`` is asked for.

    Args:
        aug_logits: the fine-tuned target's of v copies, (n v c).
        ref_aug_logits: those of m references, (m n v c).
        ref_member: whom the references' parents were pre-trained on, (m n).
        scale: ``point`` in deviations of the candidate's references, ``fixed`` in tens of
            nats, ``unit`` to a norm of at most 1, as published; ``auto`` is ``point`` for up
            to 32 references, else ``fixed``.
        k: only the k largest probabilities are looked at, the rest being spread evenly.
        seed: of all that is drawn.

    Raises:
        DataError: the copies or classes differ, an answer is not finite, or fewer than two
            references are on a side of a candidate.
    """
    refuse_unlike(aug_logits, ref_aug_logits)
    refuse_few(ref_member)
    chosen, score = scale_of(scale, len(ref_aug_logits)), np.zeros(len(aug_logits))
    for part in stacks(len(score)):
        own, given = of_part(aug_logits[None], part, k), of_part(ref_aug_logits, part, k)
        score[part] = taught(given, ref_member[:, part].T, own, chosen, seed)[:, 0]
    return score


def stacks(count: int) -> list[slice]:
    """The candidates whose networks are fitted together."""
    return [slice(start, start + TOGETHER) for start in range(0, count, TOGETHER)]


def scale_of(scale: Scale, models: int) -> Scale:
    """The scale that is asked for, or that suits so many references."""
    if scale != "auto":
        return scale
    return "point" if models <= FEW else "fixed"


def taught(given: Part, saw: Sides, asked: Asked, scale: Scale, seed: int) -> PerModel:
    """Mean log-odds over the copies that each asked model has from its candidate's network.

    Args:
        given: log-odds of the references, which are learnt from, (p m v c).
        saw: whom their parents were pre-trained on, (p m).
        asked: log-odds of q models, (p q v c).
        scale: of both.
        seed: of all that is drawn.
    """
    learnt, held = _scaled(given, asked, scale)
    views = given.shape[2]
    networks = fitted(learnt, np.repeat(saw, views, axis=1), PUBLISHED, seed)
    each = networks.log_odds(held).reshape(*asked.shape[:2], views)
    alike = (given == given[:, :1]).all(axis=(1, 2, 3))
    return np.where(alike[:, None], 0.0, each.astype(float).mean(axis=2))


def _scaled(given: Part, asked: Asked, scale: Scale) -> tuple[Rows, HeldRows]:
    """All copies of all models as rows."""
    rows = [one.reshape(len(one), -1, one.shape[3]) for one in (given, asked)]
    if scale == "point":
        centre = rows[0].mean(axis=1, keepdims=True)
        spread = rows[0].std(axis=1, keepdims=True) + SOFT
        rows = [(one - centre) / spread for one in rows]
    elif scale == "fixed":
        rows = [one / TENTH for one in rows]
    else:
        norms = [np.linalg.norm(one, axis=2, keepdims=True) for one in rows]
        rows = [one / np.maximum(norm, 1.0) for one, norm in zip(rows, norms, strict=True)]
    learnt, held = (one.astype(np.float32) for one in rows)
    return learnt, held
