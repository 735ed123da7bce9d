"""A number of the target's answer alone: what is told without any reference."""

import numpy as np

from nonmember.attacks.registry import attack
from nonmember.attacks.transfer.features import refuse_answers
from nonmember.types import Scores, ViewLogits


@attack(family="transfer", paper="Salem et al. 2019, arXiv:1806.01246")
def max_confidence(aug_logits: ViewLogits) -> Scores:
    """Mean over the copies of the largest probability, 0 to 1: the model may be surer of members.

    Or less sure, as of mislabelled ones: what was learnt of them is in the way downstream.

    Args:
        aug_logits: the fine-tuned target's of v copies, (n v c).

    Raises:
        DataError: an answer is not finite, or there are fewer than two classes.
    """
    refuse_answers(aug_logits[None], "aug_logits")
    logits = np.ascontiguousarray(aug_logits, dtype=float)
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    score: Scores = (1 / odds.sum(axis=2)).mean(axis=1)
    return score
