"""How much a scikit-learn classifier gives away of its training rows, as a scorer.

Cross-validation shows a scorer the rows that were held out and not those that were fitted, so
that this one is told of all rows beforehand: those that were not held out were fitted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from jaxtyping import Int

from nonmember.attacks import classifier as _registered  # noqa: F401  (fills the registry)
from nonmember.attacks.registry import ATTACKS, Attack, get
from nonmember.errors import DataError, ModelError, SpecError
from nonmember.evaluation import roc
from nonmember.evaluation.attack_accuracy import attack_accuracy
from nonmember.evaluation.intervals import Interval
from nonmember.types import Hits, Labels, Logits, Member, Scores

WHERE = "membership_scorer"
TOLD = frozenset({"logits", "labels", "hit"})
"""What a scorer can tell an attack: no reference models, no other queries, no known members."""
RATE = "tpr@fpr="
ENOUGH = 2000  # bootstrap samples of an interval


@dataclass(frozen=True, eq=False)
class MembershipScorer:
    """What ``membership_scorer`` makes: call it as scikit-learn calls scorers."""

    rows: Any
    labels: np.ndarray
    attack: str
    figure: str
    greater_is_better: bool
    seed: int
    digests: tuple[bytes, ...] = field(repr=False)

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:  # noqa: N803  (scikit-learn's)
        """The figure of a fitted classifier; negative unless ``greater_is_better``.

        Args:
            estimator: fitted to all rows but these.
            X: the rows that were held out.
            y: their labels.

        Raises:
            NonmemberError: as for ``interval``.
        """
        value = self._figure(estimator, X, y, times=1).value  # which no resampling changes
        return value if self.greater_is_better else -value

    def interval(self, estimator: Any, X: Any, y: Any) -> Interval:  # noqa: N803
        """The figure between its two ends, with its own sign, of a classifier as in a call.

        Raises:
            DataError: a row that is none of those the scorer was made of, or more than half of
                them, so that they are those that were fitted.
            ModelError: the classifier gives no probabilities.
            UnresolvableError: too few rows are left on a side to carry the figure.
        """
        return self._figure(estimator, X, y, times=ENOUGH)

    def _figure(self, estimator: Any, held: Any, labels: Any, *, times: int) -> Interval:
        inside, outside = self._sides(held)
        known = np.concatenate([self.labels[inside], np.asarray(labels)[outside]])
        sides = (
            (taken(self.rows, inside), self.labels[inside]),
            (
                taken(held, outside),
                np.asarray(labels)[outside],
            ),
        )
        classes = np.unique(np.concatenate([_classes(estimator), self.labels, known]))
        scores = [_scores(self._attack, estimator, *side, classes) for side in sides]
        member = np.arange(len(known)) < len(inside)
        return _judged(self.figure, np.concatenate(scores), member, times, self.seed)

    @property
    def _attack(self) -> Attack:
        return ATTACKS[self.attack]

    def _sides(self, held: Any) -> tuple[Int[np.ndarray, "i"], Int[np.ndarray, "o"]]:
        """Which of all rows were fitted, and which of those held out were not.

        A row of which there is one on each side was fitted and held out: it is on neither.
        """
        out = tuple(digests(held))
        everywhere, there = Counter(self.digests), Counter(out)
        if strange := (there - everywhere).total():
            raise DataError(
                f"{WHERE}: {strange} of {len(out)} rows are none of those it was made of; make it "
                "of the X and y that are given to cross-validation"
            )
        if 2 * len(out) > len(self.digests):
            raise DataError(
                f"{WHERE}: {len(out)} of {len(self.digests)} rows are no held-out fold but what "
                "was fitted; leave return_train_score out, or hold out at most half"
            )
        inside = [place for place, one in enumerate(self.digests) if one not in there]
        outside = [place for place, one in enumerate(out) if there[one] == everywhere[one]]
        return np.array(inside, dtype=np.int64), np.array(outside, dtype=np.int64)


def membership_scorer(
    X: Any,  # noqa: N803  (scikit-learn's name)
    y: Any,
    *,
    attack: str = "modified_entropy",
    figure: str = "auc",
    greater_is_better: bool = False,
    seed: int = 0,
) -> MembershipScorer:
    """A scikit-learn scorer of what a fitted classifier reveals of its training rows.

    Give it to ``cross_validate`` or ``GridSearchCV`` together with the same rows, as
    ``scoring={"neg_membership_auc": nm.membership_scorer(X, y)}``. All rows that are not in the
    fold held out count as fitted to, so every split must fit all that it does not hold out.

    Args:
        X: all rows, (n d): an array, a frame, a sparse matrix, or a list of texts.
        y: their n labels.
        attack: one that needs the classifier's answers alone, such as ``loss`` or ``gap``.
        figure: ``auc``, 0.5 if it knows nothing; ``advantage``, true less false-positive rate at
            a threshold learnt across folds, 0 if it knows nothing; or ``tpr@fpr=0.01``.
        greater_is_better: whether a score is the figure itself, as for ``make_scorer``. Unless
            it is, a score is its negative, so that a search prefers what reveals less.
        seed: of what is drawn for ``advantage`` and for intervals.

    Raises:
        SpecError: no such attack or figure, or an attack that needs more.
        DataError: rows and labels differ in number.
    """
    found = get(attack, ("classifier",))
    if not TOLD.issuperset(found.needs):
        able = (a.name for a in ATTACKS.values() if a.family == "classifier" and {*a.needs} <= TOLD)
        raise SpecError(
            f"{WHERE}: {attack} needs {', '.join(sorted({*found.needs} - TOLD))}; take "
            f"{', '.join(sorted(able))}, or audit_classifier"
        )
    _rate(figure)
    labels, all_digests = np.asarray(y), tuple(digests(X))
    if labels.shape != (len(all_digests),):
        raise DataError(
            f"{WHERE}: {len(all_digests)} rows and labels of shape {labels.shape}; give one label "
            "for each row"
        )
    return MembershipScorer(X, labels, found.key, figure, greater_is_better, seed, all_digests)


def _rate(figure: str) -> float | None:
    """The false-positive rate that a figure is at; None of one that is at none."""
    if figure in ("auc", "advantage"):
        return None
    try:
        rate = float(figure.removeprefix(RATE)) if figure.startswith(RATE) else 0.0
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1:
        raise SpecError(
            f"{WHERE}: no figure {figure!r}; write auc, advantage, or {RATE}0.01 with a rate "
            "between 0 and 1"
        )
    return rate


def _judged(figure: str, scores: Scores, member: Member, times: int, seed: int) -> Interval:
    group = np.arange(len(member))
    if figure == "advantage":
        right = attack_accuracy(scores, member, group, times=times, seed=seed).balanced
        low, value, high = (2 * each - 1 for each in (right.low, right.value, right.high))
        return Interval(low, value, high, right.level)
    rate = _rate(figure)
    fprs = () if rate is None else (rate,)
    replicates = roc.bootstrap(scores, member, group, fprs=fprs, times=times, seed=seed)
    if rate is None:
        return roc.auc(scores, member, replicates)
    return roc.tpr_at_fpr(scores, member, replicates, fpr=rate).tpr


def _classes(estimator: Any) -> np.ndarray:
    if not hasattr(estimator, "predict_proba"):
        raise ModelError(
            f"{WHERE}: {type(estimator).__name__} has no predict_proba; give a classifier that "
            "gives probabilities"
        )
    return np.asarray(estimator.classes_)


def _scores(
    attack: Attack, estimator: Any, rows: Any, labels: np.ndarray, classes: np.ndarray
) -> Scores:
    """The attack's scores of labelled rows, as an audit would have them."""
    if not len(labels):
        return np.zeros(0)
    codes: Labels = np.searchsorted(classes, labels)
    logits = _logits(estimator, rows, classes)
    hit: Hits = (logits.argmax(axis=1) == codes).astype(np.float32)
    told = {"logits": logits, "labels": codes, "hit": hit}
    return attack.score(*(told[need] for need in attack.needs))


