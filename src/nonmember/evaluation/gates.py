"""Coded findings that decide whether an audit's figures are evidence at all."""

from collections.abc import Sequence
from math import ceil

from scipy.stats import binomtest

from nonmember.evaluation.checks import Finding
from nonmember.evaluation.intervals import Interval, null_standard_error

MOST_NEAR = 0.1  # pairs per record of the smaller side that may hide a leak, but hardly
CERTAIN = 0.01  # p-value of so many false alarms if the control were what it should be
WEAK, WANTED = 0.75, 0.6  # an AUC that any audit should have seen, and one that is worth seeing


def calibrated(ids: Sequence[str], members: int) -> Finding | None:
    """E132: candidates by which the model's temperature, threshold or defense was set."""
    if not ids:
        return None
    return Finding(
        "E132",
        "error",
        f"{len(ids)} candidates, {members} of them members, are among the examples by which the "
        "model was calibrated or its defense was set: its answers about them were chosen, so no "
        "figure below is evidence of membership; leave them out of both sides",
        tuple(ids),
    )


def base_has_seen(auc: Interval) -> Finding | None:
    """E133: the model that the target was tuned from tells the two sides apart by itself."""
    if not auc.excludes(0.5):
        return None
    return Finding(
        "E133",
        "error",
        "the base model by itself separates the two sides by its loss (AUC "
        f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]): it has seen candidates, or the sides "
        "are not drawn alike, so nothing below is evidence of what fine-tuning leaked; give "
        "records that are younger than the base, both sides from one pool",
    )


def too_near(pairs: int, records: int) -> Finding | None:
    """E134: so many near-duplicates across the split that "no leak" would be no evidence.

    Args:
        pairs: of a member and a non-member that are nearly the same.
        records: of the smaller side.
    """
    if pairs <= MOST_NEAR * records:
        return None
    return Finding(
        "E134",
        "error",
        f"{pairs} near-duplicates across the split, for {records} records of the smaller side, can "
        "hide a leak; remove one of each pair and audit again",
    )


def powerless(detectable: float, members: int, non_members: int) -> Finding | None:
    """E135: an audit that could not have counted on seeing any leak whatever."""
    if detectable < 1:
        return None
    return Finding(
        "E135",
        "error",
        f"{members} independent members and {non_members} non-members are too few to count on "
        "seeing any leak; give more of either, or run fewer attacks",
    )


def alike() -> Finding:
    """E135: a model whose answers tell nothing of any candidate."""
    return Finding(
        "E135",
        "error",
        "the model gives the same answer about every candidate, so nothing could have been seen; "
        "check that it, or the file of its answers, is the right one",
    )


def weak(detectable: float, members: int, non_members: int) -> Finding | None:
    """E136: only a strong leak would have been seen; with how many records a weaker one would.

    Args:
        detectable: the smallest AUC that would have been seen, below 1.
        members: independent ones.
        non_members: independent ones.
    """
    if detectable <= WEAK:
        return None
    reach = (detectable - 0.5) / null_standard_error(members, non_members)
    each = ceil((reach / (WANTED - 0.5)) ** 2 / 6)
    return Finding(
        "E136",
        "warning",
        f"only a leak of AUC {detectable:.2f} or more would have been seen with 80 % probability; "
        f"one of {WANTED:g} takes about {each} independent records of either side",
    )


def alarming(alarms: int, times: int, level: float) -> Finding | None:
    """E137: the control, in which nothing is to be found, raises alarms too often for chance."""
    if not alarms or binomtest(alarms, times, 1 - level, "greater").pvalue > CERTAIN:
        return None
    return Finding(
        "E137",
        "error",
        f"the control raised a false alarm in {alarms} of {times} draws of membership anew, where "
        f"at most {1 - level:.2g} of them may: intervals do not hold for these records, so no "
        "claim does; say with a group which records belong together",
    )
