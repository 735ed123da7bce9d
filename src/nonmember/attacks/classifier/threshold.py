"""One number of the target's answer, larger for members: no other model, nothing learnt.

With records of known membership, ``class_thresholds`` holds that number against its own class.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from nonmember.attacks.classifier.margins import (
    checked,
    log_complement,
    log_probability,
    log_softmax,
    margin,
    rounded,
)
from nonmember.attacks.classifier.ranks import below
from nonmember.attacks.registry import attack
from nonmember.types import Hits, KnownLabels, KnownLogits, KnownMember, Labels, Logits, Scores

FEW = 20  # known records on a side of a class, under which it leans on all classes

Statistic = Literal["loss", "confidence", "entropy", "modified_entropy"]
Known = Float[np.ndarray, "k"]
"""The statistic of known records."""


@attack(family="classifier", paper="Yeom et al. 2018, arXiv:1709.01604")
def gap(hit: Hits) -> Scores:
    """1 where the likeliest class is the true one, else 0: what any difference in accuracy tells.

    A floor under every other attack. Two values have no true-positive rate at a low false one.

    Args:
        hit: whether the target's likeliest class is the true one, (n,).
    """
    return hit.astype(float)


@attack(family="classifier", paper="Yeom et al. 2018, arXiv:1709.01604")
def loss(logits: Logits, labels: Labels) -> Scores:
    """Log-probability of the true class, in nats: members are fitted.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
    """
    return rounded(log_probability(checked(logits, labels), labels))


@attack(family="classifier", paper="Salem et al. 2019, arXiv:1806.01246")
def confidence(logits: Logits, labels: Labels, *, which: Literal["true", "max"] = "max") -> Scores:
    """Log-odds of the likeliest class, in nats: the model is surer of members.

    Log-odds, because probabilities of 1 are all alike.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        which: ``max`` looks at no label; ``true`` takes the true class, which ranks as ``loss``.
    """
    found = checked(logits, labels)
    return rounded(margin(found, labels if which == "true" else found.argmax(axis=1)))


@attack(family="classifier", paper="Song & Mittal 2021, arXiv:2003.10595")
def entropy(logits: Logits, labels: Labels) -> Scores:
    """Minus the entropy of the answer, in nats; at most 0: the model is surer of members.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,); not looked at.
    """
    logp = log_softmax(checked(logits, labels))
    return rounded((np.exp(logp) * logp).sum(axis=1))


@attack(family="classifier", paper="Song & Mittal 2021, arXiv:2003.10595")
def modified_entropy(logits: Logits, labels: Labels) -> Scores:
    """Minus the entropy that grows with confidence in wrong classes, in nats; at most 0.

    (1 - p) log p of the true class and p log(1 - p) of each other: 0 if the model is certain
    and right, very negative if it is certain and wrong.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
    """
    found = checked(logits, labels)
    own, rows = log_complement(found), np.arange(len(labels))
    each = np.exp(log_softmax(found)) * own
    each[rows, labels] = np.exp(own[rows, labels]) * log_probability(found, labels)
    return rounded(each.sum(axis=1))


def _confidence(logits: Logits, labels: Labels) -> Scores:
    return confidence(logits, labels, which="true")


STATISTICS: dict[Statistic, Callable[[Logits, Labels], Scores]] = {
    "loss": loss,
    "confidence": _confidence,
    "entropy": entropy,
    "modified_entropy": modified_entropy,
}


@attack(family="classifier", paper="Song & Mittal 2021, arXiv:2003.10595")
def class_thresholds(
    logits: Logits,
    labels: Labels,
    known_logits: KnownLogits,
    known_labels: KnownLabels,
    known_member: KnownMember,
    *,
    statistic: Statistic = "modified_entropy",
    per_class: Literal["threshold", "rank"] = "threshold",
) -> Scores:
    """How far a statistic is above the threshold of its class, calibrated on known records.

    The threshold tells members of a class from others best, by balanced accuracy. One of
    fewer than 20 known records on a side leans on that of all classes, with weight
    k / (k + 20) for k on its scarcer side. NaN without known members and non-members.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        known_logits: those of other records, (k c).
        known_labels: true classes of these, (k,).
        known_member: which of those were trained on, (k,).
        statistic: the attack whose score is calibrated; ``confidence`` is of the true class.
        per_class: or ``rank``, 0 to 1, among the known non-members of the class, ties halved;
            of a class without any, among all.
    """
    score = STATISTICS[statistic](logits, labels)
    known = STATISTICS[statistic](known_logits, known_labels)
    if per_class == "threshold":
        thresholds = _thresholds(known, known_labels, known_member, logits.shape[1])
        return rounded(score - thresholds[labels])
    outside, of_class = known[~known_member], known_labels[~known_member]
    count, size = below(score, labels, outside, of_class, equal=0.5)
    overall, everywhere = below(score, labels * 0, outside, of_class * 0, equal=0.5)
    return np.where(np.isnan(size), overall / everywhere, count / size)


def _thresholds(
    known: Known, labels: KnownLabels, member: KnownMember, classes: int
) -> Float[np.ndarray, "c"]:
    """The threshold of every class, those of scarce ones drawn to that of all."""
    overall = _best(known, member)
    found = np.full(classes, overall)
    for label in np.unique(labels).tolist():
        own = labels == label
        scarcer = int(min(member[own].sum(), (~member[own]).sum()))
        if scarcer:
            weight = 1.0 if scarcer >= FEW else scarcer / (scarcer + FEW)
            found[label] = weight * _best(known[own], member[own]) + (1 - weight) * overall
    return found


def _best(known: Known, member: Bool[np.ndarray, "k"]) -> float:
    """The lowest threshold with the best balanced accuracy, exactly; NaN if one side is empty.

    Halfway between two scores, where records of either side are as far away as they can be;
    or the lowest score, which flags all.
    """
    if member.all() or not member.any():
        return float("nan")
    levels, place = np.unique(known, return_inverse=True)
    sides = [np.bincount(place[side], minlength=len(levels)) for side in (member, ~member)]
    missed, spared = (np.r_[0, np.cumsum(side)[:-1]] for side in sides)
    best = int((spared * sides[0].sum() - missed * sides[1].sum()).argmax())
    return float(levels[max(0, best - 1) : best + 1].mean())