def _logits(estimator: Any, rows: Any, classes: np.ndarray) -> Logits:
    """Log-probabilities (n c) of all classes; one that was never fitted has the least there is."""
    from nonmember.models.classifiers.answers import logits_of

    found = np.asarray(estimator.predict_proba(rows))
    spread = np.zeros((len(found), len(classes)))
    spread[:, np.searchsorted(classes, estimator.classes_)] = found
    return logits_of(WHERE, spread, len(found), "probabilities")


def taken(rows: Any, places: Int[np.ndarray, "_"]) -> Any:
    """The rows at these places, in the form that all are in."""
    if hasattr(rows, "iloc"):
        return rows.iloc[places]
    if isinstance(rows, Sequence):
        return [rows[place] for place in places.tolist()]
    return rows[places]


def digests(rows: Any) -> Iterator[bytes]:
    """What each row is, by content: equal for equal rows of one form."""
    return (blake2b(one, digest_size=16).digest() for one in _contents(rows))


def _contents(rows: Any) -> Iterator[bytes]:
    if hasattr(rows, "itertuples"):
        return (repr(one).encode() for one in rows.itertuples(index=False, name=None))
    if hasattr(rows, "tocsr"):
        sparse = rows.tocsr().sorted_indices()
        ends = zip(sparse.indptr[:-1], sparse.indptr[1:], strict=True)
        own = (slice(start, stop) for start, stop in ends)
        return (sparse.indices[at].tobytes() + sparse.data[at].tobytes() for at in own)
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        return (np.ascontiguousarray(row).tobytes() for row in rows)
    return (repr(one).encode() for one in rows)
