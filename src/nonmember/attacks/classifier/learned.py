"""Classifiers of a classifier's answers: which of them are to what it was trained on."""

from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from nonmember.attacks.classifier.learners import FEWEST, LEAF, Learner, log_odds, rows_of
from nonmember.attacks.classifier.margins import (
    Answers,
    Classes,
    checked,
    log_probability,
    log_softmax,
    margin,
)
from nonmember.attacks.classifier.threshold import entropy, modified_entropy
from nonmember.attacks.registry import attack
from nonmember.types import (
    Count,
    KnownLabels,
    KnownLogits,
    KnownMember,
    Labels,
    Logits,
    RefLogits,
    RefMember,
    Scores,
)

Described: TypeAlias = Literal["rich", "shokri", "mlleaks", "nasr"]
Known: TypeAlias = tuple[KnownLogits, KnownLabels, KnownMember]

PER_CLASS = 200  # known records of every class from which each class has a model of its own
MANY_CLASSES = 100  # above which the rich features leave out which one is the true one
TOP = 3  # likeliest classes


@attack(
    family="classifier",
    paper="Shokri et al. 2017, arXiv:1610.05820; Salem et al. 2019, arXiv:1806.01246; "
    "Nasr et al. 2018, arXiv:1807.05852",
)
def nn_attack(  # noqa: PLR0913  (one parameter per need and option)
    logits: Logits,
    labels: Labels,
    known_logits: KnownLogits,
    known_labels: KnownLabels,
    known_member: KnownMember,
    *,
    features: Described = "rich",
    model: Learner = "mlp",
    restarts: Count = 5,
    leaf: Count = LEAF,
    seed: int = 0,
) -> Scores:
    """Log-odds of membership that known records' answers teach, in nats.

    Deviations: one hidden layer of 64 units, fitted by cross-entropy, for networks of up to
    five; ``rich`` features are ours. NaN with fewer than 10 known records on a side.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        known_logits: those of other records, (k c).
        known_labels: true classes of these, (k,).
        known_member: which of those were trained on, (k,).
        features: ``rich`` of margins, entropies, the likeliest classes and the true one;
            ``shokri`` probabilities, of each class apart from 200 known records of every class;
            ``mlleaks`` the three largest, without the label; ``nasr`` probabilities and loss.
        model: ``mlp``, ``forest``, ``boosting`` or ``logistic``.
        restarts: networks whose log-odds are averaged.
        leaf: least known records at a leaf of the forest.
        seed: of what is drawn.
    """
    fit = partial(log_odds, model=model, restarts=restarts, leaf=leaf, seed=seed)
    return _learnt(logits, labels, (known_logits, known_labels, known_member), features, fit)


@attack(family="classifier", paper="Shokri et al. 2017, arXiv:1610.05820")
def shadow(
    logits: Logits,
    labels: Labels,
    ref_logits: RefLogits,
    ref_member: RefMember,
    *,
    features: Described = "rich",
    model: Learner = "mlp",
    restarts: Count = 5,
    seed: int = 0,
) -> Scores:
    """Log-odds of membership that reference models' answers teach, in nats.

    Each reference model's answer to each candidate is a record whose membership is known. As
    ``nn_attack``, which is told of the target's own members; with one reference model the
    attack of Salem et al. 2019. Of more than 20,000 such records it learns from those of the
    first models.

    Args:
        logits: the target's, (n c).
        labels: true classes, (n,).
        ref_logits: those of m reference models, (m n c).
        ref_member: whom each was trained on, (m n).
        features: as for ``nn_attack``.
        model: ``mlp``, ``forest``, ``boosting`` or ``logistic``.
        restarts: networks whose log-odds are averaged.
        seed: of what is drawn.
    """
    known, member = rows_of(ref_logits, ref_member)
    classes = np.tile(labels, len(member) // max(1, len(labels)))
    fit = partial(log_odds, model=model, restarts=restarts, seed=seed)
    return _learnt(logits, labels, (known, classes, member), features, fit)


def _learnt(
    logits: Logits, labels: Labels, known: Known, features: Described, fit: Callable[..., Scores]
) -> Scores:
    """Scores by the features' model; by one of each class, if the features call for it."""
    given, classes, member = known
    own, told = checked(logits, labels), checked(given, classes, "known logits")
    if features != "shokri" or not _enough(classes, member, logits.shape[1]):
        return fit(described(own, labels, features), described(told, classes, features), member)
    own, told, score = np.exp(log_softmax(own)), np.exp(log_softmax(told)), np.zeros(len(labels))
    for label in np.unique(labels).tolist():
        ours, theirs = labels == label, classes == label
        score[ours] = fit(own[ours], told[theirs], member[theirs])
    return score


def _enough(labels: KnownLabels, member: KnownMember, classes: int) -> bool:
    """Whether each class has known records enough for a model of its own."""
    inside, outside = (np.bincount(labels[side], minlength=classes) for side in (member, ~member))
    scarcer = np.minimum(inside, outside)
    return bool(((inside + outside >= PER_CLASS) & (scarcer >= FEWEST)).all())


def described(logits: Answers, labels: Classes, features: Described) -> Float[np.ndarray, "r d"]:
    """The numbers of each answer that are learnt from."""
    logp = log_softmax(logits)
    largest = -np.sort(-logp, axis=1)[:, :TOP]
    if features == "mlleaks":
        return np.exp(largest)
    of_class = np.eye(logits.shape[1])[labels]
    if features == "shokri":
        return np.hstack([np.exp(logp), of_class])
    if features == "nasr":
        loss = -log_probability(logits, labels)
        return np.hstack([np.exp(logp), of_class, loss[:, None]])
    likeliest = logits.argmax(axis=1)
    numbers = np.column_stack(
        [
            margin(logits, labels),
            margin(logits, likeliest),
            entropy(logits, labels),
            modified_entropy(logits, labels),
            likeliest == labels,
        ]
    )
    few = logits.shape[1] <= MANY_CLASSES
    return np.hstack([numbers, largest, of_class] if few else [numbers, largest])
