"""Setting a fence: its interval, and what it answers where no copy keeps the label."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32

from nonmember.data.examples import Examples
from nonmember.errors import DataError, ModelError
from nonmember.models.diffusion.copies import Copies
from nonmember.models.fence import interval, select
from nonmember.models.fence.calibration import Arrays, Calibration
from nonmember.models.fence.fenced import (
    Asked,
    Fallback,
    Fence,
    arrays,
    asked,
    span_of,
)
from nonmember.models.fence.interval import Interval, Objective
from nonmember.models.fence.keyed import draws
from nonmember.models.fence.select import Confidence, Kept, Selector
from nonmember.models.protocols import Classifier

Side: TypeAlias = Literal["members", "non_members", "public"]
Shares: TypeAlias = dict[Side, float]
SIDES: tuple[Side, ...] = ("members", "non_members", "public")

NEEDS: Mapping[Selector, tuple[Side, ...]] = {
    "s1": ("members", "non_members", "public"),
    "s2": ("members", "public"),
    "s3": ("public",),
    "mean": (),
    "majority": (),
}
"""Whose copies a selector is set by: an interval by members' and others', donors by public ones."""


def check(classifier: Classifier, calibration: Calibration, selector: Selector) -> None:
    """Refuse what cannot be calibrated, before anything is asked.

    Raises:
        DataError: a side that the selector needs is empty, or a label is no class.
        ModelError: the classifier knows one class alone.
    """
    if classifier.classes < 2:
        raise ModelError("diffence: the classifier knows one class; a fence needs at least 2")
    for side in SIDES:
        examples: Examples = getattr(calibration, side)
        if not len(examples) and side in NEEDS[selector]:
            raise DataError(
                f"diffence: selector {selector} is calibrated on {_said(side)} and there are "
                "none; give some, or use another selector"
            )
        highest = int(examples.labels.max(initial=0))
        if highest >= classifier.classes:
            raise DataError(
                f"diffence: a label of {_said(side)} is {highest}, and the classifier knows the "
                f"{classifier.classes} classes 0 to {classifier.classes - 1}; give the labels "
                "it was trained on"
            )


def fitted(
    classifier: Classifier,
    calibration: Calibration,
    copies: Copies,
    selector: Selector,
    objective: Objective,
) -> Arrays:
    """What ``fence`` makes a fence of: ``interval`` (3,), ``donors`` (d c), ``kept`` (3,).

    The interval is its two ends and the divergence that it leaves. Donors are the defended
    answers to public inputs of which a copy keeps the label, the classifier's. Kept are the
    shares of copies of members, non-members and public inputs that do and are not the input
    itself; NaN of those that nothing is set by.

    Raises:
        ModelError: no copy of a whole side keeps its label; or as for ``Fenced.answer``.
    """
    shares: Shares = dict.fromkeys(SIDES, np.nan)
    odds = [
        _odds(side, classifier, copies, getattr(calibration, side), shares)
        for side in NEEDS[selector]
        if side != "public"
    ]
    found = Interval(-np.inf, np.inf, np.nan)
    if selector == "s1":
        found = interval.search(odds[0], odds[1], objective)
    elif selector == "s2":
        found = interval.of_members(odds[0])
    donors = np.empty((0, classifier.classes), dtype=np.float32)
    if "public" in NEEDS[selector]:
        chooser = Fence(selector, "flat", found.low, found.high, donors, np.nan)
        donors = _donors(classifier, calibration, copies, chooser, shares)
    return {
        "interval": np.array(found, dtype=np.float64),
        "donors": donors,
        "kept": np.array([*shares.values()], dtype=np.float64),
    }


def fence(found: Arrays, selector: Selector, fallback: Fallback) -> Fence:
    """The fence that was fitted."""
    low, high, apart = np.asarray(found["interval"]).tolist()
    donors = np.array(found["donors"])
    confidence = float(np.median(select.log_odds(donors))) if len(donors) else 0.0
    shares = zip(SIDES, np.asarray(found["kept"]).tolist(), strict=True)
    figures = {"apart": apart, **{f"kept_{side}": share for side, share in shares}}
    told = {name: value for name, value in figures.items() if np.isfinite(value)}
    return Fence(selector, fallback, low, high, donors, confidence, told)


def _odds(
    side: Side, classifier: Classifier, copies: Copies, examples: Examples, shares: Shares
) -> Confidence:
    told = asked(classifier, copies, examples.inputs)
    return select.confidence(told.answers, _kept(side, told, shares))


def _donors(
    classifier: Classifier,
    calibration: Calibration,
    copies: Copies,
    chooser: Fence,
    shares: Shares,
) -> Float32[np.ndarray, "d c"]:
    """The answers to public inputs, as far as there are any, ordered by their label."""
    rows = arrays(calibration.public.inputs)
    told = asked(classifier, copies, rows)
    _kept("public", told, shares)
    chosen = chooser.choose(told, draws(calibration.secret, "copy", rows, span_of(copies)))
    usable = np.flatnonzero(chosen.found)
    order = usable[chosen.label[usable].argsort(kind="stable")]
    return select.rounded(chosen.logits[order], chosen.label[order])


def _kept(side: Side, told: Asked, shares: Shares) -> Kept:
    """Which copies of a side keep their label; their share is noted."""
    kept = told.kept
    if not told.moved.any():
        raise ModelError(
            f"diffence: every copy of the {_said(side)} is the input itself; regenerate them with "
            "a larger t"
        )
    if not kept.any():
        raise ModelError(
            f"diffence: no copy of any of the {_said(side)} keeps its label; regenerate them "
            "with a smaller t, or train the diffusion model on inputs like these"
        )
    shares[side] = float(kept.mean())
    return kept


def _said(side: Side) -> str:
    return "public examples" if side == "public" else side.replace("_", "-")
