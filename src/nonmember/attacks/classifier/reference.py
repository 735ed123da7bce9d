"""The target's answer held against reference models, some trained on the candidate, some not.

A reference model follows the target's recipe, any defense included, and is never the target.
"""

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Le

from nonmember.attacks import references
from nonmember.attacks.classifier.margins import (
    Answers,
    Classes,
    Numbers,
    checked,
    log_probability,
    margin,
    rounded,
)
from nonmember.attacks.classifier.ranks import below
from nonmember.attacks.references import Centre, Reference, Std
from nonmember.attacks.registry import attack
from nonmember.types import (
    Labels,
    Logits,
    PopLabels,
    PopLogits,
    Positive,
    RefLogits,
    RefMember,
    RefPopLogits,
    RefViewLogits,
    Scores,
    ViewLogits,
)

Mode = Literal["offline", "online"]
Mixture = Annotated[float, Ge(0), Le(1)] | Literal["tune"]


@attack(family="classifier", paper="Carlini et al. 2022, arXiv:2112.03570")
def lira(
    logits: Logits,
    labels: Labels,
    ref_logits: RefLogits,
    ref_member: RefMember,
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """Log-likelihood ratio, in nats, of the target's margin: trained on the record versus not.

    Two Gaussians per candidate, of log p - log(1 - p) in models that saw it and in those that
    did not. NaN where either are fewer than two. Deviations: the authors' script takes the
    median, and where it has one deviation for all, pools raw values, which mixes in how
    candidates differ.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        ref_logits: those of m reference models, (m n c).
        ref_member: whom each was trained on, (m n).
        std: deviation of each ``candidate``, of all (``global``), or between (``shrunk``);
            ``auto`` goes by the models on a side: from 32 the first, from 4 the last.
        centre: of each Gaussian, ``mean`` or ``median``; deviations are about the mean.
    """
    observed, reference = _margins(logits, labels, ref_logits)
    return rounded(
        references.log_likelihood_ratio(observed, reference, ref_member, std=std, centre=centre)
    )


@attack(family="classifier", paper="Carlini et al. 2022, arXiv:2112.03570")
def lira_offline(
    logits: Logits,
    labels: Labels,
    ref_logits: RefLogits,
    ref_member: RefMember,
    *,
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """How many standard deviations the margin is above that of models that did not see the record.

    One-sided, and without the saturation of the paper's probability. NaN where those models
    are fewer than two. Deviation: the authors' script takes a two-sided density, under which
    an unusually low margin is a member's too.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        ref_logits: those of m reference models, (m n c).
        ref_member: whom each was trained on, (m n).
        std: as in ``lira``.
        centre: of each Gaussian, ``mean`` or ``median``; deviations are about the mean.
    """
    observed, reference = _margins(logits, labels, ref_logits)
    return rounded(
        references.deviations_above(observed, reference, ref_member, std=std, centre=centre)
    )


@attack(family="classifier", paper="Carlini et al. 2022, arXiv:2112.03570")
def lira_views(
    aug_logits: ViewLogits,
    labels: Labels,
    ref_aug_logits: RefViewLogits,
    ref_member: RefMember,
    *,
    mode: Mode = "online",
    std: Std = "auto",
    centre: Centre = "mean",
) -> Scores:
    """Mean over altered copies of the input of what ``lira`` says of each, in nats.

    Every copy has Gaussians of its own. NaN as there.

    Args:
        aug_logits: the target's of v copies, (n v c).
        labels: true classes, (n,).
        ref_aug_logits: those of m reference models of the same copies, (m n v c).
        ref_member: whom each was trained on, (m n).
        mode: ``offline`` is the mean of what ``lira_offline`` says, in standard deviations.
        std: as in ``lira``.
        centre: of each Gaussian, ``mean`` or ``median``; deviations are about the mean.
    """
    held = references.log_likelihood_ratio if mode == "online" else references.deviations_above
    total = np.zeros(len(labels))
    views = aug_logits.shape[1]
    for view in range(views):
        given = _margins(aug_logits[:, view], labels, ref_aug_logits[:, :, view])
        total += held(*given, ref_member, std=std, centre=centre)
    return rounded(total / views)


@attack(family="classifier", paper="Zarifzadeh et al. 2024, arXiv:2312.03262")
def rmia(  # noqa: PLR0913  (one parameter per option)
    logits: Logits,
    labels: Labels,
    ref_logits: RefLogits,
    ref_member: RefMember,
    pop_logits: PopLogits,
    pop_labels: PopLabels,
    ref_pop_logits: RefPopLogits,
    *,
    mode: Mode = "offline",
    a: Mixture = 0.3,
    returns: Literal["log_ratio", "share", "class_share"] = "log_ratio",
    gamma: Positive = 2.0,
) -> Scores:
    """Log of p over P, which reference models would give the true class on average, in nats.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        ref_logits: those of m reference models, (m n c); NaN without one that is needed.
        ref_member: whom each was trained on, (m n).
        pop_logits: the target's of z non-members, (z c).
        pop_labels: true classes of these, (z,).
        ref_pop_logits: those of the m models, none of which was trained on them, (m z c).
        mode: P from models not trained on the record, or ``online`` from both kinds; of the
            population, which none was trained on, always offline with ``a``.
        a: offline, P is ((1 + a) OUT + 1 - a) / 2; ``tune`` finds it on a reference model.
        returns: or ``share`` of non-members with a ratio ``gamma`` times smaller, of the class
            or all: the paper's, which of all ranks alike, with more ties.
        gamma: of the shares.
    """
    p = _probabilities(ref_logits, labels, "ref_logits")
    weight = references.tuned(p, ref_member) if a == "tune" else float(a)
    average = references.average_probability(p, ref_member, mode=mode, a=weight)
    own = _log_ratio(logits, labels, average, "logits")
    if returns == "log_ratio":
        return rounded(own)
    others = _population(pop_logits, pop_labels, ref_pop_logits, weight) + np.log(gamma)
    return _share(own, labels, others, pop_labels, returns == "class_share")


def skewed_share(ref_logits: RefLogits, labels: Labels, ref_member: RefMember) -> float:
    """Share of candidates whose margins are not normal: a skewness beyond 1, either way.

    Of models that saw the candidate, or of those that did not: the larger counts. Chance alone
    gives one to nearly every fifth candidate of 8 normal models a side, and to one in thirty
    of 32. NaN where no candidate has three models on a side.

    Args:
        ref_logits: those of m reference models, (m n c).
        labels: true classes, (n,).
        ref_member: whom each was trained on, (m n).
    """
    reference = _of_each(margin, ref_logits, labels, "ref_logits")
    found = np.fmax(*(_skewness(reference, side) for side in (ref_member, ~ref_member)))
    told = ~np.isnan(found)
    return float((found[told] > 1).mean()) if told.any() else float("nan")


def _skewness(reference: Reference, side: RefMember) -> Scores:
    """Size of each column's skewness over the models of a side; NaN for fewer than three."""
    models = side.sum(axis=0)
    centre = np.where(side, reference, 0.0).sum(axis=0) / np.maximum(models, 1)
    away = np.where(side, reference - centre, 0.0)
    second, third = ((away**power).sum(axis=0) / np.maximum(models, 1) for power in (2, 3))
    there = (models > 2) & (second > 0)
    return np.abs(np.divide(third, second**1.5, out=np.full(len(third), np.nan), where=there))


def _margins(logits: Logits, labels: Labels, ref_logits: RefLogits) -> tuple[Scores, Reference]:
    """Those of the true class, of the target and of each reference model."""
    observed = margin(checked(logits, labels), labels)
    return observed, _of_each(margin, ref_logits, labels, "ref_logits")


def _of_each(
    statistic: Callable[[Answers, Classes], Numbers], logits: RefLogits, labels: Labels, name: str
) -> Reference:
    """A statistic of each model's answers, one model at a time: in float64 all would be large."""
    found = np.zeros(logits.shape[:2])
    for model, own in enumerate(logits):
        found[model] = statistic(checked(own, labels, f"{name}[{model}]"), labels)
    return found


def _probabilities(logits: RefLogits, labels: Labels, name: str) -> Reference:
    return np.exp(_of_each(log_probability, logits, labels, name))


def _log_ratio(logits: Answers, labels: Classes, average: Numbers, name: str) -> Numbers:
    """Log p - log P of the true class, in nats."""
    return log_probability(checked(logits, labels, name), labels) - np.log(average)


def _population(
    logits: PopLogits, labels: PopLabels, ref_logits: RefPopLogits, a: float
) -> Numbers:
    """Log ratios of the population, in nats: no model was trained on it, so P is offline."""
    p = _probabilities(ref_logits, labels, "ref_pop_logits")
    average = references.average_probability(p, np.zeros(p.shape, dtype=bool), a=a)
    return _log_ratio(logits, labels, average, "pop_logits")


def _share(
    scores: Scores, labels: Labels, others: Numbers, other_labels: Classes, of_class: bool
) -> Scores:
    """Share of the others, of all or of the class, that a score is not below.

    Both are rounded, so that what is equal but for rounding is not below.
    """
    whose = (labels, other_labels) if of_class else (labels * 0, other_labels * 0)
    count, size = below(rounded(scores), whose[0], rounded(others), whose[1], equal=1.0)
    return count / size
