"""Where scores stand among those of other records, of all or of the same class."""

import numpy as np
from jaxtyping import Float, Int

from nonmember.types import Labels, Scores

Others = Float[np.ndarray, "o"]
OtherLabels = Int[np.ndarray, "o"]


def below(
    scores: Scores, labels: Labels, others: Others, other_labels: OtherLabels, *, equal: float = 0.0
) -> tuple[Scores, Scores]:
    """How many others of the same label are below each score, and how many there are.

    One sort and one search per label. NaN for both where there are none, and for a score that
    is NaN.

    Args:
        scores: of n candidates.
        labels: of these; all alike, if labels are to be no matter.
        others: scores of other records, (o,).
        other_labels: of those, (o,).
        equal: what another counts whose score is the same.
    """
    count, size = np.full((2, len(scores)), np.nan)
    for label in np.unique(labels).tolist():
        ranked, rows = np.sort(others[other_labels == label]), labels == label
        if len(ranked):
            left = np.searchsorted(ranked, scores[rows], "left")
            right = np.searchsorted(ranked, scores[rows], "right")
            count[rows], size[rows] = left + equal * (right - left), len(ranked)
    return np.where(np.isnan(scores), np.nan, count), size
