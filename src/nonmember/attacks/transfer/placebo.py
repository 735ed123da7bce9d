"""References with a membership that is not theirs: what an attack finds in it is its own noise."""

import numpy as np

from nonmember.seeds import generator
from nonmember.types import ModelGroups, RefMember


def placebo(ref_member: RefMember, groups: ModelGroups, *, seed: int = 0) -> RefMember:
    """The same membership, dealt out anew for each candidate.

    Twins, of whom each saw what the other did not, exchange that by a fair coin: they stay
    complementary, every candidate is in as many models, and nothing is left of what is true,
    however few they are. All other groups exchange what their models saw, in their order, with
    groups of their size. Attacks are to be given it, and judged by it; their AUC must be 0.5.

    Args:
        ref_member: whom each model was trained on, (m n).
        groups: the group of each model, (m,).
        seed: of what is drawn.
    """
    found, drawn = ref_member.copy(), generator(seed, "placebo")
    others: dict[int, list[np.ndarray]] = {}
    for name in np.unique(groups):
        one = np.flatnonzero(groups == name)
        if len(one) == 2 and (ref_member[one[0]] != ref_member[one[1]]).all():
            found[one] ^= drawn.random(ref_member.shape[1]) < 0.5
        else:
            others.setdefault(len(one), []).append(one)
    for _, sets in sorted(others.items()):
        places = np.stack(sets)
        order = np.tile(np.arange(len(places))[:, None], (1, ref_member.shape[1]))
        order = drawn.permuted(order, axis=0)[:, None]
        found[places] = np.take_along_axis(ref_member[places], order, axis=0)
    return found
