"""Every reference model in turn as the victim of the others, its group left out.

The twin of a pair saw what the victim did not, and the count of parents among the rest that
saw a candidate would tell the answer: so the group goes, not only the victim. A score is
what the attack says of the victim, given the models that stay; ``auto`` goes by all m. Raw
scores may be pooled over victims. All forms take ``groups``, (m,), and return (m n).
"""

from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
from annotated_types import Ge
from jaxtyping import Float, Int

from nonmember.attacks.classifier.margins import checked, margin
from nonmember.attacks.references import Std, auto_std, log_likelihood_ratio
from nonmember.attacks.transfer.discriminant import (
    Covariance,
    Shrinkage,
    is_full,
    shrinkage,
)
from nonmember.attacks.transfer.features import (
    means_of_part,
    of_part,
    parts,
    refuse_answers,
    refuse_few,
)
from nonmember.attacks.transfer.left_out import all_discriminated
from nonmember.attacks.transfer.likelihood import Pooling, is_pooled, likelier
from nonmember.attacks.transfer.metaclassifier import Scale, scale_of, stacks, taught
from nonmember.attacks.transfer.shared import Folds, moments, taught_together
from nonmember.attacks.transfer.threshold import max_confidence
from nonmember.errors import DataError
from nonmember.types import (
    Count,
    Labels,
    ModelGroups,
    RefLogits,
    RefMember,
    RefViewLogits,
    RefVotes,
    Share,
)

Blocks = Annotated[int, Ge(2)]
AllScores = Float[np.ndarray, "m n"]
Models = Int[np.ndarray, "q"]


def tmi_lda_all(
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    gamma: Shrinkage | None = None,
    covariance: Covariance = "auto",
    k: Count | None = None,
) -> AllScores:
    """``tmi_lda`` of every model, from one inverse for each candidate."""
    refuse_answers(ref_aug_logits, "ref_aug_logits")
    refuse_few(ref_member, groups)
    models, classes = len(ref_aug_logits), ref_aug_logits.shape[3]
    weight, full = shrinkage(gamma, models), is_full(covariance, models, classes)
    score = np.zeros(ref_member.shape)
    for part in parts(ref_aug_logits):
        z, saw = means_of_part(ref_aug_logits, part, k), ref_member[:, part].T
        score[:, part] = all_discriminated(z, saw, groups, weight, full).T
    return score


def tmi_label_all(
    ref_aug_votes: RefVotes,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    gamma: Shrinkage = 0.5,
    covariance: Covariance = "auto",
) -> AllScores:
    """``tmi_label`` of every model."""
    refuse_few(ref_member, groups)
    full = is_full(covariance, len(ref_aug_votes), ref_aug_votes.shape[2])
    z = np.ascontiguousarray(ref_aug_votes.swapaxes(0, 1), dtype=float)
    return all_discriminated(z, ref_member.T, groups, gamma, full).T


def tmi_all(
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    scale: Scale = "auto",
    blocks: Blocks = 8,
    k: Count | None = None,
    seed: int = 0,
) -> AllScores:
    """``tmi`` of every model, whole groups in so many ``blocks`` held out together."""
    refuse_answers(ref_aug_logits, "ref_aug_logits")
    held = _blocks(groups, blocks)
    refuse_few(ref_member, held)
    chosen, score = scale_of(scale, len(held)), np.zeros(ref_member.shape)
    for part in stacks(ref_member.shape[1]):
        phi, saw = of_part(ref_aug_logits, part, k), ref_member[:, part].T
        for out, rest in _turns(held):
            found = taught(phi[:, rest], saw[:, rest], phi[:, out], chosen, seed)
            score[out, part] = found.T
    return score


def tmi_global_all(
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    folds: Folds = 1,
    blocks: Blocks = 8,
    k: Count | None = None,
    seed: int = 0,
) -> AllScores:
    """``tmi_global`` of every model, whole groups in so many ``blocks`` held out together."""
    refuse_answers(ref_aug_logits, "ref_aug_logits")
    held = _blocks(groups, blocks)
    refuse_few(ref_member, held)
    score, saw = np.zeros(ref_member.shape), ref_member.T
    z, spread = moments(ref_aug_logits, k)
    for out, rest in _turns(held):
        found = taught_together(z[:, rest], spread[:, rest], saw[:, rest], z[:, out], folds, seed)
        score[out] = found.T
    return score


def adapted_lira_all(
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    covariance: Pooling = "auto",
    shrink: Share = 0.1,
    k: Count | None = None,
) -> AllScores:
    """``adapted_lira`` of every model."""
    refuse_answers(ref_aug_logits, "ref_aug_logits")
    refuse_few(ref_member, groups)
    pooled, score = is_pooled(covariance, len(groups)), np.zeros(ref_member.shape)
    for part in parts(ref_aug_logits):
        phi, saw = of_part(ref_aug_logits, part, k), ref_member[:, part].T
        for out, rest in _turns(groups):
            given, inside = phi[:, rest], saw[:, rest]
            for model in out.tolist():
                score[model, part] = likelier(phi[:, model], given, inside, pooled, shrink)
    return score


def max_confidence_all(ref_aug_logits: RefViewLogits) -> AllScores:
    """``max_confidence`` of every model, which needs no other."""
    return np.stack([max_confidence(one) for one in ref_aug_logits])


def lira_all(
    ref_logits: RefLogits,
    labels: Labels,
    ref_member: RefMember,
    groups: ModelGroups,
    *,
    std: Std = "auto",
) -> AllScores:
    """``classifier.lira`` of every model: of parents, what access to the ancestor would give.

    An upper reference for attacks on children, though nothing proves that it is one.
    """
    refuse_few(ref_member, groups)
    rows = (checked(one, labels, f"ref_logits[{i}]") for i, one in enumerate(ref_logits))
    margins = np.stack([margin(one, labels) for one in rows])
    chosen = auto_std(len(groups) // 2) if std == "auto" else std
    score = np.zeros(ref_member.shape)
    for out, rest in _turns(groups):
        for model in out.tolist():
            score[model] = log_likelihood_ratio(
                margins[model], margins[rest], ref_member[rest], std=chosen
            )
    return score


ALL: dict[str, Callable[..., AllScores]] = {
    "tmi": tmi_all,
    "tmi_lda": tmi_lda_all,
    "tmi_global": tmi_global_all,
    "tmi_label": tmi_label_all,
    "adapted_lira": adapted_lira_all,
    "max_confidence": max_confidence_all,
}
"""By the attack's name. Positional parameters name what each is given, options are keywords."""


def _turns(groups: ModelGroups) -> Iterator[tuple[Models, Models]]:
    """The models of each group, and all others."""
    for name in np.unique(groups):
        yield np.flatnonzero(groups == name), np.flatnonzero(groups != name)


def _blocks(groups: ModelGroups, blocks: int) -> ModelGroups:
    """The block of each model: whole groups, as many in each as can be."""
    names, place = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise DataError("groups: all models are of one; train further pairs of references")
    count = min(blocks, len(names))
    return place * count // len(names)
