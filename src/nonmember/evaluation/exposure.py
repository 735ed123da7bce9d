"""Which records are exposed: the AUC of each record over models that saw it or did not."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata


def auc_of_records(
    scores: Float[np.ndarray, "m n"], member: Bool[np.ndarray, "m n"]
) -> Float[np.ndarray, "n"]:
    """Probability, for each record, that a model which saw it scores it above one that did not.

    0.5 is chance; of few models it is coarse. NaN where all models saw a record, or none.

    Args:
        scores: of each model about each record, (m n), raw: models share a scale.
        member: who is a member of each model's training set, (m n).
    """
    inside = member.sum(axis=0)
    above = (rankdata(scores, axis=0) * member).sum(axis=0) - inside * (inside + 1) / 2
    pairs = inside * (len(member) - inside)
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
