"""The ensemble: ranks by hand, against a loop, and against being fitted to what it scores."""

from math import nan

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from nonmember.attacks.language.ensemble import ensemble
from nonmember.evaluation.roc import auc


def world(seed, *, gap=0.0, n=200, d=8):
    """Scores of ``d`` attacks, on scales of their own, on two sets of records."""
    rng = np.random.default_rng(seed)
    member = np.arange(n) % 2 == 0
    scale = 10.0 ** rng.integers(-3, 4, d)
    own, known = (np.exp(rng.normal(gap * member[:, None], size=(n, d))) * scale for _ in range(2))
    return own, known, member


def crossed(features, member, **options):
    """Each fold scored by an ensemble told of the others."""
    score = np.zeros(len(member))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for known, held in folds.split(features, member):
        score[held] = ensemble(features[held], features[known], member[known], **options)
    return score


def normal(values, known):
    """Normal scores of one column, value by value."""
    there = [x for x in known if not np.isnan(x)]
    found = []
    for x in values:
        below, equal = sum(y < x for y in there), sum(y == x for y in there)
        share = (below + equal / 2 + 0.5) / (len(there) + 1)
        found.append(0.0 if np.isnan(x) else norm.ppf(share))
    return found


def test_it_equals_the_loop():
    own, known, member = world(0, gap=0.5, n=60, d=5)
    rng = np.random.default_rng(1)
    for one in (own, known):
        one[:, 1] = np.round(one[:, 1] / one[:, 1].max(), 1)
        one[rng.random(one.shape) < 0.1] = nan
    own[7] = nan
    known[:, 3], known[: 60 - 29, 4] = 2.0, nan  # constant, and missing in over half
    kept = [0, 1, 2]
    columns = [(normal(own[:, j], known[:, j]), normal(known[:, j], known[:, j])) for j in kept]
    inputs, given = (np.transpose(side) for side in zip(*columns, strict=True))
    fitted = LogisticRegression(C=1.0, solver="newton-cholesky").fit(given, member)
    expected = inputs @ fitted.coef_[0] + fitted.intercept_[0]
    expected[np.isnan(own[:, kept]).all(axis=1)] = nan
    found = ensemble(own, known, member)
    assert np.isnan(found[7])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_one_attack_by_hand():
    """Two known members above two known others: log-odds rise with the rank, 0 in the middle."""
    known, member = np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([False, False, True, True])
    found = ensemble(np.array([[0.0], [1.5], [2.5], [3.5], [9.0]]), known, member)
    assert (np.diff(found) > 0).all()
    assert found[2] == pytest.approx(0.0, abs=1e-6)
    assert found[0] == pytest.approx(-found[4], abs=1e-6)


@pytest.mark.parametrize("model", ["logistic", "trees"])
@pytest.mark.parametrize("transform", ["ranks", "standard"])
def test_planted_members_come_first_in_finite_scores(model, transform):
    own, known, member = world(2, gap=1.0)
    found = ensemble(own, known, member, model=model, transform=transform)
    assert np.isfinite(found).all()
    assert auc(found, member).value > 0.9


@pytest.mark.parametrize("model", ["logistic", "trees"])
def test_noise_separates_only_for_one_that_was_fitted_to_what_it_scores(model):
    told, honest = [], []
    for seed in range(6):
        features, _, member = world(seed, n=400, d=20)
        told.append(auc(ensemble(features, features, member, model=model), member).value)
        honest.append(auc(crossed(features, member, model=model), member).value)
    assert np.mean(told) > 0.58
    assert np.mean(honest) == pytest.approx(0.5, abs=0.035)


def test_the_scale_comes_from_known_records_only():
    """So that a candidate's score does not depend on who else is scored."""
    own, known, member = world(3, gap=0.5)
    for model in ("logistic", "trees"):
        whole = ensemble(own, known, member, model=model)
        alone = ensemble(own[[11]], known, member, model=model)
        np.testing.assert_allclose(alone, whole[[11]], rtol=1e-12)


def test_a_monotone_change_of_an_attack_changes_nothing():
    own, known, member = world(4, gap=0.5)
    plain = ensemble(own, known, member)
    np.testing.assert_allclose(ensemble(np.log(own), np.log(known), member), plain, rtol=1e-9)


@pytest.mark.parametrize("side", [True, False])
def test_nothing_to_learn_from_scores_0(side):
    own, known, _ = world(5)
    np.testing.assert_array_equal(ensemble(own, known, np.full(len(known), side)), 0.0)


def test_no_usable_column_is_not_scored():
    own, known, member = world(5)
    assert np.isnan(ensemble(own, np.ones_like(known), member)).all()
    assert np.isnan(ensemble(own[:, :0], known[:, :0], member)).all()


def test_the_penalty_draws_scores_together():
    own, known, member = world(6, gap=0.5)
    spreads = [ensemble(own, known, member, penalty=p).std() for p in (0.01, 1.0, 100.0)]
    assert spreads[0] > spreads[1] > spreads[2] > 0


def test_trees_are_seeded():
    own, known, member = world(7, gap=0.3)
    one, same = (ensemble(own, known, member, model="trees", seed=3) for _ in range(2))
    np.testing.assert_array_equal(one, same)


def test_inputs_are_left_alone():
    own, known, member = world(8)
    for array in (own, known, member):
        array.setflags(write=False)
    ensemble(own, known, member)
