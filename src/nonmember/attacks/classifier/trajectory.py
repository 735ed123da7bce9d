"""How a target's students come to do well on a record, held against references' students."""

import numpy as np

from nonmember.attacks.classifier.learners import Learner, log_odds, rows_of
from nonmember.attacks.registry import attack
from nonmember.errors import DataError
from nonmember.types import Count, RefMember, RefTrajectory, Scores, Trajectory

LEAST = 1e-6  # nats added to a loss before its logarithm


@attack(family="classifier", paper="Liu et al. 2022, arXiv:2208.14933")
def trajectory(
    trajectory: Trajectory,
    ref_trajectory: RefTrajectory,
    ref_member: RefMember,
    *,
    model: Learner = "mlp",
    restarts: Count = 5,
    seed: int = 0,
) -> Scores:
    """Log-odds of membership that the losses of references and their students teach, in nats.

    Each reference model's losses on each candidate are a record whose membership is known; of
    more than 20,000 those of the first models. Deviation: logarithms of the losses, so that
    the small ones of members differ. NaN with fewer than 10 records on a side.

    Args:
        trajectory: loss after each epoch of the target's distillation, then its own, (n e).
        ref_trajectory: the same of m reference models, (m n e).
        ref_member: whom each was trained on, (m n).
        model: ``mlp``, ``forest``, ``boosting`` or ``logistic``.
        restarts: networks whose log-odds are averaged.
        seed: of what is drawn.

    Raises:
        DataError: the target's students and the references' had other numbers of epochs.
    """
    epochs, theirs = trajectory.shape[1], ref_trajectory.shape[2]
    if epochs != theirs:
        raise DataError(
            f"trajectory: {epochs} losses of the target and {theirs} of each reference; distil "
            "both for as many epochs, on the same data"
        )
    known, member = rows_of(ref_trajectory, ref_member)
    own, given = (np.log(one.astype(float) + LEAST) for one in (trajectory, known))
    return log_odds(own, given, member, model=model, restarts=restarts, seed=seed)
