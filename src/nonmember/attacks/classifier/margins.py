"""What logits say of a class, without saturation: log-odds in float64, never from probabilities.

A probability that rounds to 1 has a finite margin here, so that the surest answers keep their
order. Of equally likely classes the first counts as the likeliest, everywhere.
"""

import numpy as np
from jaxtyping import Float, Int

from nonmember.errors import DataError

SIGNIFICANT_BITS = 31
FARTHEST = -1e100  # nats behind the likeliest class; squares and cubes of it are finite

Answers = Float[np.ndarray, "r c"]
"""Logits of r records."""

Classes = Int[np.ndarray, "r"]
Numbers = Float[np.ndarray, "r"]


def checked(logits: Answers, labels: Classes, name: str = "logits") -> Answers:
    """The same answers in float64, each logit less the largest of its row: 0 to -1e100.

    Raises:
        DataError: one is not finite, there are fewer than two classes, or a label is none of them.
    """
    bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))
    if len(bad):
        raise DataError(
            f"{name}[{bad[0]}]: a logit is not finite; mend the model's answer, or leave the "
            "record out"
        )
    classes = logits.shape[1]
    if classes < 2:
        raise DataError(f"{name}: {classes} classes; of one sigmoid output give (0, logit)")
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"{name}[{wrong[0]}]: label {labels[wrong[0]]} is none of its {classes} classes; "
            "number them from 0, as the model does"
        )
    found = np.ascontiguousarray(logits, dtype=float)  # how sums round depends on the layout
    with np.errstate(over="ignore"):  # two finite logits may be an infinity apart
        return np.maximum(found - found.max(axis=1, keepdims=True), FARTHEST)


def log_sum_exp(logits: Answers) -> Numbers:
    """Log of the sum of exponentials of each row; -inf counts as nothing."""
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))


def log_softmax(logits: Answers) -> Answers:
    """Log-probability of every class, in nats; the likeliest one's does not saturate."""
    found, top = logits - log_sum_exp(logits)[:, None], logits.argmax(axis=1)
    found[np.arange(len(top)), top] = log_probability(logits, top)
    return found


def log_probability(logits: Answers, labels: Classes) -> Numbers:
    """Log p of one class of each row, in nats; from the margin, so that p near 1 is not 1."""
    return -np.logaddexp(0.0, -margin(logits, labels))


def margin(logits: Answers, labels: Classes) -> Numbers:
    """Log p - log(1 - p) of one class of each row, in nats: finite for any finite logits."""
    return _of(logits, labels) - log_sum_exp(_without(logits, labels))


def log_complement(logits: Answers) -> Answers:
    """Log(1 - p) of every class, in nats.

    Of all but the likeliest p is at most 1/2, where this is exact; of that one it is the
    logarithm of what the others sum to.
    """
    found = np.log1p(-np.exp(np.minimum(log_softmax(logits), np.log(0.5))))
    top = logits.argmax(axis=1)
    found[np.arange(len(top)), top] = log_sum_exp(_without(logits, top)) - log_sum_exp(logits)
    return found


def hinge(logits: Answers, labels: Classes) -> Numbers:
    """How far the logit of one class is above the largest other one, in nats."""
    return _of(logits, labels) - _without(logits, labels).max(axis=1)


def rounded(scores: Numbers) -> Numbers:
    """To nine significant digits, in binary: outputs that are equal but for rounding stay tied."""
    mantissa, exponent = np.frexp(scores)
    return np.ldexp(np.round(mantissa * 2**SIGNIFICANT_BITS) / 2**SIGNIFICANT_BITS, exponent)


def _of(logits: Answers, labels: Classes) -> Numbers:
    return logits[np.arange(len(labels)), labels]


def _without(logits: Answers, labels: Classes) -> Answers:
    """The same, one class of each row impossible."""
    found = logits.copy()
    found[np.arange(len(labels)), labels] = -np.inf
    return found
