"""Attacks that see labels only: by hand, and where hits tell more than their number."""

from math import nan

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nonmember.attacks.classifier import learners
from nonmember.attacks.classifier.label_only import augmentation, augmentation_learned, boundary
from nonmember.evaluation.roc import auc


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch):
    monkeypatch.setattr(learners, "TREES", 30)


def hits(seed, *, n=400, views=6, gap=0.3):
    """Members keep their class in copy 0, and as often as others in the rest."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    share = np.full((n, views), 0.5)
    share[:, 0] += gap * np.where(member, 1, -1)
    return (rng.random((n, views)) < share).astype(np.float32), member


def test_the_distance_is_the_score():
    distance = np.array([0.25, 0.0, nan, 3.0], dtype=np.float32)
    found = boundary(distance)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [0.25, 0.0, nan, 3.0])


def test_the_share_of_hits_by_hand():
    found = augmentation(np.array([[1.0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]]))
    np.testing.assert_array_equal(found, [0.75, 0.0, 1.0])


def test_a_wrong_sign_would_rank_members_last():
    """Members are farther from the boundary and keep their class."""
    member = np.array([True, True, False, False])
    assert auc(boundary(np.array([0.5, 0.9, 0.1, 0.0])), member).value == 1
    assert auc(augmentation(np.array([[1.0, 1], [1, 0], [0, 0], [0, 0]])), member).value == 1


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_which_copies_are_hit_is_learnt(model):
    (own, member), (known, truth) = hits(0), hits(1)
    learnt = auc(augmentation_learned(own, known, truth, model=model), member).value
    assert learnt > 0.7
    assert auc(augmentation(own), member).value < 0.65
    swapped = augmentation_learned(own, known, ~truth, model=model)
    assert auc(swapped, member).value < 0.3


def test_learnt_log_odds_equal_those_by_hand():
    (own, _), (known, truth) = hits(0), hits(1)
    centre, spread = known.mean(axis=0, dtype=float), known.std(axis=0, dtype=float)
    fitted = LogisticRegression(tol=1e-10, max_iter=1000).fit((known - centre) / spread, truth)
    expected = (own - centre) / spread @ fitted.coef_[0] + fitted.intercept_[0]
    np.testing.assert_allclose(augmentation_learned(own, known, truth), expected, atol=1e-3)


@pytest.mark.parametrize("model", ["logistic", "forest"])
def test_copies_that_always_hit_say_nothing(model):
    (own, _), (known, truth) = hits(0), hits(1)
    own[:, 1] = known[:, 1] = 1
    without = [np.delete(one, 1, axis=1) for one in (own, known)]
    found = augmentation_learned(own, known, truth, model=model)
    np.testing.assert_array_equal(found, augmentation_learned(*without, truth, model=model))
    always = np.ones_like(known)
    assert not augmentation_learned(np.ones_like(own), always, truth, model=model).any()


def test_a_record_that_lacks_a_copy_is_not_scored_and_taught_by():
    (own, _), (known, truth) = hits(0), hits(1)
    own[3, 2] = known[5, 1] = nan
    found = augmentation_learned(own, known, truth)
    rest = augmentation_learned(own, np.delete(known, 5, axis=0), np.delete(truth, 5))
    assert np.isnan(found[3]) and np.isfinite(np.delete(found, 3)).all()
    np.testing.assert_array_equal(found, rest)


def test_too_few_known_records_score_nobody():
    (own, _), (known, truth) = hits(0), hits(1)
    assert np.isnan(augmentation_learned(own, known[:18], truth[:18])).all()


def test_the_forest_is_seeded():
    (own, _), (known, truth) = hits(0), hits(1)
    one, same, other = (
        augmentation_learned(own, known, truth, model="forest", seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
