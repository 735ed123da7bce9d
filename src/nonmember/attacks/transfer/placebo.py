"""References with a membership that is not theirs: what an attack finds in it is its own noise."""

import numpy as np

from nonmember.seeds import generator
from nonmember.types import ModelGroups, RefMember


def placebo(ref_member: RefMember, groups: ModelGroups, *, seed: int = 0) -> RefMember:
    """The same membership, dealt out anew among the groups for each candidate.

    Groups of one size exchange what their models saw, in their order, so that pairs stay
    complementary and every candidate is in as many models. Attacks are to be given it, and
    judged by it; their AUC must be 0.5.

    Args:
        ref_member: whom each model was trained on, (m n).
        groups: the group of each model, (m,).
        seed: of what is drawn.
    """
    found, drawn = ref_member.copy(), generator(seed, "placebo")
    sets = [np.flatnonzero(groups == name) for name in np.unique(groups)]
    for size in sorted({len(one) for one in sets}):
        places = np.stack([one for one in sets if len(one) == size])
        order = np.tile(np.arange(len(places))[:, None], (1, ref_member.shape[1]))
        order = drawn.permuted(order, axis=0)[:, None]
        found[places] = np.take_along_axis(ref_member[places], order, axis=0)
    return found
