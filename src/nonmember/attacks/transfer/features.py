"""What a fine-tuned model's whole answer says: log-odds of every class, in float64.

A candidate has no class in the downstream task, so no class is the true one. Arrays of one
part of the candidates have them as their first axis, so that what is computed of one does
not depend on which others are there.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from nonmember.errors import DataError
from nonmember.types import ModelGroups, RefMember, RefViewLogits, ViewLogits

NUMBERS = 2_000_000  # of all models on the candidates that are looked at together
UNDERFLOWS = -600.0  # nats behind the likeliest class, where exp() has almost ended

Answers = Float[np.ndarray, "*r c"]
"""Logits of any records."""

Part = Float[np.ndarray, "p m v c"]
"""Log-odds of m models on v copies of p candidates."""

Means = Float[np.ndarray, "p m c"]
"""The same, averaged over the copies."""

Asked = Float[np.ndarray, "p q v c"]
AskedMeans = Float[np.ndarray, "p q c"]
"""The same of q models that are to be scored."""

Sides = Bool[np.ndarray, "p m"]
"""Which of m models were pre-trained on each of p candidates."""


def log_odds(logits: Answers) -> Answers:
    """Log p - log(1 - p) of every class, in nats: finite for any finite logits.

    1 - p is summed from the other classes, so that nothing is lost where p rounds to 1.
    """
    rows = logits.reshape(-1, logits.shape[-1]).astype(float)
    every, top = np.arange(len(rows)), rows.argmax(axis=1)
    behind = rows - rows[every, top][:, None]
    behind[every, top] = -np.inf
    odds = np.exp(behind)
    others = odds.sum(axis=1)
    found = behind - np.log1p(np.maximum(others[:, None] - odds, 0.0))
    second = behind.max(axis=1)
    near = second > UNDERFLOWS
    found[every[near], top[near]] = -np.log(others[near])
    far, above = every[~near], second[~near]
    ratio = np.exp(behind[far] - above[:, None]).sum(axis=1)
    found[far, top[far]] = -(above + np.log(ratio))
    return found.reshape(logits.shape)


def of_largest(logits: Answers, k: int | None) -> Answers:
    """Logits that are as told by the k likeliest classes: the rest of p spread evenly.

    Of equally likely classes the first are told. With ``None`` all are.
    """
    classes = logits.shape[-1]
    if k is None or k >= classes - 1:
        return logits
    found = logits.astype(float)
    untold = np.argsort(-found, axis=-1, kind="stable")[..., k:]
    values = np.take_along_axis(found, untold, axis=-1)
    top = values[..., :1]
    even = top + np.log(np.exp(values - top).mean(axis=-1, keepdims=True))
    np.put_along_axis(found, untold, even, axis=-1)
    return found


def of_part(logits: RefViewLogits, part: slice, k: int | None) -> Part:
    """Log-odds of all models on a part of the candidates."""
    found = log_odds(of_largest(logits[:, part], k))
    return np.ascontiguousarray(found.swapaxes(0, 1))


def means_of_part(logits: RefViewLogits, part: slice, k: int | None) -> Means:
    """Their means over the copies."""
    found = log_odds(of_largest(logits[:, part], k)).mean(axis=2)
    return np.ascontiguousarray(found.swapaxes(0, 1))


def parts(logits: RefViewLogits) -> Iterator[slice]:
    """The candidates, so many at a time that memory and caches are not overrun."""
    models, count, views, classes = logits.shape
    size = max(1, NUMBERS // max(1, models * views * classes))
    return (slice(start, start + size) for start in range(0, count, size))


def refuse_answers(logits: RefViewLogits, where: str) -> None:
    """Refuse answers that nothing can be told from.

    Raises:
        DataError: one is not finite, or there are fewer than two classes.
    """
    classes = logits.shape[-1]
    if classes < 2:
        raise DataError(
            f"{where}: {classes} class; a downstream task has at least two, fine-tune for another"
        )
    if not np.isfinite(logits).all():
        model, candidate = np.argwhere(~np.isfinite(logits))[0][:2]
        raise DataError(
            f"{where}: model {model} has no finite answer to candidate {candidate}; mend the "
            "model, or leave the candidate out"
        )


def refuse_unlike(aug_logits: ViewLogits, ref_aug_logits: Float[np.ndarray, "m n w d"]) -> None:
    """Refuse a target and references that were not asked the same.

    Raises:
        DataError: they have other numbers of copies or of classes; or as above.
    """
    if aug_logits.shape[1:] != ref_aug_logits.shape[2:]:
        raise DataError(
            f"aug_logits: {aug_logits.shape[1:]} copies and classes of the target, "
            f"{ref_aug_logits.shape[2:]} of the references; show all models the same copies, "
            "and fine-tune all for the same task"
        )
    refuse_answers(aug_logits[None], "aug_logits")
    refuse_answers(ref_aug_logits, "ref_aug_logits")


def refuse_few(ref_member: RefMember, out: ModelGroups | None = None) -> None:
    """Refuse candidates with too few reference models on a side.

    Args:
        ref_member: whom the parents were pre-trained on, (m n).
        out: models of one number are left out together, (m,); without it none are.

    Raises:
        DataError: fewer than two parents saw a candidate, or did not, of those that stay.
    """
    nobody = np.zeros(len(ref_member), dtype=bool)
    sets = [nobody] if out is None else [out == name for name in np.unique(out)]
    inside, outside = ref_member.sum(axis=0), (~ref_member).sum(axis=0)
    few = np.zeros(ref_member.shape[1], dtype=bool)
    for one in sets:
        gone = ref_member[one]
        few |= inside - gone.sum(axis=0) < 2
        few |= outside - (~gone).sum(axis=0) < 2
    if few.any():
        named = ", ".join(map(str, np.flatnonzero(few)[:5].tolist()))
        raise DataError(
            f"ref_member: fewer than two references on a side of {few.sum()} candidates, such as "
            f"{named}; train more complementary pairs, or leave these out"
        )
