"""The true-positive rate of many models in one: its value, and an interval over both."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

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


def test_few_draws_of_models_are_allowed_for() -> None:
    """Four pairs that differ a lot: the bootstrap's own ends hold the truth 84 times."""
    pairs, records, runs = 4, 300, 100
    groups, truth = np.arange(2 * pairs) // 2, float(ndtr((1 - ndtri(0.9)) / np.sqrt(2)))
    held = 0
    for seed in range(runs):
        rng = generator(seed, "levels")
        half = rng.permuted(np.tile(np.arange(records) % 2 == 0, (pairs, 1)), axis=1)
        member = np.stack([half, ~half], axis=1).reshape(2 * pairs, records)
        shift = 1 + np.repeat(rng.normal(size=pairs), 2)[:, None]
        scores = rng.normal(size=member.shape) + shift * member
        found = pooled_tpr(scores, member, groups, np.arange(records), fpr=0.1, seed=seed)
        held += found is not None and found.low <= truth <= found.high
    assert held >= 0.92 * runs


def test_one_draw_of_models_tells_nothing_of_others() -> None:
    scores, member = world(1.0)
    alone = np.zeros(2 * PAIRS, dtype=int)
    found = pooled_tpr(scores, member, alone, np.arange(RECORDS), fpr=0.1)
    assert found is not None and (found.low, found.high) == (0, 1)


def test_records_that_cannot_carry_the_rate_give_none() -> None:
    scores, member = world(1.0)
    models = np.arange(2 * PAIRS) // 2
    assert pooled_tpr(scores, member, models, np.arange(RECORDS), fpr=0.001) is None
    assert pooled_tpr(scores, member, models, np.arange(RECORDS) // 4, fpr=0.01) is None
