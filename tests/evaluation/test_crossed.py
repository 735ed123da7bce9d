"""The mean AUC of many models on the same records: its value, and how often its interval covers."""

import numpy as np
import pytest

from nonmember.evaluation import roc
from nonmember.evaluation.crossed import mean_auc
from nonmember.evaluation.intervals import Interval

PAIRS, RECORDS = 12, 60


def draw(rng: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores of pairs of complements about records that are easy or hard for all alike."""
    half = rng.permuted(np.tile(np.arange(RECORDS) % 2 == 0, (PAIRS, 1)), axis=1)
    member = np.stack([half, ~half], axis=1).reshape(2 * PAIRS, RECORDS)
    effect = shift + 0.5 * rng.normal(size=RECORDS)
    level = 0.5 * rng.normal(size=RECORDS)
    return level + member * effect + rng.normal(size=member.shape), member


def found(scores: np.ndarray, member: np.ndarray, **more: float) -> Interval:
    return mean_auc(scores, member, np.arange(len(member)) // 2, np.arange(RECORDS), **more).mean


def test_by_hand() -> None:
    scores = np.array([[3.0, 1.0, 2.0, 0.0], [0.0, 1.0, 1.0, 2.0]])
    member = np.array([[True, False, False, True], [False, True, True, False]])
    made = mean_auc(scores, member, np.array([0, 1]), np.arange(4))
    assert made.mean.value == pytest.approx((0.5 + 0.5) / 2)
    assert made.spread == 0.0


def test_it_is_the_mean_of_each_models_auc() -> None:
    scores, member = draw(np.random.default_rng(0), 1.0)
    each = [roc.auc(one, saw).value for one, saw in zip(scores, member, strict=True)]
    made = mean_auc(scores, member, np.arange(len(member)) // 2, np.arange(RECORDS))
    assert made.mean.value == pytest.approx(np.mean(each))
    assert made.spread == pytest.approx(np.std(each, ddof=1))


def test_the_order_of_models_and_records_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    scores, member = draw(rng, 0.5)
    columns = rng.permutation(RECORDS)
    again = found(scores[:, columns], member[:, columns])
    assert again.low == pytest.approx(found(scores, member).low)


def test_the_interval_covers_what_records_and_models_alike_would_give() -> None:
    rng = np.random.default_rng(2)
    truth = float(np.mean([found(*draw(rng, 0.5)).value for _ in range(300)]))
    made = [found(*draw(rng, 0.5), level=0.9) for _ in range(200)]
    covered = np.mean([not one.excludes(truth) for one in made])
    assert 0.86 <= covered <= 0.99


def test_copies_of_records_count_once() -> None:
    scores, member = draw(np.random.default_rng(3), 0.5)
    twice = [np.tile(one, 2) for one in (scores, member)]
    pairs = np.arange(len(member)) // 2
    one = found(scores, member)
    two = mean_auc(*twice, pairs, np.tile(np.arange(RECORDS), 2)).mean
    assert (two.low, two.high) == pytest.approx((one.low, one.high), abs=1e-3)
