"""The true-positive rate of many models in one: its value, and an interval over both."""

import numpy as np
import pytest

from nonmember.evaluation import roc
from nonmember.evaluation.pooled import pooled_tpr
from nonmember.seeds import generator

PAIRS, RECORDS = 8, 100


def world(shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(0, "world")
    half = rng.permuted(np.tile(np.arange(RECORDS) % 2 == 0, (PAIRS, 1)), axis=1)
    member = np.stack([half, ~half], axis=1).reshape(2 * PAIRS, RECORDS)
    return rng.normal(size=member.shape) + shift * member, member


def test_it_is_the_rate_of_all_scores_in_one() -> None:
    scores, member = world(1.0)
    models, group = np.arange(2 * PAIRS) // 2, np.arange(RECORDS)
    found = pooled_tpr(scores, member, models, group, fpr=0.1)
    assert found is not None and found.low < found.value < found.high
    whole = roc.tally(scores.ravel(), member.ravel())
    assert found.value == pytest.approx(float(whole.tpr_at(0.1)[0]))
    chance = pooled_tpr(*world(0.0), models, group, fpr=0.1)
    assert chance is not None and chance.low < 0.1 < chance.high < found.low


def test_records_that_cannot_carry_the_rate_give_none() -> None:
    scores, member = world(1.0)
    models = np.arange(2 * PAIRS) // 2
    assert pooled_tpr(scores, member, models, np.arange(RECORDS), fpr=0.001) is None
    assert pooled_tpr(scores, member, models, np.arange(RECORDS) // 4, fpr=0.01) is None
