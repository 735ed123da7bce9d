"""Whom each reference model is trained on: complementary halves of the candidates."""

from math import lgamma

import numpy as np
from jaxtyping import Bool, Int

from nonmember.data.examples import Examples
from nonmember.errors import DataError, SpecError
from nonmember.seeds import generator
from nonmember.types import Groups, RefMember

LEAST = 4

Sizes = Int[np.ndarray, "g"]
"""Candidates of each group."""


def balanced(groups: Groups, m: int, *, seed: int = 0) -> RefMember:
    """A random half of the groups for each even row, its complement for the row after it.

    Every candidate is in exactly m / 2 rows, and those of one group are always together. The
    two halves are as nearly of one size as whole groups permit. The first rows are the same
    for a larger m, so that models can be added.

    Args:
        groups: (n,) equal for candidates that belong together.
        m: number of rows, even.
        seed: of the draws.

    Raises:
        SpecError: m is odd, or below 2.
        DataError: all candidates belong together.
    """
    if m < 2 or m % 2:
        raise SpecError(
            f"reference models: {m} cannot be paired, each with its complement; give "
            f"{max(4, m + m % 2)}"
        )
    _, code, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise DataError(
            f"reference models: the {len(groups)} candidates make {len(sizes)} group, and none can "
            "be left out; give candidates of more documents or persons"
        )
    kinds, counts = (part[::-1] for part in np.unique(sizes, return_counts=True))
    sums = _sums(kinds, counts)
    pairs = (generator(seed, "membership", pair) for pair in range(m // 2))
    halves = [_half(sizes, kinds, sums, rng)[code] for rng in pairs]
    return np.stack([row for half in halves for row in (half, ~half)])


def check(examples: Examples, member: RefMember, classes: int) -> None:
    """Refuse, before any is trained, a membership that reference models can tell nothing from.

    Args:
        examples: the n candidates.
        member: whom each model is trained on, (m n).
        classes: how many the models know.

    Raises:
        SpecError: fewer than 4 models.
        DataError: ``member`` has another shape, or an example is in all models or none; a
            label beyond the classes; a class that a model would not be shown.
    """
    _check_design(examples, member)
    _check_classes(examples, member, classes)


def _half(
    sizes: Sizes, kinds: Int[np.ndarray, "_"], sums: list[int], rng: np.random.Generator
) -> Bool[np.ndarray, "g"]:
    """Groups that make up a half, from the largest to the smallest."""
    total = int(sizes.sum())
    left = (sums[0] & ((1 << (total // 2 + 1)) - 1)).bit_length() - 1
    if rng.integers(2):
        left = total - left
    chosen = np.zeros(len(sizes), dtype=bool)
    for kind, rest in zip(kinds.tolist(), sums[1:], strict=True):
        alike = np.flatnonzero(sizes == kind)
        most = min(len(alike), left // kind)
        takes = [take for take in range(most + 1) if rest >> (left - take * kind) & 1]
        # As likely as by fair coins for each, among what the smaller groups can make up for.
        weight = np.array([-lgamma(k + 1) - lgamma(len(alike) - k + 1) for k in takes])
        share = np.exp(weight - weight.max())
        take = int(rng.choice(takes, p=share / share.sum()))
        chosen[rng.permutation(alike)[:take]] = True
        left -= take * kind
    return chosen


def _sums(kinds: Int[np.ndarray, "_"], counts: Int[np.ndarray, "_"]) -> list[int]:
    """Bit s of entry i: whether groups of the i-th size and smaller ones can add up to s."""
    found = [1]
    for kind, count in zip(kinds[::-1].tolist(), counts[::-1].tolist(), strict=True):
        reached, added = found[0], 0
        while added < count:
            step = min(added + 1, count - added)
            reached |= reached << step * kind
            added += step
        found.insert(0, reached)
    return found


def _check_design(examples: Examples, member: RefMember) -> None:
    if member.ndim != 2 or member.shape[1] != len(examples) or member.dtype != bool:
        raise DataError(
            f"reference models: a membership of {member.dtype} in shape {member.shape} for "
            f"{len(examples)} examples; give bool (models {len(examples)})"
        )
    if len(member) < LEAST:
        raise SpecError(
            f"reference models: {len(member)} cannot tell chance from membership; use at least "
            f"{LEAST}, and 16 or more for lira"
        )
    for which, amiss in (("all", member.all(axis=0)), ("none", ~member.any(axis=0))):
        if amiss.any():
            raise DataError(
                f"reference models: {examples.ids[int(amiss.argmax())]} is in {which} of the "
                f"{len(member)} training sets, as are {int(amiss.sum()) - 1} others; let each "
                "example be in some and left out of some"
            )


def _check_classes(examples: Examples, member: RefMember, classes: int) -> None:
    """Every class must be there, in every training set: nothing is learnt of one that is not."""
    labels = examples.labels
    highest = int(labels.argmax())
    if labels[highest] >= classes:
        raise DataError(
            f"{examples.ids[highest]}: its label is {labels[highest]}, and the classes are 0 to "
            f"{classes - 1}; number them so, or give as many classes as there are"
        )
    for label in range(classes):
        of_it = labels == label
        without = ~member[:, of_it].any(axis=1)
        if without.any():
            raise DataError(
                f"reference models: class {label} has {int(of_it.sum())} of {len(labels)} "
                f"examples, and none of them is in training set {int(without.argmax()) + 1} of "
                f"{len(member)}; give more examples of it, or leave the class out"
            )
