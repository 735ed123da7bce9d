"""What a classifier is worth: how often it is right, and whether it knows when it is.

Each figure is of logits (n c), finite, and true classes (n,); ``group`` says whose the records
are, and those of one group count as one draw.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, log_softmax, logsumexp
from scipy.stats import rankdata

from nonmember.errors import DataError, UnresolvableError
from nonmember.evaluation.intervals import Interval, clopper_pearson, independent, mean_interval
from nonmember.evaluation.roc import auc, bootstrap, tied
from nonmember.seeds import generator
from nonmember.types import Count, Groups, Labels, Logits, Scores

BINS = 15
WORST_BRIER = 2.0  # of a sure and wrong answer


def accuracy(logits: Logits, labels: Labels, group: Groups, *, level: float = 0.95) -> Interval:
    """Share of records whose likeliest class, the first of equal ones, is the true one.

    Raises:
        DataError: there are no records, or a label is no class of the logits.
    """
    right = _right(logits, labels)
    return clopper_pearson(int(right.sum()), len(right), worth=independent(group), level=level)


def loss(logits: Logits, labels: Labels, group: Groups, *, level: float = 0.95) -> Interval:
    """Mean negative log-likelihood of the true class, in nats; smaller is better.

    A mean of few large losses: the interval follows its skewness, and is at least as wide as
    chance makes the share of errors.

    Raises:
        DataError: as for ``accuracy``.
    """
    right, exact = _right(logits, labels), logits.astype(float)
    own = exact[np.arange(len(labels)), labels]
    # An error costs at least the log odds of the class that was taken for the true one.
    unseen = float(np.maximum(confidence(logits), 0).mean())
    return _mean(logsumexp(exact, axis=1) - own, right, unseen, group, level)


def brier(logits: Logits, labels: Labels, group: Groups, *, level: float = 0.95) -> Interval:
    """Mean squared distance of the probabilities from the truth, 0 to 2 (Brier 1950).

    The squares are summed over classes, 1 being the true one's probability; smaller is better.
    Unlike the calibration error it sees where right answers are no surer than wrong ones.
    The interval is as that of ``loss``.

    Raises:
        DataError: as for ``accuracy``.
    """
    right = _right(logits, labels)
    away = np.exp(log_softmax(logits.astype(float), axis=1))
    away[np.arange(len(labels)), labels] -= 1
    found = _mean(np.square(away).sum(axis=1), right, WORST_BRIER, group, level)
    return Interval(found.low, found.value, min(WORST_BRIER, found.high), level)


def calibration_error(
    logits: Logits,
    labels: Labels,
    group: Groups,
    *,
    bins: Count = BINS,
    level: float = 0.95,
    times: int = 1000,
    seed: int = 0,
) -> Interval:
    """Expected calibration error, 0 to 1 (Guo et al. 2017, arXiv:1706.04599).

    Records fall into bins by the probability of their likeliest class, as many into each as equal
    probabilities, which share one, allow (Nguyen and O'Connor 2015; Guo's are of equal width, and
    of a sure model most are empty). It is the mean over records of how far their bin's share of
    right answers lies from its mean probability. Of few records it is too large on average, as
    chance alone parts the two. So the lower end reaches as far as all bins together stray in
    bootstrap samples, the upper one as far as their sum does; both at least as far as the
    accuracy's exact interval, as nothing strays where nothing was wrong.

    Args:
        logits: of every class.
        labels: true classes.
        group: whose records they are.
        bins: how many there are.
        level: of the interval.
        times: bootstrap samples.
        seed: of these.

    Raises:
        DataError: as for ``accuracy``.
    """
    exact = accuracy(logits, labels, group, level=level)
    sure = expit(confidence(logits))
    # Not ranked by the probability: where this is 1 the log odds still tell records apart.
    share = (rankdata(-tied(confidence(logits))) - 0.5) / len(sure)
    place = np.minimum((share * bins).astype(int), bins - 1)
    _, unit = np.unique(group, return_inverse=True)
    units = int(unit.max()) + 1
    cells = np.bincount(
        unit * bins + place, weights=sure - _right(logits, labels), minlength=units * bins
    )
    apart, again = _resampled(cells.reshape(units, bins), np.bincount(unit), times, seed)
    value, tail = float(np.abs(apart).sum()), (1 - level) / 2
    below = np.quantile(np.abs(again - apart).sum(axis=1), 1 - tail)
    above = np.quantile(np.abs(again).sum(axis=1), 1 - tail) - value
    least = max(exact.high - exact.value, exact.value - exact.low)
    low, high = value - max(float(below), least), value + max(float(above), least)
    return Interval(max(0.0, low), value, min(1.0, high), level)


def confidence_auc(
    logits: Logits,
    labels: Labels,
    group: Groups,
    *,
    level: float = 0.95,
    times: int = 1000,
    seed: int = 0,
) -> Interval:
    """Area under the ROC curve of the confidence where it is right against where it is wrong.

    0.5: it does not know when it errs; 1: it is surer of every right answer than of any wrong
    one (Hendrycks and Gimpel 2017, arXiv:1610.02136).

    Args:
        logits: of every class.
        labels: true classes.
        group: whose records they are.
        level: of the interval.
        times: bootstrap samples.
        seed: of these.

    Raises:
        DataError: as for ``accuracy``.
        UnresolvableError: it is right about all of them, or about none.
    """
    right = _right(logits, labels)
    if right.all() or not right.any():
        raise UnresolvableError(
            f"confidence_auc: {right.sum()} of {len(right)} answers are right; it needs some of "
            "either kind, so leave it out"
        )
    scores = confidence(logits)
    return auc(scores, right, bootstrap(scores, right, group, times=times, seed=seed), level=level)


def confidence(logits: Logits) -> Scores:
    """Log-odds of the likeliest class, in nats: the order of its probability, never saturated."""
    exact, rows = logits.astype(float), np.arange(len(logits))
    top = exact.argmax(axis=1)
    own = exact[rows, top]
    exact[rows, top] = -np.inf
    return own - logsumexp(exact, axis=1)


def _resampled(
    cells: Float[np.ndarray, "u k"], sizes: Int[np.ndarray, "u"], times: int, seed: int
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "b k"]]:
    """Each bin's sum over the records, per record: of them all, and of bootstrap samples.

    Units are drawn with replacement, one sample at a time, so that memory does not grow.
    """
    rng, units, again = generator(seed, "calibration"), len(sizes), []
    for _ in range(times):
        drawn = np.bincount(rng.integers(units, size=units), minlength=units)
        again.append(drawn @ cells / (drawn @ sizes))
    return cells.sum(axis=0) / sizes.sum(), np.stack(again)


def _mean(
    costs: Scores, right: Bool[np.ndarray, "n"], unseen: float, group: Groups, level: float
) -> Interval:
    """The mean of what answers cost, 0 or more.

    No narrower than the exact interval of the share of errors, each at what an error costs more
    than a right answer; ``unseen`` where there is none. Few errors tell little of their share,
    and none at all would give a width of nearly 0.
    """
    found, wrong = mean_interval(costs, group, level=level), int((~right).sum())
    share = clopper_pearson(wrong, len(right), worth=independent(group), level=level)
    dear = float(costs[~right].mean()) if wrong else unseen
    more = max(0.0, dear - (float(costs[right].mean()) if right.any() else 0.0))
    low = min(found.low, found.value - more * (share.value - share.low))
    high = max(found.high, found.value + more * (share.high - share.value))
    return Interval(max(0.0, low), found.value, high, level)


def _right(logits: Logits, labels: Labels) -> Bool[np.ndarray, "n"]:
    _refuse(logits, labels)
    return logits.argmax(axis=1) == labels


def _refuse(logits: Logits, labels: Labels) -> None:
    if not len(labels) or labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise DataError(
            f"utility: {len(labels)} labels for {logits.shape[1]} classes; give at least one "
            "record, and classes numbered from 0"
        )
