"""Candidates by which a model that is there was set, as far as its owner says."""

import numpy as np

from nonmember.audit.classifiers.candidates import Candidates, codes
from nonmember.audit.classifiers.spec import Data
from nonmember.data import labelled
from nonmember.evaluation import gates
from nonmember.evaluation.checks import Finding


def calibrated(
    data: Data, candidates: Candidates, classes: tuple[str, ...] | None
) -> tuple[Finding, ...]:
    """Whether candidates are among the examples that the model was calibrated on.

    Args:
        data: what names these.
        candidates: the examples in question.
        classes: what the model calls its classes, in its order, where it says.

    Raises:
        DataError: they cannot be read.
    """
    if data.calibrated_on is None:
        return ()
    used = labelled.read(
        data.calibrated_on, label=data.label, group=data.group, text=data.text, classes=classes
    )
    there = np.flatnonzero(np.isin(codes(candidates.examples), codes(used)))
    members = int(candidates.split.member[there].sum())
    found = gates.calibrated(candidates.ids(there), members)
    return () if found is None else (found,)
