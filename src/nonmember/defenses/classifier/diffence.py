"""Diffence: the classifier never shows what it makes of an input, only of one like it."""

from nonmember.defenses.registry import defense
from nonmember.models.diffusion.copies import Copies
from nonmember.models.fence import fitting
from nonmember.models.fence.calibration import Calibration
from nonmember.models.fence.fenced import Fallback, Fenced
from nonmember.models.fence.interval import Objective
from nonmember.models.fence.keyed import VERSION
from nonmember.models.fence.select import Selector
from nonmember.models.protocols import Classifier


@defense(family="classifier", stage="inference", paper="Peng et al. 2025, arXiv:2312.04692")
def diffence(
    classifier: Classifier,
    calibration: Calibration,
    copies: Copies,
    *,
    selector: Selector = "s3",
    objective: Objective = "js",
    fallback: Fallback = "donor",
) -> Fenced:
    """Answer with the logits of a regenerated copy of the input that keeps its label.

    The label is the classifier's own, so that accuracy is as before, and so is what attacks
    read that see nothing but labels: it leaks less through scores, and is no guarantee.
    A copy that is its input again, in 255 steps from the least value to the largest, counts for
    none, under every selector: it would be answered as without a defense.
    Deviations: the authors' S3 takes an interval from members and non-members, ours takes any
    copy that keeps the label, as their text says; their S1 counts in its histograms nothing
    outside the range of non-members; and where no copy keeps the label they answer as if there
    were no defense, which gives the input away, and we with the answer to a public input.

    Args:
        classifier: what is defended.
        calibration: what the defender has beside it; ``public`` examples give the donors,
            ``members`` (s1, s2) and ``non_members`` (s1) the interval.
        copies: gives regenerated copies of inputs.
        selector: ``s3`` takes any copy that keeps the label, each as likely as the other; ``s1``
            the first in the interval that makes the confidence of members and non-members most
            alike, and else the nearest; ``s2`` the same with the interval from the least to
            the mean confidence of members; ``mean`` and ``majority`` answer with the mean
            probabilities of all copies, or of those with the commonest label, and change labels;
            they have no donors, and where every copy is the input they tell the label alone.
        objective: of s1: Jensen-Shannon or Kolmogorov-Smirnov.
        fallback: what is answered where no copy keeps the label: that to a public input with
            it (``donor``), or the label at the donors' median confidence and the other classes
            alike (``flat``, also for a label with fewer than 20 donors).

    Raises:
        DataError: what the selector is calibrated on is missing, or a label is no class.
        ModelError: no copy keeps a label, or an answer or a copy is of no use.
    """
    fitting.check(classifier, calibration, selector)
    arrays = calibration.remember(
        f"{VERSION} diffence-{selector}-{objective}-{copies.digest}",
        lambda: fitting.fitted(classifier, calibration, copies, selector, objective),
    )
    made = fitting.fence(arrays, selector, fallback)
    return Fenced(classifier, copies, made, calibration.secret)
