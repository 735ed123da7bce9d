"""What near-duplicates across the split mean for an audit, as a coded finding."""

from collections.abc import Sequence

from nonmember.evaluation.checks import Finding


def near_duplicates(pairs: Sequence[tuple[str, str, float]]) -> Finding | None:
    """E127: members of which a non-member is nearly a copy, so that the model half knows it.

    Args:
        pairs: names of a member and of a non-member, and how similar they are, 0 to 1.
    """
    if not pairs:
        return None
    first, second, similarity = pairs[0]
    return Finding(
        "E127",
        "warning",
        f"{len(pairs)} pairs of a member and a non-member are nearly the same (such as {first} and "
        f"{second}, {similarity:.0%} alike): what is learnt of the one is known of the other, so "
        "attacks find less than there is; remove one of each pair",
        tuple(one for one, _, _ in pairs),
    )
