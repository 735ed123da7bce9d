"""Token probabilities guessed from labels, through a surrogate whose probabilities are known."""

import numpy as np

from nonmember.attacks.registry import attack
from nonmember.signals.ragged import mean, together
from nonmember.types import Positive, Scores, Similarity, TokenLogprobs

FLAT = 1e-18  # a variance that is rounding only


@attack(family="language", paper="He et al. 2025, arXiv:2502.18943")
def petal(
    label_similarity: Similarity,
    base_label_similarity: Similarity,
    base_token_logprobs: TokenLogprobs,
    *,
    epsilon: Positive = 1e-3,
) -> Scores:
    """Log-probability that the target's preferred tokens suggest for the text, nats per token.

    Per text, the log-probabilities of a surrogate, here the base model, are regressed on the
    log-similarity between its likeliest token and the true one; the line is then read at the
    target's similarities. A member's likeliest tokens are nearer to the true ones. The
    authors named here are not verified.

    Deviation: where a text's similarities all agree, or the line falls, the slope is 0 (the
    best line that does not fall), and the score is the surrogate's own mean: the labels then
    say nothing. The paper's remedy, one line for all texts, would let a text's score depend
    on the others.

    Args:
        label_similarity: cosine of the target's likeliest and the true token, (n t).
        base_label_similarity: the same of the surrogate, (n t).
        base_token_logprobs: the surrogate's, (n t).
        epsilon: least similarity, so that its logarithm exists.
    """
    near = (_log(one, epsilon) for one in (base_label_similarity, label_similarity))
    logprobs, surrogate, target = together(base_token_logprobs, *near)
    level, centre = mean(logprobs), mean(surrogate)
    away = surrogate - centre[:, None]
    spread, rise = mean(away**2), mean(away * (logprobs - level[:, None]))
    rises = (spread > FLAT) & (rise > 0)
    slope = np.divide(rise, spread, out=np.zeros(len(level)), where=rises)
    return level + slope * (mean(target) - centre)


def _log(similarity: Similarity, epsilon: float) -> Similarity:
    return np.log(np.maximum(np.asarray(similarity, dtype=float), epsilon))
