"""SOFT's ablation: what is gained by leaving records out alone, without any rewrite."""

import numpy as np

from nonmember.defenses.language.roles import DROP, RAW, Exposure, Ratio, Roles, most_exposed
from nonmember.defenses.registry import defense


@defense(family="language", stage="data", paper="Carlini et al. 2022, arXiv:2206.10469")
def drop_influential(exposure: Exposure, *, ratio: Ratio = 0.5) -> Roles:
    """Leave out the most exposed records: ``floor(ratio * n)`` of them, the rest stays raw.

    It chooses as ``soft`` does, so that the two differ by the rewrites alone. The paper shows
    why it need not help: with one layer of exposed records gone, the next is exposed.

    Args:
        exposure: of each record, (n,); larger is more exposed, NaN is left out last. Ties
            go to the earlier position.
        ratio: the share of records to leave out, 0 to 1.

    Raises:
        SpecError: ``ratio`` is no share.
    """
    chosen = most_exposed(exposure, ratio, "drop_influential")
    return np.where(chosen, DROP, RAW).astype(np.int8)
