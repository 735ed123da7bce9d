"""A linear discriminant for each candidate: closed form, and exact when models are left out."""

from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le
from jaxtyping import Float

from nonmember.attacks.registry import attack
from nonmember.attacks.transfer.features import (
    Means,
    Sides,
    means_of_part,
    parts,
    refuse_few,
    refuse_unlike,
)
from nonmember.types import (
    Count,
    RefMember,
    RefViewLogits,
    RefVotes,
    Scores,
    ViewLogits,
    Votes,
)

FEW = 16  # references, up to which almost all of the covariance is spherical
FLOOR = 1e-6  # variance, where all models say the same

Shrinkage = Annotated[float, Ge(0), Le(1)]
Covariance = Literal["auto", "full", "diagonal"]

Own = Float[np.ndarray, "p c"]


@attack(family="transfer", paper="Abascal et al. 2024, arXiv:2306.01181")
def tmi_lda(
    aug_logits: ViewLogits,
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    *,
    gamma: Shrinkage | None = None,
    covariance: Covariance = "auto",
    k: Count | None = None,
) -> Scores:
    """Linear discriminant of a candidate's log-odds of every class: no unit, 0 halfway.

    Deviation: the paper learns a network per candidate. No prior enters, since with balanced
    references their counts would tell the answer.

    Args:
        aug_logits: the fine-tuned target's of v copies, (n v c); their mean is looked at.
        ref_aug_logits: those of m references, (m n v c).
        ref_member: whom the references' parents were pre-trained on, (m n).
        gamma: weight of a spherical covariance; by default 0.5, of up to 16 references 0.9.
        covariance: ``diagonal`` looks at each class by itself; ``auto`` for c above m / 4.
        k: only the k largest probabilities are looked at, the rest being spread evenly.

    Raises:
        DataError: the copies or classes differ, an answer is not finite, or fewer than two
            references are on a side of a candidate.
    """
    refuse_unlike(aug_logits, ref_aug_logits)
    refuse_few(ref_member)
    models, classes = len(ref_aug_logits), aug_logits.shape[2]
    weight, full = shrinkage(gamma, models), is_full(covariance, models, classes)
    score = np.zeros(len(aug_logits))
    for part in parts(ref_aug_logits):
        own = means_of_part(aug_logits[None], part, k)[:, 0]
        reference = means_of_part(ref_aug_logits, part, k)
        score[part] = discriminated(own, reference, ref_member[:, part].T, weight, full)
    return score


@attack(family="transfer", paper="Abascal et al. 2024, arXiv:2306.01181")
def tmi_label(
    aug_votes: Votes,
    ref_aug_votes: RefVotes,
    ref_member: RefMember,
    *,
    gamma: Shrinkage = 0.5,
    covariance: Covariance = "auto",
) -> Scores:
    """What ``tmi_lda`` tells from predicted classes only: no unit, 0 halfway.

    Weak, and in need of 16 copies or more: from one, there are c answers.

    Args:
        aug_votes: share of the copies for which the target predicts each class, (n c).
        ref_aug_votes: the same of m references, (m n c).
        ref_member: whom the references' parents were pre-trained on, (m n).
        gamma: weight of a spherical covariance.
        covariance: as in ``tmi_lda``.

    Raises:
        DataError: fewer than two references are on a side of a candidate.
    """
    refuse_few(ref_member)
    full = is_full(covariance, len(ref_aug_votes), aug_votes.shape[1])
    reference = np.ascontiguousarray(ref_aug_votes.swapaxes(0, 1), dtype=float)
    return discriminated(aug_votes.astype(float), reference, ref_member.T, gamma, full)


def shrinkage(gamma: float | None, models: int) -> float:
    """The weight that is asked for, or that suits so many references."""
    if gamma is not None:
        return gamma
    return 0.9 if models <= FEW else 0.5


def is_full(covariance: Covariance, models: int, classes: int) -> bool:
    """Whether so many references carry how classes vary together."""
    return covariance == "full" or (covariance == "auto" and classes <= models / 4)


def discriminated(
    own: Own, reference: Means, saw: Sides, gamma: float, full: bool
) -> Float[np.ndarray, "p"]:
    """(z - (mu1 + mu0) / 2)' C^-1 (mu1 - mu0) of each candidate, all float64.

    C is (1 - gamma) W / (m - 2) + (gamma tau + 1e-6) I: W what references scatter about the
    means of their sides, tau the mean variance of a class over references and target.
    """
    models = reference.shape[1]
    z = np.concatenate([reference, own[:, None]], axis=1) - reference[:, :1]  # constants are 0
    tau = z.var(axis=1).mean(axis=1)
    middle, apart, away = about_sides(z[:, :-1], saw)
    within, ball = (1 - gamma) / (models - 2), (gamma * tau + FLOOR)[:, None]
    if not full:
        variance = within * np.square(away).sum(axis=1) + ball
        return ((z[:, -1] - middle) * apart / variance).sum(axis=1)
    scatter = within * np.matmul(away.swapaxes(1, 2), away)
    scatter += ball[:, :, None] * np.eye(z.shape[2])
    turned = np.linalg.solve(scatter, apart[:, :, None])[:, :, 0]
    return ((z[:, -1] - middle) * turned).sum(axis=1)


def about_sides(z: Means, saw: Sides) -> tuple[Own, Own, Means]:
    """Halfway between the means of both sides, their difference, and what is left of each."""
    inside = saw[:, :, None]
    sizes = saw.sum(axis=1)[:, None], (~saw).sum(axis=1)[:, None]
    mu1 = np.where(inside, z, 0.0).sum(axis=1) / sizes[0]
    mu0 = np.where(inside, 0.0, z).sum(axis=1) / sizes[1]
    away = z - np.where(inside, mu1[:, None], mu0[:, None])
    return (mu1 + mu0) / 2, mu1 - mu0, away
