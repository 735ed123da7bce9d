"""LiRA where no class is the true one: the target's likeliest class of each copy."""

from typing import Literal

import numpy as np
from jaxtyping import Float

from nonmember.attacks.registry import attack
from nonmember.attacks.transfer.features import (
    Part,
    Sides,
    of_part,
    parts,
    refuse_few,
    refuse_unlike,
)
from nonmember.types import Count, RefMember, RefViewLogits, Scores, Share, ViewLogits

FEW = 32  # references, below which both sides have one covariance
FLOOR = 1e-6  # variance, where all models say the same

Pooling = Literal["auto", "sides", "pooled"]
Values = Float[np.ndarray, "p m v"]
Away = Float[np.ndarray, "p v"]
Covariances = Float[np.ndarray, "p v v"]


@attack(family="transfer", paper="Abascal et al. 2024, arXiv:2306.01181")
def adapted_lira(
    aug_logits: ViewLogits,
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    *,
    covariance: Pooling = "auto",
    shrink: Share = 0.1,
    k: Count | None = None,
) -> Scores:
    """Log-likelihood ratio, in nats, of the log-odds of the target's likeliest classes.

    Over the v copies there is a Gaussian of references whose parents saw the candidate and
    one of the others. Deviations: raw log-odds, and scores that are not rescaled by target.

    Args:
        aug_logits: the fine-tuned target's of v copies, (n v c).
        ref_aug_logits: those of m references, (m n v c).
        ref_member: whom the references' parents were pre-trained on, (m n).
        covariance: of both ``sides`` or one of their own, ``pooled``; ``auto`` pools below 32
            references.
        shrink: weight of a spherical covariance of the same mean variance.
        k: only the k largest probabilities are looked at, the rest being spread evenly.

    Raises:
        DataError: the copies or classes differ, an answer is not finite, or fewer than two
            references are on a side of a candidate.
    """
    refuse_unlike(aug_logits, ref_aug_logits)
    refuse_few(ref_member)
    pooled, score = is_pooled(covariance, len(ref_aug_logits)), np.zeros(len(aug_logits))
    for part in parts(ref_aug_logits):
        own, given = of_part(aug_logits[None], part, k), of_part(ref_aug_logits, part, k)
        score[part] = likelier(own[:, 0], given, ref_member[:, part].T, pooled, shrink)
    return score


def is_pooled(covariance: Pooling, models: int) -> bool:
    """Whether so many references are too few for a covariance of each side."""
    return covariance == "pooled" or (covariance == "auto" and models < FEW)


def likelier(
    own: Float[np.ndarray, "p v c"], given: Part, saw: Sides, pooled: bool, shrink: float
) -> Float[np.ndarray, "p"]:
    """Log-likelihood ratio of each candidate, of the classes that the target finds likeliest."""
    likeliest = own.argmax(axis=2)[:, :, None]
    target = np.take_along_axis(own, likeliest, axis=2)[:, :, 0]
    values = np.take_along_axis(given, likeliest[:, None], axis=3)[:, :, :, 0]
    values, target = values - values[:, :1], target - values[:, 0]  # constants are 0
    sizes = [side.sum(axis=1)[:, None] for side in (saw, ~saw)]
    means, scatters = [], []
    for side, size in zip((saw, ~saw), sizes, strict=True):
        means.append(np.where(side[:, :, None], values, 0.0).sum(axis=1) / size)
        away = np.where(side[:, :, None], values - means[-1][:, None], 0.0)
        scatters.append(np.matmul(away.swapaxes(1, 2), away))
    if pooled:
        both = (scatters[0] + scatters[1]) / (saw.shape[1] - 2)
        covariances = [both, both]
    else:
        covariances = [s / (n[:, :, None] - 1) for s, n in zip(scatters, sizes, strict=True)]
    inside, outside = (
        _log_density(target - mean, _shrunk(covariance, shrink))
        for mean, covariance in zip(means, covariances, strict=True)
    )
    return inside - outside


def _shrunk(covariance: Covariances, shrink: float) -> Covariances:
    """Mixed with a sphere of its mean variance."""
    views = covariance.shape[1]
    variance = np.trace(covariance, axis1=1, axis2=2) / views
    sphere = (shrink * variance + FLOOR)[:, None, None] * np.eye(views)
    return (1 - shrink) * covariance + sphere


def _log_density(away: Away, covariance: Covariances) -> Float[np.ndarray, "p"]:
    """Log-density, in nats, but for what is the same on both sides."""
    turned = np.linalg.solve(covariance, away[:, :, None])[:, :, 0]
    return -(np.linalg.slogdet(covariance)[1] + (away * turned).sum(axis=1)) / 2
