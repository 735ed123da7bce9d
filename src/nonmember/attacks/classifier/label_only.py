"""Attacks that see nothing of a target but the class that it predicts."""

from typing import Literal

from nonmember.attacks.classifier.learners import log_odds
from nonmember.attacks.registry import attack
from nonmember.signals.ragged import mean
from nonmember.types import BoundaryDistance, KnownMember, KnownViewHits, Scores, ViewHits


@attack(
    family="classifier",
    paper="Choquette-Choo et al. 2021, arXiv:2007.14321; Li & Zhang 2021, arXiv:2007.15528",
)
def boundary(boundary_distance: BoundaryDistance) -> Scores:
    """Distance to the decision boundary, in sides of the inputs' range: members are farther in.

    0 where the class is wrong. NaN where no input of another class was found.

    Args:
        boundary_distance: norm of the smallest change found that loses the class, (n,).
    """
    return boundary_distance.astype(float)


@attack(family="classifier", paper="Choquette-Choo et al. 2021, arXiv:2007.14321")
def augmentation(aug_hits: ViewHits) -> Scores:
    """Share of altered copies whose true class is predicted, 0 to 1: members keep theirs.

    Of v copies there are v + 1 values: no false-positive rate below about 10 / v can be told.

    Args:
        aug_hits: 1 where the true class of a copy is predicted, (n v).
    """
    return mean(aug_hits)


@attack(family="classifier", paper="Choquette-Choo et al. 2021, arXiv:2007.14321")
def augmentation_learned(
    aug_hits: ViewHits,
    known_aug_hits: KnownViewHits,
    known_member: KnownMember,
    *,
    model: Literal["logistic", "forest"] = "logistic",
    seed: int = 0,
) -> Scores:
    """Log-odds of membership that known records' altered copies teach, in nats.

    Which copies keep their class says more than how many do. Deviation: the paper trains a
    network on the copies' hits. NaN with fewer than 10 known records on a side.

    Args:
        aug_hits: 1 where the true class of a copy is predicted, (n v).
        known_aug_hits: those of other records, the same copies in the same places, (k v).
        known_member: which of those were trained on, (k,).
        model: logistic regression, or a forest, for copies that tell in company only.
        seed: of the forest.
    """
    own, known = aug_hits.astype(float), known_aug_hits.astype(float)
    return log_odds(own, known, known_member, model=model, restarts=1, seed=seed)
